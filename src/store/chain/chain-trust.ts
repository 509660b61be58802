// Whose openings are believed: those that a key of the identity signed, and those that such a chain vouches for. A key that signed long ago
// is not in the identity any more; the chain that followed has the hash of that opening, and says that it was verified then.

import type { KeyObject } from 'node:crypto';
import type { OpeningRow } from './audit-chain.ts';
import {
  chainKeyOf,
  type ChainOpening,
  type ChainWitness,
  isSignedOpening,
  openingHash,
  readOpening,
} from './chain-statements.ts';

export interface TrustedOpening {
  readonly opening: ChainOpening;
  /** What its first link goes on from. */
  readonly hash: string;
  readonly key: KeyObject;
}

/** By the numbers of their chains. */
export function trustedOpenings(
  rows: readonly OpeningRow[],
  identityKeys: readonly KeyObject[],
): ReadonlyMap<number, TrustedOpening> {
  const trusted = new Map<number, TrustedOpening>();
  let vouched: { readonly number: number; readonly hash: string } | undefined;
  for (const row of rows.toReversed()) {
    const opening = readOpening(row.statement);
    const hash = openingHash(row.statement);
    const isVouched = vouched?.number === row.number && vouched.hash === hash;
    vouched = undefined;
    if (opening?.number !== row.number) continue;
    if (!isVouched && !isSignedOpening(row, identityKeys)) continue;
    const key = chainKeyOf(opening);
    if (key === undefined) continue;
    trusted.set(row.number, { opening, hash, key });
    if (opening.previous?.isVerified === true)
      vouched = { number: row.number - 1, hash: opening.previous.hash };
  }
  return trusted;
}

/** What openings that are believed say of a chain. */
export function seenIn(
  openings: ReadonlyMap<number, TrustedOpening>,
  number: number,
): readonly ChainWitness[] {
  return [...openings.values()].flatMap(({ opening }) => opening.seen.filter((one) => one.number === number));
}
