// The chain of a process with a SQLite store: it begins with the first event, and goes over to the thread that writes when that starts.

import type { AuditChain, ChainReader } from '../chain/audit-chain.ts';
import type { ChainSigner } from '../chain/chain-statements.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { beginChain, chainReader, SqliteChain } from './sqlite-audit-chain.ts';
import type { AuditWriter } from './sqlite-audit-writer.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export class SqliteChainOwner implements AuditChain {
  readonly openings: ChainReader['openings'];
  readonly heads: ChainReader['heads'];
  readonly cut: ChainReader['cut'];
  readonly rows: ChainReader['rows'];
  readonly #database: SqliteDatabase;
  readonly #writer: () => AuditWriter | undefined;
  #signer: ChainSigner | undefined;
  /** Undefined while the thread has it, or nobody. */
  #own: SqliteChain | undefined;
  #givenTo: AuditWriter | undefined;
  #openedMs = 0;

  constructor(database: SqliteDatabase, writer: () => AuditWriter | undefined) {
    this.#database = database;
    this.#writer = writer;
    const { openings, heads, cut, rows } = chainReader(database);
    this.openings = openings;
    this.heads = heads;
    this.cut = cut;
    this.rows = rows;
  }

  async begin(signer: ChainSigner): Promise<void> {
    this.#signer = signer;
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
      this.#own = new SqliteChain(this.#database, beginChain(this.#database, signer, nowMs), identityKeys);
      this.#openedMs = nowMs;
    }
    if (writer?.isRunning !== true) return this.#own;
    const { number, chain, openedMs, link, hash, sequence, key } = this.#own.live;
    // Messages come in their order: it has the chain before the next batch. That it could not take it, the batch says.
    const facts = { number, chain, openedMs, link, hash, sequence, key };
    void writer.goOnWith({ facts, identityKeys }).catch(() => undefined);
    this.#givenTo = writer;
    this.#own = undefined;
    return undefined;
  }

  async signHead(): Promise<void> {
    const nowMs = Date.now();
    await this.#sign(nowMs, nowMs - this.#openedMs > defaultLimits.auditChainMs);
  }

  async end(): Promise<void> {
    await this.#sign(Date.now(), true);
  }

  async #sign(nowMs: number, isLast: boolean): Promise<void> {
    const given = this.#givenTo;
    if (isLast) this.#givenTo = undefined;
    if (given?.isRunning === true) await given.head(nowMs, isLast);
    this.#own?.head(nowMs, isLast);
    if (isLast) this.#own = undefined;
  }
}
