// The chain that a process writes: opened with a key of its own that never leaves the memory of the process, gone on with at each batch,
// and signed each minute. What a batch adds counts once its transaction has committed.

import { Buffer } from 'node:buffer';
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import type { AuditFacts } from '../../api/audit-payload.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  type ChainHead,
  type ChainOpening,
  type ChainSigner,
  type ChainWitness,
  openingHash,
  readOpening,
  type Signed,
  signOpening,
  signStatement,
} from './chain-statements.ts';
import type { ChainMemory } from './chain-memory.ts';
import { LinkHasher } from './link-hash.ts';

/** What is found in the store when a chain is opened. */
export interface BeforeChain {
  /** The latest chain. */
  readonly latest: (Signed & { readonly number: number }) | undefined;
  /** The place of the last event; 0 without one. */
  readonly sequence: number;
  /** What its link says, if it has one. */
  readonly top: ChainWitness | undefined;
  /** How far others came. */
  readonly ends: readonly ChainWitness[];
}

/** All of a live chain that another thread needs to go on with it. */
export interface ChainFacts {
  readonly number: number;
  readonly chain: string;
  /** Hash of its opening. */
  readonly opening: string;
  readonly openedMs: number;
  readonly unchainedThrough: number;
  readonly link: number;
  readonly hash: Uint8Array;
  readonly sequence: number;
  readonly key: KeyObject;
}

/** Whether another one has to follow: also where no head was due since, behind a sleep of the machine or a step of its clock. */
export function isTooOld(openedMs: number, nowMs: number): boolean {
  return nowMs - openedMs > defaultLimits.auditChainMs;
}

/** A chain that begins, and the row by which it is known. */
export function openChain(
  signer: ChainSigner,
  { latest, sequence, top, ends }: BeforeChain,
  { nowMs, memory }: { readonly nowMs: number; readonly memory: ChainMemory },
): { readonly facts: ChainFacts; readonly opening: Signed & { readonly number: number } } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const isVerified = memory.look(latest, signer.publicKeys);
  const before = isVerified ? readOpening(latest?.statement ?? '') : undefined;
  const { own, witness } = memory;
  const latestHash = latest === undefined ? undefined : openingHash(latest.statement);
  // A store that says less than this process wrote itself begins nothing anew.
  const isGone = own !== undefined && (latest?.number ?? 0) < own.number;
  const [hashBefore, isKnown] = isGone ? [own.opening, true] : [latestHash, isVerified];
  const opening: ChainOpening = {
    number: Math.max(latest?.number ?? 0, own?.number ?? 0) + 1,
    chain: randomUUID(),
    key: publicKey.export({ format: 'jwk' }).x ?? '',
    openedMs: nowMs,
    previous: hashBefore === undefined ? null : { hash: hashBefore, isVerified: isKnown },
    vouched: [own?.opening, isVerified ? latestHash : undefined]
      .filter((one) => one !== undefined)
      .filter((one, at, all) => one !== hashBefore && all.indexOf(one) === at),
    seen: [witness, top, ...ends].filter((one) => one !== undefined),
    unchainedThrough: own?.unchainedThrough ?? before?.unchainedThrough ?? sequence,
    behind: sequence,
  };
  const signed = signOpening(opening, signer);
  const { number, chain, unchainedThrough } = opening;
  const openedAs = openingHash(signed.statement);
  const hash = Buffer.from(openedAs, 'base64url');
  const key = privateKey;
  const facts = {
    number,
    chain,
    opening: openedAs,
    openedMs: nowMs,
    unchainedThrough,
    link: 0,
    hash,
    sequence,
    key,
  };
  return { facts, opening: { ...signed, number } };
}

/** Where one transaction is in a chain. */
export class ChainCursor {
  readonly number: number;
  readonly #hasher: LinkHasher;
  link: number;
  /** What the next link goes on from, as a row has it. */
  before: string;
  /** The place in the store of its last event. */
  sequence: number;

  constructor(hasher: LinkHasher, at: Pick<LiveChain, 'number' | 'link' | 'hash' | 'sequence'>) {
    this.#hasher = hasher;
    this.number = at.number;
    this.link = at.link;
    this.before = at.hash.toString('base64url');
    this.sequence = at.sequence;
  }

  /** The event is stored as the next link; its place is said apart. */
  passPayload(payload: Uint8Array): void {
    this.link += 1;
    this.before = this.#hasher.ofPayload(this.before, this.link, payload);
  }

  passFacts(facts: AuditFacts): void {
    this.link += 1;
    this.before = this.#hasher.ofFacts(this.before, this.link, facts);
  }
}

export class LiveChain implements ChainFacts {
  readonly number: number;
  readonly chain: string;
  readonly opening: string;
  readonly openedMs: number;
  readonly unchainedThrough: number;
  readonly key: KeyObject;
  readonly #hasher = new LinkHasher();
  link: number;
  hash: Buffer;
  sequence: number;
  #signedLink = 0;

  constructor(facts: ChainFacts) {
    this.number = facts.number;
    this.chain = facts.chain;
    this.opening = facts.opening;
    this.openedMs = facts.openedMs;
    this.unchainedThrough = facts.unchainedThrough;
    this.key = facts.key;
    this.link = facts.link;
    // What came from another thread is no buffer any more.
    this.hash = Buffer.from(facts.hash);
    this.sequence = facts.sequence;
  }

  cursor(): ChainCursor {
    return new ChainCursor(this.#hasher, this);
  }

  /** What was passed is committed. */
  advance({ link, before, sequence }: ChainCursor): void {
    this.link = link;
    this.hash = Buffer.from(before, 'base64url');
    this.sequence = sequence;
  }

  get witness(): ChainWitness {
    return { number: this.number, link: this.link, hash: this.hash.toString('base64url') };
  }

  /** The head to be stored now; undefined where one says the same already. Behind it the caller says `signed`. */
  head(timeMs: number, isLast: boolean): { readonly head: ChainHead; readonly signed: Signed } | undefined {
    if (this.link === this.#signedLink && !(isLast && this.link > 0)) return undefined;
    const { number, chain, link, sequence } = this;
    const head = { number, chain, link, hash: this.witness.hash, sequence, timeMs, isLast };
    return { head, signed: signStatement('head', head, this.key) };
  }

  /** That head is stored. */
  signed({ link }: ChainHead): void {
    this.#signedLink = link;
  }
}
