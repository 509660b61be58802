// A backup says what was true when it was made. What is known of later is put into its rows on their way into the store: what has ended
// since stays ended, and a token that was used since starts nothing.

import type { Cell, RowBatch, RowSource, StoreNumbers } from './store-rows.ts';

/** What is known of the time since the backup. Times are milliseconds since the epoch. */
export interface LaterFacts {
  /** Sessions that are over, by their ids. */
  readonly endedSessions: ReadonlyMap<string, LaterEnding>;
  /** Sessions that were committed since, and when. */
  readonly committed: ReadonlyMap<string, number>;
  /** Tokens that start nothing any more, by their keys. */
  readonly usedTokens: ReadonlyMap<string, { readonly sessionId: string; readonly expiresMs: number }>;
  /** Requests for access that were denied, and grants that were taken back or have ended. */
  readonly closedAccess: ReadonlyMap<string, 'denied' | 'revoked' | 'ended'>;
  /** Tokens of operators that were revoked, and when. */
  readonly revokedOperators: ReadonlyMap<string, number>;
  /** Nothing of the backup goes on: sessions, grants, tokens of operators. */
  readonly endsAll: boolean;
  readonly nowMs: number;
}

export interface LaterEnding {
  readonly state: 'ended' | 'revoked';
  readonly reason: string;
  readonly atMs: number;
}

/** What became of the rows. */
export interface AssertedAgain {
  sessions: number;
  tokens: number;
  grants: number;
  operators: number;
  /** Sessions that live in the store. */
  living: number;
}

const restored = 'the store was brought back from a backup';
const endingColumns = ['reason', 'sequence', 'session_id', 'state'];
const tokenColumns = ['expires_ms', 'session_id', 'token_key'];

type Fields = Record<string, Cell | undefined>;

/** The same rows, with what is known of later. */
export class AssertedRows implements RowSource {
  readonly counts: AssertedAgain = { sessions: 0, tokens: 0, grants: 0, operators: 0, living: 0 };
  readonly #source: RowSource;
  readonly #facts: LaterFacts;
  readonly #endings: Fields[] = [];
  readonly #tokens = new Map<string, Fields>();
  #changes: number;

  constructor(source: RowSource, facts: LaterFacts) {
    this.#source = source;
    this.#facts = facts;
    this.#changes = source.numbers.changes;
    for (const [key, { sessionId, expiresMs }] of facts.usedTokens) this.#useUp(key, sessionId, expiresMs);
  }

  /** Whole once all batches were read. */
  get numbers(): StoreNumbers {
    return { ...this.#source.numbers, changes: this.#changes };
  }

  async *batches(): AsyncGenerator<RowBatch> {
    for await (const batch of this.#source.batches()) yield this.#changed(batch);
    // Rows that nothing in the backup stands for.
    this.counts.tokens = this.#tokens.size;
    yield rowsOf('session_ending', endingColumns, this.#endings);
    yield rowsOf('consumed_token', tokenColumns, [...this.#tokens.values()]);
  }

  #changed(batch: RowBatch): RowBatch {
    const change = {
      session: (row: Fields) => this.#session(row),
      consumed_token: (row: Fields) => void this.#tokens.delete(String(row['token_key'])),
      access_request: (row: Fields) => this.#access(row),
      operator_token: (row: Fields) => this.#operator(row),
    }[batch.table];
    if (change === undefined) return batch;
    const rows = batch.rows.map((cells) => {
      const fields: Fields = Object.fromEntries(batch.columns.map((column, at) => [column, cells[at]]));
      change(fields);
      return fields;
    });
    return rowsOf(batch.table, batch.columns, rows);
  }

  #session(row: Fields): void {
    const { endedSessions, committed, endsAll, nowMs } = this.#facts;
    const id = String(row['id']);
    if (row['state'] !== 'enrolled' && row['state'] !== 'committed') return;
    const committedMs = committed.get(id);
    if (row['state'] === 'enrolled' && committedMs !== undefined) {
      Object.assign(row, { state: 'committed', committed_ms: committedMs });
      this.#useUp(String(row['token_key']), id, Number(row['token_expires_ms']));
    }
    const all: LaterEnding = { state: 'revoked', reason: restored, atMs: nowMs };
    const ending = endedSessions.get(id) ?? (endsAll ? all : undefined);
    if (ending === undefined) {
      this.counts.living += 1;
      return;
    }
    // One that was not committed takes its token with it, as whoever ends it on purpose means.
    if (row['state'] === 'enrolled')
      this.#useUp(String(row['token_key']), id, Number(row['token_expires_ms']));
    const { state, reason, atMs } = ending;
    Object.assign(row, { state, reason, over_ms: atMs });
    this.counts.sessions += 1;
    this.#changes += 1;
    this.#endings.push({ sequence: this.#changes, session_id: id, state, reason });
  }

  #access(row: Fields): void {
    const { closedAccess, endsAll, nowMs } = this.#facts;
    const { state } = row;
    if (state !== 'pending' && state !== 'granted') return;
    const closed = closedAccess.get(String(row['id'])) ?? (endsAll ? 'ended' : undefined);
    if (closed === undefined) return;
    Object.assign(row, { state: closed, decided_ms: row['decided_ms'] ?? nowMs });
    this.counts.grants += 1;
  }

  #operator(row: Fields): void {
    const { revokedOperators, endsAll, nowMs } = this.#facts;
    const atMs = revokedOperators.get(String(row['id'])) ?? (endsAll ? nowMs : undefined);
    if (atMs === undefined || row['revoked_ms'] !== null) return;
    row['revoked_ms'] = atMs;
    this.counts.operators += 1;
  }

  #useUp(key: string, sessionId: string, expiresMs: number): void {
    this.#tokens.set(key, { token_key: key, session_id: sessionId, expires_ms: expiresMs });
  }
}

function rowsOf(table: string, columns: readonly string[], rows: readonly Fields[]): RowBatch {
  return { table, columns, rows: rows.map((row) => columns.map((column) => row[column] ?? null)) };
}
