// What is signed about a chain of the audit: its opening, by a key of the gateway's identity, and its heads and cuts, by the key that the
// opening names. Each is the text that was signed, with its signature; nothing of it is made anew before it is verified.

import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

const contexts = {
  opening: 'upstreamproxy audit chain 1\n',
  head: 'upstreamproxy audit head 1\n',
  cut: 'upstreamproxy audit cut 1\n',
} as const;

/** Signs openings, and knows whose it has to believe. */
export interface ChainSigner {
  signText(text: Uint8Array): Uint8Array;
  /** The one that signs, and those that are taken beside it. */
  readonly publicKeys: readonly KeyObject[];
}

/** A text and its signature, base64url, as they are stored. */
export interface Signed {
  readonly statement: string;
  readonly signature: string;
}

/** That a chain had that link, whose hash is this one. Hashes are base64url. */
export interface ChainWitness {
  readonly number: number;
  readonly link: number;
  readonly hash: string;
  /** Nothing follows. */
  readonly isLast?: boolean;
}

export interface ChainOpening {
  /** Chains of a store are numbered from 1 on, one after the other. */
  readonly number: number;
  /** Never given twice. */
  readonly chain: string;
  /** Ed25519, base64url: it signs the heads of this chain, and cuts of any. */
  readonly key: string;
  readonly openedMs: number;
  /** The chain before it: hash of its opening, and whether that was signed by a key of the identity. */
  readonly previous: { readonly hash: string; readonly isVerified: boolean } | null;
  /** Hashes of other openings that its process had verified, or made: their keys may be gone from the identity by now. */
  readonly vouched: readonly string[];
  /** What was known of other chains then. */
  readonly seen: readonly ChainWitness[];
  /** Events up to that place of the store were there before the first chain. */
  readonly unchainedThrough: number;
  /** The last place of the store then: all of this chain is behind it. */
  readonly behind: number;
}

export interface ChainHead {
  readonly number: number;
  readonly chain: string;
  readonly link: number;
  readonly hash: string;
  /** The place of that event in the store. */
  readonly sequence: number;
  readonly timeMs: number;
  /** Nothing follows. */
  readonly isLast: boolean;
}

/** Links that follow each other and were removed: what the first one went on from, and the hash of the last one. */
export interface CutRun {
  readonly first: number;
  readonly last: number;
  readonly before: string;
  readonly hash: string;
}

/** What retention removed of one stretch of a chain. */
export interface ChainCut {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  readonly runs: readonly CutRun[];
  /** The chain whose key signs it. */
  readonly by: number;
}

/** Also what the first link of a chain goes on from. */
export function openingHash(statement: string): string {
  return createHash('sha256').update(contexts.opening).update(statement).digest('base64url');
}

export function signOpening(opening: ChainOpening, signer: Pick<ChainSigner, 'signText'>): Signed {
  const statement = JSON.stringify(opening);
  const signature = signer.signText(Buffer.from(contexts.opening + statement));
  return { statement, signature: Buffer.from(signature).toString('base64url') };
}

export function isSignedOpening(signed: Signed, keys: readonly KeyObject[]): boolean {
  return keys.some((key) => isSigned('opening', signed, key));
}

export function signStatement(of: 'head' | 'cut', said: ChainHead | ChainCut, key: KeyObject): Signed {
  const statement = JSON.stringify(said);
  const signature = sign(null, Buffer.from(contexts[of] + statement), key);
  return { statement, signature: signature.toString('base64url') };
}

export function isSigned(
  of: keyof typeof contexts,
  { statement, signature }: Signed,
  key: KeyObject,
): boolean {
  return verify(null, Buffer.from(contexts[of] + statement), key, Buffer.from(signature, 'base64url'));
}

/** Undefined for what is no key. */
export function chainKeyOf({ key }: Pick<ChainOpening, 'key'>): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** Undefined for a text that `signOpening` did not write. */
export function readOpening(statement: string): ChainOpening | undefined {
  const said = objectOf(statement);
  if (said === undefined) return undefined;
  const { number, chain, key, openedMs, previous, vouched = [], seen, unchainedThrough, behind } = said;
  if (!isPlace(number) || !isText(chain) || !isText(key) || !isPlace(openedMs)) return undefined;
  if (!isPlace(unchainedThrough) || !isPlace(behind)) return undefined;
  if (!Array.isArray(seen) || !seen.every(isWitness)) return undefined;
  if (!Array.isArray(vouched) || !vouched.every(isText)) return undefined;
  const read = { number, chain, key, openedMs, vouched, seen, unchainedThrough, behind };
  if (previous === null) return { ...read, previous };
  if (!isObject(previous)) return undefined;
  const { hash, isVerified } = previous;
  if (!isText(hash) || typeof isVerified !== 'boolean') return undefined;
  return { ...read, previous: { hash, isVerified } };
}

/** Undefined for a text that is no head. */
export function readHead(statement: string): ChainHead | undefined {
  const said = objectOf(statement);
  if (said === undefined) return undefined;
  const { number, chain, link, hash, sequence, timeMs, isLast } = said;
  if (!isPlace(number) || !isText(chain) || !isPlace(link) || !isText(hash)) return undefined;
  if (!isPlace(sequence) || !isPlace(timeMs) || typeof isLast !== 'boolean') return undefined;
  return { number, chain, link, hash, sequence, timeMs, isLast };
}

/** Undefined for a text that is no cut, or whose runs are not in their order. */
export function readCut(statement: string): ChainCut | undefined {
  const said = objectOf(statement);
  if (said === undefined) return undefined;
  const { number, first, last, runs, by } = said;
  if (!isPlace(number) || !isPlace(first) || !isPlace(last) || !isPlace(by)) return undefined;
  if (!Array.isArray(runs) || !runs.every(isRun)) return undefined;
  let reached = first - 1;
  for (const run of runs) {
    if (run.first <= reached || run.last < run.first || run.last > last) return undefined;
    reached = run.last;
  }
  return { number, first, last, runs, by };
}

type Said = Readonly<Record<string, unknown>>;

function objectOf(statement: string): Said | undefined {
  try {
    const said: unknown = JSON.parse(statement);
    return isObject(said) ? said : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Said {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isWitness(value: unknown): value is ChainWitness {
  if (!isObject(value)) return false;
  const { number, link, hash, isLast } = value;
  if (isLast !== undefined && typeof isLast !== 'boolean') return false;
  return isPlace(number) && isPlace(link) && isText(hash);
}

function isRun(value: unknown): value is CutRun {
  if (!isObject(value)) return false;
  return (
    isPlace(value['first']) && isPlace(value['last']) && isText(value['before']) && isText(value['hash'])
  );
}
