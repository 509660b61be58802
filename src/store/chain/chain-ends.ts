// How far other chains came, as the opening of the next one says it: of each one that may have gone on since an opening spoke of it last.

import { type ChainHead, type ChainWitness, isSigned, readHead, type Signed } from './chain-statements.ts';
import type { TrustedOpening } from './chain-trust.ts';
import { chainLifeMaxMs } from './chain-walk.ts';

/** The latest head of a chain. */
export interface LatestHead extends Signed {
  readonly number: number;
}

type Openings = ReadonlyMap<number, TrustedOpening>;

/** Chains whose end no opening says: neither was their last head there, nor were they as old as one gets. */
export function openChains(openings: Openings): readonly number[] {
  const all = [...openings.values()].map(({ opening }) => opening);
  const ended = new Set(
    all.flatMap(({ seen }) => seen.filter(({ isLast }) => isLast === true).map(({ number }) => number)),
  );
  const latestMs = Math.max(...all.map(({ openedMs }) => openedMs));
  return all
    .filter(({ number, openedMs }) => !ended.has(number) && openedMs + chainLifeMaxMs >= latestMs)
    .map(({ number }) => number)
    .toSorted((a, b) => a - b);
}

/** What their latest heads say beyond what openings have said. */
export function endsOf(openings: Openings, latest: readonly LatestHead[]): readonly ChainWitness[] {
  const said = new Map<number, number>();
  for (const { opening } of openings.values())
    for (const { number, link } of opening.seen) said.set(number, Math.max(link, said.get(number) ?? 0));
  return latest.flatMap((row) => {
    const head = believedHead(row, openings);
    if (head === undefined || (!head.isLast && head.link <= (said.get(head.number) ?? 0))) return [];
    const { number, link, hash, isLast } = head;
    return [{ number, link, hash, ...(isLast ? { isLast } : {}) }];
  });
}

function believedHead(row: LatestHead, openings: Openings): ChainHead | undefined {
  const key = openings.get(row.number)?.key;
  const head = key !== undefined && isSigned('head', row, key) ? readHead(row.statement) : undefined;
  return head?.number === row.number ? head : undefined;
}
