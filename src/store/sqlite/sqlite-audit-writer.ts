// Writes the audit on a thread of its own, and moves the write-ahead log into the database file there. Each write waits
// for the fsyncs of a checkpoint, 10 ms and more, which on the main thread every stream would feel.

import type { KeyObject } from 'node:crypto';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { AuditPayload } from '../../api/audit-payload.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { auditWriterMarker as marker, threadProgram } from '../../protocol/thread-program.ts';
import { auditRecords } from '../audit-records.ts';
import type { ChainWitness } from '../chain/chain-statements.ts';
import type { ChainFacts, LiveChain } from '../chain/live-chain.ts';
import { SqliteChain } from './sqlite-audit-chain.ts';
import { pruneAudit } from './sqlite-audit-pruning.ts';
import { AuditRows, SomeStoredBefore } from './sqlite-audit-rows.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import type { AuditBounds } from '../store.ts';
import type { BatchUsed } from '../uses/shared-use.ts';

const checkpointIntervalMs = 1000;

/** What goes into one transaction, as records (store/audit-records.ts). */
export interface AuditBatch {
  readonly records: Uint8Array<ArrayBuffer>;
  /** Whose the markers are. */
  readonly holder: string;
  /** What its events used. Absent: their JSON says it. */
  readonly used?: BatchUsed;
}

/** A running thread. */
export interface AuditWriter {
  /** False once the thread has ended, for whatever reason. */
  readonly isRunning: boolean;
  /** Resolves when the batch, whose buffer is the thread's from now on, is stored; throws `store_unavailable`, also if the thread ended before it said so. */
  append(batch: AuditBatch): Promise<void>;
  /** Removes what is out of bounds, and gives how many events; throws as `append` does. */
  prune(bounds: AuditBounds, identityKeys: readonly KeyObject[]): Promise<number>;
  /** What is given from now on is of that chain, which is the thread's. */
  goOnWith(chain: GivenChain): Promise<void>;
  /** Signs how far the chain is, and gives it; behind a last head there is none until another one is given. */
  head(timeMs: number, isLast: boolean): Promise<ChainWitness | undefined>;
  /** Writes what was given, and ends. Closing twice is harmless. */
  close(): Promise<void>;
}

/** A chain that the thread goes on with, and whose openings it believes. */
export interface GivenChain {
  readonly facts: ChainFacts;
  readonly identityKeys: readonly KeyObject[];
}

type Work =
  | { readonly batch: AuditBatch }
  | { readonly bounds: AuditBounds; readonly identityKeys: readonly KeyObject[] }
  | { readonly chain: GivenChain }
  | { readonly head: { readonly timeMs: number; readonly isLast: boolean } };

/** What the thread is told: some work, or to stop. */
type Task = Work & { readonly task: number };

/** What the thread says: a task is done, with how many events it stored or removed, or why it is not. */
interface Outcome {
  readonly task: number;
  readonly count: number;
  readonly failure: string | undefined;
  /** How far the chain is that a head was asked of. */
  readonly witness?: ChainWitness | undefined;
}

/** Stores the batch in one transaction. Gives how many records it had. */
export function writeAudit(database: SqliteDatabase, batch: AuditBatch, chain?: LiveChain): number {
  try {
    return writeRows(database, batch, { chain, isSingly: false });
  } catch (error) {
    if (!(error instanceof SomeStoredBefore)) throw error;
    return writeRows(database, batch, { chain, isSingly: true });
  }
}

function writeRows(
  database: SqliteDatabase,
  { records, holder, used }: AuditBatch,
  { chain, isSingly }: { readonly chain: LiveChain | undefined; readonly isSingly: boolean },
): number {
  const cursor = chain?.cursor();
  const stored = database.transaction(() => {
    const rows = new AuditRows(database, { cursor, isSingly });
    let [events, markers] = [0, 0];
    for (const { kind, payload } of auditRecords(records)) {
      if (kind === 'opened') {
        writeMarker(database, payload, holder);
        markers += 1;
        continue;
      }
      rows.add(payload, used?.facts[(used.places[events] ?? 0) - 1]);
      if (payload.wasOpen === true) database.run('DELETE FROM audit_open WHERE id = :id', { id: payload.id });
      events += 1;
    }
    rows.end();
    markTime(database);
    return events + markers;
  });
  if (cursor !== undefined) chain?.advance(cursor);
  return stored;
}

/**
 * No event so far is of a later time; one such mark in ten seconds is enough, and one when the latest event is gone. The latest time is
 * asked for where an index gives it: from a table that is one aggregate, SQLite reads all rows.
 */
export function markTime(database: SqliteDatabase): void {
  database.run(
    `INSERT INTO audit_mark (sequence, high_ms)
     SELECT (SELECT max(sequence) FROM audit), (SELECT max(time_ms) FROM audit)
     WHERE (SELECT max(time_ms) FROM audit)
       NOT BETWEEN coalesce((SELECT high_ms FROM audit_mark ORDER BY sequence DESC LIMIT 1), -1000000000000000)
       AND coalesce((SELECT high_ms FROM audit_mark ORDER BY sequence DESC LIMIT 1), -1000000000000000) + 10000
     ON CONFLICT (sequence) DO NOTHING`,
  );
}

function writeMarker(database: SqliteDatabase, { id, json }: AuditPayload, holder: string): void {
  database.run(
    `INSERT INTO audit_open (id, holder, event) VALUES (:id, :holder, CAST(:json AS TEXT))
     ON CONFLICT (id) DO UPDATE SET event = excluded.event`,
    { id, holder, json },
  );
}

