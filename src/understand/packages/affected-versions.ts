// Which versions of a package an advisory is about: ranges and lists of OSV in the order of the registry, as places in one sorted list.

import type { PackageRegistry } from './package-request.ts';
import { versionOrders } from './version-order.ts';

/** As OSV writes them; each has one of these. */
export interface RangeEvent {
  readonly introduced?: string;
  readonly fixed?: string;
  readonly last_affected?: string;
  readonly limit?: string;
}

/** What one record says of one package. */
export interface AffectedVersions {
  /** Several ranges are each for themselves: a version in any of them is affected. */
  readonly ranges: readonly (readonly RangeEvent[])[];
  readonly versions: readonly string[];
  /** The record names no version at all, and means each. */
  readonly isWhole?: true;
}

/**
 * Places of versions in a sorted list: what is `bounds[i]` itself has the place 2i + 1, what is between two of them the place between.
 * From the first (included) to the second (not included), and so on; `endless` ends what has no end.
 */
export interface PlacedVersions {
  readonly places: readonly number[];
  /** What the registry cannot order, and so is compared as text. */
  readonly odd: readonly string[];
}

export const endless = -1;

/** As the registry orders it; undefined: it does not. Versions of Go have no `v` in advisories. */
export function orderedVersion(text: string, registry: PackageRegistry): string | undefined {
  const { isVersion } = versionOrders[registry];
  if (registry === 'npm' || registry === 'cargo' || registry === 'go') {
    const plain = text.replace(/^v/, '').replace(/\+.*$/s, '');
    const [, numbers = '', rest = ''] = /^(\d+(?:\.\d+){0,2})(-.*)?$/.exec(plain) ?? [];
    const missing = '.0'.repeat(Math.max(0, 3 - numbers.split('.').length));
    const whole = `${registry === 'go' ? 'v' : ''}${numbers}${missing}${rest}`;
    return isVersion(whole) ? whole : undefined;
  }
  // 2.0.0+cu118 is a build of 2.0.0.
  const plain = registry === 'pypi' ? text.replace(/\+.*$/s, '') : text;
  return isVersion(plain) ? plain : undefined;
}

/** The versions that records name, each once and in its order, and where each of them stands. */
export interface SortedVersions {
  readonly bounds: readonly string[];
  /** Of a version as it is written in one of the records; undefined: the registry does not order it. */
  place(text: string): number | undefined;
}

export function sortedVersions(
  records: readonly AffectedVersions[],
  registry: PackageRegistry,
): SortedVersions {
  const written = new Map<string, string | undefined>();
  const add = (text: string | undefined): void => {
    if (text !== undefined && !written.has(text)) written.set(text, orderedVersion(text, registry));
  };
  for (const { ranges, versions } of records) {
    for (const one of versions) add(one);
    for (const { introduced, fixed, last_affected: last, limit } of ranges.flat())
      for (const one of [introduced, fixed, last, limit]) add(one);
  }
  const compare = versionOrders[registry].comparer();
  const bounds: string[] = [];
  const places = new Map<string, number>();
  for (const one of new Set([...written.values()].filter((each) => each !== undefined).toSorted(compare))) {
    const before = bounds.at(-1);
    if (before === undefined || compare(before, one) !== 0) bounds.push(one);
    places.set(one, 2 * bounds.length - 1);
  }
  return { bounds, place: (text) => places.get(written.get(text) ?? '') };
}

/** Of a version that the registry orders. */
export function placeOf(version: string, bounds: readonly string[], registry: PackageRegistry): number {
  const { compare } = versionOrders[registry];
  let [from, to] = [0, bounds.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const order = compare(version, bounds[middle] ?? '') ?? 0;
    if (order === 0) return 2 * middle + 1;
    if (order < 0) to = middle;
    else from = middle + 1;
  }
  return 2 * from;
}

/** @param sorted with the versions of the record among them */
export function placedVersions(
  { ranges, versions, isWhole }: AffectedVersions,
  { place }: Pick<SortedVersions, 'place'>,
): PlacedVersions {
  if (isWhole === true) return { places: [0, endless], odd: [] };
  const odd = versions.filter((one) => place(one) === undefined);
  const points = versions.flatMap((one) => {
    const at = place(one);
    return at === undefined ? [] : [[at, at + 1] as const];
  });
  const spans = ranges.flatMap((events) => spansOf(events, place));
  return { places: joined([...points, ...spans]), odd: [...new Set(odd)] };
}

/** @param places as `placedVersions` gives them: in their order */
export function hasPlace(places: readonly number[], place: number): boolean {
  let [from, to] = [0, places.length >> 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((places[2 * middle] ?? Infinity) <= place) from = middle + 1;
    else to = middle;
  }
  if (from === 0) return false;
  const end = places[2 * from - 1] ?? endless;
  return end === endless || place < end;
}

interface PlacedEvent {
  readonly at: number;
  readonly kind: 'introduced' | 'fixed' | 'last';
}

type Span = readonly [from: number, to: number];

/** The algorithm of OSV: events in their order, each of which begins or ends what is affected. What cannot be read makes the range wider. */
function spansOf(
  events: readonly RangeEvent[],
  place: (text: string) => number | undefined,
): readonly Span[] {
  const limits = events.flatMap(({ limit }) => {
    if (limit === undefined) return [];
    return [limit === '*' ? Infinity : (place(limit) ?? Infinity)];
  });
  const limit = limits.length === 0 ? Infinity : limits.reduce((a, b) => Math.max(a, b));
  const placed = events
    .flatMap((event) => placedEvent(event, place))
    // A sort that is stable: events of one version stay as they are written.
    .toSorted((a, b) => a.at - b.at);
  // A range has to say where it begins.
  const isBegun = events.length === 0 || placed.some(({ kind }) => kind === 'introduced');
  const spans: Span[] = [];
  let from = isBegun ? undefined : 0;
  const become = (isAffected: boolean, at: number): void => {
    if (isAffected) from ??= at;
    else if (from !== undefined) {
      spans.push([from, Math.min(at, limit)]);
      from = undefined;
    }
  };
  for (let i = 0; i < placed.length;) {
    const at = placed[i]?.at ?? 0;
    // Of the version itself, and of what is behind it: the last one that is affected is so itself.
    let [isAffected, isBehind] = [from !== undefined, from !== undefined];
    for (; placed[i]?.at === at; i++) {
      const kind = placed[i]?.kind;
      if (kind !== 'last') isAffected = kind === 'introduced';
      isBehind = kind === 'introduced';
    }
    become(isAffected, at);
    become(isBehind, at + 1);
  }
  if (from !== undefined) spans.push([from, limit]);
  return spans.filter(([begin, end]) => begin < end);
}

function placedEvent(
  { introduced, fixed, last_affected: last }: RangeEvent,
  place: (text: string) => number | undefined,
): readonly PlacedEvent[] {
  if (introduced !== undefined)
    return [{ at: introduced === '0' ? 0 : (place(introduced) ?? 0), kind: 'introduced' }];
  const at = place(fixed ?? last ?? '');
  return at === undefined ? [] : [{ at, kind: fixed === undefined ? 'last' : 'fixed' }];
}

/** In their order, without gaps and overlaps. */
function joined(spans: readonly Span[]): readonly number[] {
  const places: number[] = [];
  for (const [from, to] of spans.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = places.at(-1);
    if (last !== undefined && last >= from) places[places.length - 1] = Math.max(last, to);
    else places.push(from, to);
  }
  return places.map((one) => (one === Infinity ? endless : one));
}
