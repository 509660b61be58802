// When the versions of a list came out, or were seen first.

import type { DecidedPackage } from '../../policy/decision.ts';
import type { ListedVersions } from '../../understand/packages/listed-versions.ts';
import { isCountedFromSeen } from '../../understand/packages/version-times.ts';
import type { ToldList } from './collect-times.ts';
import type { SeenOwner } from '../../store/first-seen-store.ts';
import type { AskedPackage, PublishTimes, ToldVersions, VersionTimes } from './publish-times.ts';
import type { SeenVersions } from './seen-versions.ts';

export interface TimesScene {
  readonly publishTimes: PublishTimes;
  readonly seenVersions: SeenVersions;
  /** In whose name versions are seen. */
  readonly owner: SeenOwner;
  readonly asked: Pick<DecidedPackage, 'registry' | 'minAgeMs'>;
  /** Asks beside the list, of what it does not say. */
  readonly askBeside: (listed: ToldList, isOfAll: boolean) => Promise<ToldVersions | undefined>;
  /** When the registry said it, where that was before. */
  readonly toldMs?: number | undefined;
}

/** Of what everybody is told (`isOfAll`), more may be known than was told now. @throws ProxyError store_unavailable */
export async function listedTimes(
  { versions, ...list }: Pick<ListedVersions, 'versions' | 'times' | 'digests' | 'installScripts'>,
  place: AskedPackage,
  isOfAll: boolean,
  { publishTimes, seenVersions, owner, askBeside, toldMs, asked: { registry, minAgeMs = 0 } }: TimesScene,
): Promise<VersionTimes> {
  if (registry === 'rubygems' && minAgeMs > 0) {
    const known = isOfAll ? publishTimes.note(place, { ...list, toldMs }) : list.times;
    const told = await askBeside({ versions, times: known, digests: list.digests }, isOfAll);
    if (told === undefined) return known;
    return isOfAll ? publishTimes.note(place, { ...told, toldMs }) : told.times;
  }
  if (!isCountedFromSeen(registry) || minAgeMs === 0)
    return isOfAll ? publishTimes.note(place, { ...list, toldMs }) : list.times;
  const items = versions.map(({ version }) => version);
  const seen = isOfAll
    ? await seenVersions.see(
        place,
        items.map((item) => ({ item })),
        owner,
      )
    : await seenVersions.find(place, items);
  return new Map([...seen].map(([item, { firstMs }]) => [item, firstMs]));
}