/** Starts the thread on the database file. A fault of the thread ends it; the entries it had not confirmed are refused. */
export function startAuditWriter(path: string): AuditWriter {
  return new WriterThread(path);
}

class WriterThread implements AuditWriter {
  readonly #worker: Worker;
  readonly #exited = Promise.withResolvers<void>();
  readonly #pending = new Map<number, PromiseWithResolvers<Outcome>>();
  #tasks = 0;
  #isRunning = true;
  #closing: Promise<void> | undefined;

  constructor(path: string) {
    const { program, isText } = threadProgram(import.meta.url);
    const worker = new Worker(isText ? program : new URL(program), {
      eval: isText,
      workerData: { [marker]: path },
      execArgv: [],
      env: {},
    });
    this.#worker = worker;
    worker.unref();
    worker.on('error', () => {
      // Its end, which follows, refuses what is pending.
    });
    // The thread sends nothing else.
    worker.on('message', (outcome: Outcome) => this.#settle(outcome));
    worker.once('exit', () => this.#ended());
  }

  get isRunning(): boolean {
    return this.#isRunning && this.#closing === undefined;
  }

  async append(batch: AuditBatch): Promise<void> {
    await this.#do({ batch }, [batch.records.buffer]);
  }

  async prune(bounds: AuditBounds, identityKeys: readonly KeyObject[]): Promise<number> {
    return (await this.#do({ bounds, identityKeys })).count;
  }

  async goOnWith(chain: GivenChain): Promise<void> {
    await this.#do({ chain });
  }

  async head(timeMs: number, isLast: boolean): Promise<ChainWitness | undefined> {
    return (await this.#do({ head: { timeMs, isLast } })).witness;
  }

  #do(work: Work, given: readonly ArrayBuffer[] = []): Promise<Outcome> {
    if (!this.isRunning) return Promise.reject(threadEnded());
    const pending = Promise.withResolvers<Outcome>();
    this.#tasks += 1;
    this.#pending.set(this.#tasks, pending);
    // The process stays while something is not stored.
    this.#worker.ref();
    this.#worker.postMessage({ ...work, task: this.#tasks } satisfies Task, given);
    return pending.promise;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage('stop');
    const timer = setTimeout(() => void this.#worker.terminate(), defaultLimits.storeStopTimeoutMs);
    await this.#exited.promise;
    clearTimeout(timer);
  }

  #settle(outcome: Outcome): void {
    const { task, failure } = outcome;
    const pending = this.#pending.get(task);
    this.#pending.delete(task);
    if (this.#pending.size === 0 && this.#closing === undefined) this.#worker.unref();
    if (failure === undefined) pending?.resolve(outcome);
    else pending?.reject(new ProxyError('store_unavailable', failure));
  }

  #ended(): void {
    this.#isRunning = false;
    for (const { reject } of this.#pending.values()) reject(threadEnded());
    this.#pending.clear();
    this.#exited.resolve();
  }
}

function threadEnded(): ProxyError {
  return new ProxyError('store_unavailable', 'The thread that writes the audit has ended.');
}

async function runThread(path: string): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const database = await SqliteDatabase.open(path, 'normal');
  // What a statement of many rows could have to undo is kept in memory: in a file, that was two of three of the thread's system calls.
  database.script('PRAGMA temp_store = MEMORY');
  const desk = new WriterDesk(database);
  const timer = setInterval(() => desk.checkpoint(), checkpointIntervalMs);
  port.on('message', (message: Task | 'stop') => {
    if (message !== 'stop') {
      port.postMessage(desk.outcomeOf(message));
      return;
    }
    clearInterval(timer);
    desk.close();
    port.close();
  });
}

/** What the thread has. */
class WriterDesk {
  readonly #database: SqliteDatabase;
  #chain: SqliteChain | undefined;
  /** Of a chain whose head was the last task. */
  #witness: ChainWitness | undefined;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  close(): void {
    this.#database.close();
  }

  /** A busy database is left for the next time; the connections checkpoint by themselves when their log is very long. */
  checkpoint(): void {
    try {
      this.#database.script('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // The next batch says what is wrong with the file.
    }
  }

  outcomeOf(task: Task): Outcome {
    try {
      const count = this.#do(task);
      return { task: task.task, count, failure: undefined, witness: this.#witness };
    } catch (error) {
      return { task: task.task, count: 0, failure: asProxyError(error, 'store_unavailable').message };
    }
  }

  #do(task: Task): number {
    this.#witness = undefined;
    if ('bounds' in task) {
      this.#chain?.believe(task.identityKeys);
      return pruneAudit(this.#database, task.bounds, this.#chain);
    }
    if ('batch' in task) return writeAudit(this.#database, task.batch, this.#chain?.live);
    if ('chain' in task) {
      const { facts, identityKeys } = task.chain;
      this.#chain = new SqliteChain(this.#database, facts, identityKeys);
      return 0;
    }
    this.#chain?.head(task.head.timeMs, task.head.isLast);
    this.#witness = this.#chain?.live.witness;
    if (task.head.isLast) this.#chain = undefined;
    return 0;
  }
}

// The module is its own thread's entry, so that its name need not be known twice.
if (!isMainThread && typeof workerData === 'object' && workerData !== null && marker in workerData) {
  // Not awaited, which a module of the single file cannot be; what it throws ends the thread.
  void runThread(String(workerData[marker]));
}
