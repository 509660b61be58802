// Whose openings are believed: those that a key of the identity signed, and those that such a chain vouches for. A key that signed long ago
// is not in the identity any more; the chain that followed has the hash of that opening, and says that it was verified then.

import type { KeyObject } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import type { OpeningRow } from './audit-chain.ts';
import type { CutRow } from './chain-cuts.ts';
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

/**
 * By the numbers of their chains.
 *
 * @param known hashes of openings that are known by themselves
 */
export function trustedOpenings(
  rows: readonly OpeningRow[],
  identityKeys: readonly KeyObject[],
  known: readonly string[] = [],
): ReadonlyMap<number, TrustedOpening> {
  const trusted = new Map<number, TrustedOpening>();
  const vouched = new Set(known);
  for (const row of rows.toReversed()) {
    const opening = readOpening(row.statement);
    const hash = openingHash(row.statement);
    if (opening?.number !== row.number) continue;
    // The one that followed says which one this was: another one that was signed once too is not it.
    const named = trusted.get(row.number + 1)?.opening.previous;
    if (named !== undefined && named?.hash !== hash) continue;
    if (!vouched.has(hash) && !isSignedOpening(row, identityKeys)) continue;
    const key = chainKeyOf(opening);
    if (key === undefined) continue;
    trusted.set(row.number, { opening, hash, key });
    if (opening.previous?.isVerified === true) vouched.add(opening.previous.hash);
    for (const one of opening.vouched) vouched.add(one);
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

/** Whether what was believed by the ones is what is believed by the others. */
export function areSameKeys(some: readonly KeyObject[], others: readonly KeyObject[]): boolean {
  return some.length === others.length && some.every((key, at) => others[at]?.equals(key) === true);
}

/**
 * What a cut says is not replaced while only the key of its signer is not known here (yet): it may be true, and nothing else says it.
 *
 * @throws ProxyError store_unavailable
 */
export function requireKnownSigners(
  stored: readonly CutRow[],
  openings: readonly OpeningRow[],
  isKnown: (number: number) => boolean,
): void {
  const unknown = stored.find(({ by }) => !isKnown(by) && openings.some(({ number }) => number === by));
  if (unknown === undefined) return;
  const { number, by } = unknown;
  throw new ProxyError(
    'store_unavailable',
    `Nothing is removed from chain ${number} of the audit: chain ${by}, which signed what was removed before, is not known by the keys of the identity.`,
  );
}
