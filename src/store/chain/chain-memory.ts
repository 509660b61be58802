// What a process knows of chains by itself, whatever the store says by now: its own latest one, and which opening it verified last, while the
// key that signed it was one of the identity.

import type { KeyObject } from 'node:crypto';
import type { OpeningRow } from './audit-chain.ts';
import { type ChainSigner, type ChainWitness, isSignedOpening, openingHash } from './chain-statements.ts';

interface OwnChain {
  readonly number: number;
  /** Hash of its opening. */
  readonly opening: string;
  readonly unchainedThrough: number;
}

export class ChainMemory {
  /** The latest chain that this process opened. */
  own: OwnChain | undefined;
  /** How far it came, where it is over. */
  witness: ChainWitness | undefined;
  #verified = '';
  #key: KeyObject | undefined;

  /** Whether the latest opening is one that a key of the identity signed, now or when this process looked last. */
  look(latest: OpeningRow | undefined, keys: readonly KeyObject[]): boolean {
    if (latest === undefined) return false;
    const hash = openingHash(latest.statement);
    if (hash !== this.#verified && hash !== this.own?.opening && !isSignedOpening(latest, keys)) return false;
    this.#verified = hash;
    return true;
  }

  /** Hashes of openings that are believed whatever the keys of the identity are by now. */
  get known(): readonly string[] {
    return [this.own?.opening ?? '', this.#verified].filter((hash) => hash !== '');
  }

  /** From now on chains are opened by the keys of that one. */
  begin({ publicKeys }: ChainSigner): void {
    this.#key ??= publicKeys[0];
  }

  /** Whether another key signs now than that of the last opening, so that another chain has to vouch for it. */
  hasOtherKey({ publicKeys: [key] }: ChainSigner): boolean {
    return key !== undefined && this.#key?.equals(key) !== true;
  }

  /** The opening is stored. */
  opened({ number, opening, unchainedThrough }: OwnChain, { publicKeys }: ChainSigner): void {
    this.own = { number, opening, unchainedThrough };
    this.witness = undefined;
    this.#key = publicKeys[0];
  }

  /** The chain is over, or lost. */
  ended(witness: ChainWitness | undefined): void {
    if (witness !== undefined && witness.link > 0) this.witness = witness;
  }
}
