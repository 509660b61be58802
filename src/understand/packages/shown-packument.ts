// What npm's registry tells of a package, without some of its versions.

import type { Packument } from './packument.ts';
import { semverKey } from './semver-key.ts';
import { versionOrders } from './version-order.ts';

export interface ShownPackument {
  readonly pieces: readonly Uint8Array[];
  readonly hidden: readonly string[];
  /** Tags that name another version now, or none. */
  readonly moved: readonly { readonly tag: string; readonly from: string; readonly to: string | undefined }[];
}

/** The octets without what is not shown; everything else as it came. */
export function showPackument(
  octets: Uint8Array,
  packument: Packument,
  isShown: (version: string) => boolean,
): ShownPackument {
  const { versions, versionsAt, tags, tagsAt } = packument;
  const shown = versions.map(({ name }) => isShown(name));
  const kept = versions.filter((_, i) => shown[i]);
  const hidden = versions.filter((_, i) => !shown[i]).map(({ name }) => name);
  const left = new Set(kept.map(({ name }) => name));
  const targetOf = targetsIn(left);
  const movedTags = [...tags].map(([tag, from]) => ({ tag, from, to: targetOf(tag, from) }));
  const moved = movedTags.filter(({ from, to }) => from !== to);
  if (hidden.length === 0 && moved.length === 0) return { pieces: [octets], hidden, moved };
  const tagText = JSON.stringify(
    Object.fromEntries(movedTags.flatMap(({ tag, to }) => (to === undefined ? [] : [[tag, to]]))),
  );
  const encoder = new TextEncoder();
  const one = (text: string): Uint8Array => encoder.encode(text);
  const list = kept.flatMap(({ start, end }, i) => [one(i === 0 ? '' : ','), octets.subarray(start, end)]);
  const changes = [
    ...(versionsAt === undefined ? [] : [{ ...versionsAt, pieces: [one('{'), ...list, one('}')] }]),
    ...(tagsAt === undefined ? [] : [{ ...tagsAt, pieces: [one(tagText)] }]),
  ].toSorted((a, b) => a.start - b.start);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const change of changes) {
    pieces.push(octets.subarray(from, change.start), ...change.pieces);
    from = change.end;
  }
  pieces.push(octets.subarray(from));
  return { pieces: pieces.filter(({ length }) => length > 0), hidden, moved };
}

/**
 * Where tags of versions that are not shown go: the highest version that is shown and not above the old one, stable if the old one was,
 * and else of the same channel. `latest` is never left out while there is a version: clients fail without it.
 */
function targetsIn(shown: ReadonlySet<string>): (tag: string, from: string) => string | undefined {
  let channels: ReadonlyMap<string, readonly Keyed[]> | undefined;
  return (tag, from) => {
    if (shown.has(from)) return from;
    channels ??= channelsOf(shown);
    const own = channelOf(from);
    const below = own === undefined ? undefined : highestUpTo(channels.get(own) ?? [], semverKey(from));
    if (below !== undefined || tag !== 'latest') return below;
    const highest = [...channels.values()].flatMap((one) => one.at(-1) ?? []);
    return channels.get('')?.at(-1)?.version ?? highest.toSorted(byKey).at(-1)?.version;
  };
}

interface Keyed {
  readonly version: string;
  readonly key: string;
}

const byKey = (a: Keyed, b: Keyed): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** Each in its order: of tens of thousands of versions and tags none is compared with each. */
function channelsOf(versions: ReadonlySet<string>): ReadonlyMap<string, readonly Keyed[]> {
  const channels = new Map<string, Keyed[]>();
  for (const version of versions) {
    const channel = channelOf(version);
    if (channel === undefined) continue;
    const keyed = { version, key: semverKey(version) };
    const others = channels.get(channel);
    if (others === undefined) channels.set(channel, [keyed]);
    else others.push(keyed);
  }
  for (const one of channels.values()) one.sort(byKey);
  return channels;
}

function highestUpTo(sorted: readonly Keyed[], key: string): string | undefined {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle]?.key ?? '') <= key) from = middle + 1;
    else to = middle;
  }
  return sorted[from - 1]?.version;
}

/** Empty: stable. `rc` of 1.0.0-rc.1; undefined: it is no version. */
function channelOf(version: string): string | undefined {
  if (!versionOrders.npm.isVersion(version)) return undefined;
  return /^[\d.]+-(?:([A-Za-z-]+)|.)/.exec(version)?.[1] ?? (/^[\d.]+-/.test(version) ? '0' : '');
}
