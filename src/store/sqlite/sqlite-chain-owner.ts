// The chain of a process with a SQLite store: it begins with the first event, and goes over to the thread that writes when that starts.

import type { KeyObject } from 'node:crypto';
import type { AuditChain, ChainReader } from '../chain/audit-chain.ts';
import type { ChainSigner } from '../chain/chain-statements.ts';
import { ChainMemory } from '../chain/chain-memory.ts';
import { type ChainFacts, isTooOld, type LiveChain } from '../chain/live-chain.ts';
import { beginChain, chainReader, latestOpening, SqliteChain } from './sqlite-audit-chain.ts';
import type { AuditWriter } from './sqlite-audit-writer.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export class SqliteChainOwner implements AuditChain {
  readonly openings: ChainReader['openings'];
  readonly heads: ChainReader['heads'];
  readonly latestHead: ChainReader['latestHead'];
  readonly cut: ChainReader['cut'];
  readonly rows: ChainReader['rows'];
  readonly marks: ChainReader['marks'];
  readonly laterThan: ChainReader['laterThan'];
  readonly #database: SqliteDatabase;
  readonly #writer: () => AuditWriter | undefined;
  #signer: ChainSigner | undefined;
  /** Undefined while the thread has it, or nobody. */
  #own: SqliteChain | undefined;
  #givenTo: AuditWriter | undefined;
  readonly #memory = new ChainMemory();
  #openedMs = 0;
  #ending: Promise<void> | undefined;

  constructor(database: SqliteDatabase, writer: () => AuditWriter | undefined) {
    this.#database = database;
    this.#writer = writer;
    const { openings, heads, latestHead, cut, rows, marks, laterThan } = chainReader(database);
    this.openings = openings;
    this.heads = heads;
    this.latestHead = latestHead;
    this.cut = cut;
    this.rows = rows;
    this.marks = marks;
    this.laterThan = laterThan;
  }

  async begin(signer: ChainSigner): Promise<void> {
    this.#signer = signer;
    this.#memory.begin(signer);
    this.#memory.look(latestOpening(this.#database), signer.publicKeys);
  }

  get identityKeys(): readonly KeyObject[] {
    return this.#signer?.publicKeys ?? [];
  }

  /** Waits for a chain that ends; it does where it is too old, and where another key signs by now, so that the next one vouches for it. */
  async settled(): Promise<void> {
    if (this.#signer !== undefined && this.#isOpen() && this.#mustEnd(this.#signer))
      await this.#end().catch(() => undefined);
    else await this.#ending?.catch(() => undefined);
  }

  /**
   * Sees to it that what is written next is in a chain: in the one that it gives, or in that of the thread. A thread that ended took its
   * chain along, and another one begins.
   */
  ofNext(): SqliteChain | undefined {
    const signer = this.#signer;
    if (signer === undefined) return undefined;
    const writer = this.#writer();
    if (writer?.isRunning === true && this.#givenTo === writer) return undefined;
    const identityKeys = signer.publicKeys;
    if (this.#own === undefined) {
      const nowMs = Date.now();
      const facts = beginChain(this.#database, signer, { nowMs, memory: this.#memory });
      this.#own = new SqliteChain(this.#database, facts, identityKeys);
      this.#openedMs = nowMs;
    }
    if (writer?.isRunning !== true) return this.#own;
    // Messages come in their order: it has the chain before the next batch. That it could not take it, the batch says.
    void writer.goOnWith({ facts: factsOf(this.#own.live), identityKeys }).catch(() => undefined);
    this.#givenTo = writer;
    this.#own = undefined;
    return undefined;
  }

  async signHead(): Promise<void> {
    const signer = this.#signer;
    if (signer === undefined) return;
    this.#memory.look(latestOpening(this.#database), signer.publicKeys);
    if (this.#memory.hasOtherKey(signer)) {
      await this.#end();
      // At once: the key of before is gone soon.
      this.ofNext();
    } else if (isTooOld(this.#openedMs, Date.now())) await this.#end();
    else await this.#sign(false);
  }

  end(): Promise<void> {
    return this.#end();
  }

  #mustEnd(signer: ChainSigner): boolean {
    return this.#memory.hasOtherKey(signer) || isTooOld(this.#openedMs, Date.now());
  }

  #isOpen(): boolean {
    return this.#own !== undefined || this.#givenTo?.isRunning === true;
  }

  #end(): Promise<void> {
    this.#ending = this.#sign(true);
    return this.#ending;
  }

  async #sign(isLast: boolean): Promise<void> {
    const [given, own, nowMs] = [this.#givenTo, this.#own, Date.now()];
    if (isLast) this.#givenTo = this.#own = undefined;
    if (given?.isRunning === true) {
      const witness = await given.head(nowMs, isLast);
      if (isLast) this.#memory.ended(witness);
    }
    if (own === undefined) return;
    own.head(nowMs, isLast);
    if (isLast) this.#memory.ended(own.live.witness);
  }
}

/** What another thread can be given. */
function factsOf(live: LiveChain): ChainFacts {
  const { number, chain, opening, openedMs, unchainedThrough, link, hash, sequence, key } = live;
  return { number, chain, opening, openedMs, unchainedThrough, link, hash, sequence, key };
}
