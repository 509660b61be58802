// The events of a batch as rows, many in one statement. Such a statement does not say which of them were there already: where some were, the
// batch is stored anew, row by row.

import { isMainThread } from 'node:worker_threads';
import type { StoredPayload } from '../../api/audit-payload.ts';
import type { ChainCursor } from '../chain/live-chain.ts';
import type { UsedFacts } from '../uses/shared-use.ts';
import { AuditSums } from './sqlite-audit-sums.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { BatchUses } from './sqlite-uses.ts';

/** So many rows have a statement, the most first. */
const sizes = [64, 16, 1] as const;
type Size = (typeof sizes)[number];
const valuesOfRow = 9;
type Value = string | number | null | Uint8Array<ArrayBuffer>;

/** FAIL: the transaction undoes what was stored before a fault. */
const textOf = (size: Size): string =>
  `INSERT OR FAIL INTO audit (id, time_ms, session_id, verdict, kind, event, counted, chain, link, link_before)
   VALUES ${Array.from({ length: size }, () => '(?, ?, ?, ?, ?, CAST(? AS TEXT), 1, ?, ?, ?)').join(', ')}
   ON CONFLICT (id) DO NOTHING`;
const texts: Readonly<Record<Size, string>> = { 64: textOf(64), 16: textOf(16), 1: textOf(1) };

/**
 * Before another large statement the thread sleeps so long. On a machine with few processors whoever is woken meanwhile waits for the rest of
 * its slice, 3 ms and more; a lower priority does not change that.
 */
const pauseMs = 0.25;
const neverChanged = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** Not all events of a batch are new. */
export class SomeStoredBefore extends Error {}

interface Row {
  readonly event: StoredPayload;
  readonly used: UsedFacts | undefined;
}

/** Of one transaction. */
export class AuditRows {
  readonly #database: SqliteDatabase;
  readonly #cursor: ChainCursor | undefined;
  readonly #isSingly: boolean;
  readonly #sums = new AuditSums();
  readonly #uses = new BatchUses();
  #rows: Row[] = [];
  #values: Value[] = [];
  #hasStored = false;

  constructor(
    database: SqliteDatabase,
    { cursor, isSingly }: { readonly cursor: ChainCursor | undefined; readonly isSingly: boolean },
  ) {
    this.#database = database;
    this.#cursor = cursor;
    this.#isSingly = isSingly;
  }

  /** A batch whose outcome was uncertain is appended again, so the same id twice is one event. @throws SomeStoredBefore unless `isSingly` */
  add(event: StoredPayload, used: UsedFacts | undefined): void {
    const { id, timeMs, sessionId, verdict, kind, json } = event;
    const cursor = this.#cursor;
    const [number, link, before] =
      cursor === undefined ? [null, null, null] : [cursor.number, cursor.link + 1, cursor.before];
    this.#values.push(id, timeMs, sessionId ?? null, verdict, kind, json, number, link, before);
    this.#rows.push({ event, used });
    // The next row goes on from it; what is stored singly may be none.
    if (!this.#isSingly) cursor?.passPayload(event.octets);
    if (this.#isSingly) this.#storeOne(event);
    else if (this.#rows.length === sizes[0]) this.#store(sizes[0]);
  }

  /** Stores what is left, and counts all. */
  end(): void {
    for (const size of sizes) while (this.#rows.length >= size) this.#store(size);
    this.#sums.write(this.#database);
    this.#uses.write(this.#database);
  }

  #storeOne(event: StoredPayload): void {
    const { count, last } = this.#database.insert(texts[1], this.#values);
    const rows = this.#rows;
    [this.#rows, this.#values] = [[], []];
    if (count === 0) return;
    this.#cursor?.passPayload(event.octets);
    this.#stored(rows, last);
  }

  #store(size: Size): void {
    // On the main thread all streams would sleep, too.
    if (this.#hasStored && size === sizes[0] && !isMainThread) Atomics.wait(neverChanged, 0, 0, pauseMs);
    this.#hasStored = true;
    const rows = this.#rows.splice(0, size);
    const { count, last } = this.#database.insert(texts[size], this.#values.splice(0, size * valuesOfRow));
    if (count !== size) throw new SomeStoredBefore();
    this.#stored(rows, last);
  }

  /** They have the places up to `last`: nobody else stores meanwhile. */
  #stored(rows: readonly Row[], last: number): void {
    let sequence = last - rows.length;
    for (const { event, used } of rows) {
      sequence += 1;
      const { sessionId, verdict, json } = event;
      this.#sums.add(sessionId ?? `:${verdict}`, { sequence, bytes: json.byteLength });
      this.#uses.add(sequence, event, used);
    }
    if (this.#cursor !== undefined) this.#cursor.sequence = last;
  }
}
