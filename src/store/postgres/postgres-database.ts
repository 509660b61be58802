// Statements and transactions on a bounded pool of connections: each prepared, each with a deadline, each failure ours.

import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Pool, type PoolClient, type QueryResult } from 'pg';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { StoredRow } from '../stored-row.ts';
import { type PostgresAddress, postgresLabel } from './postgres-address.ts';
import { connectionConfig, type PostgresAccess } from './postgres-connection.ts';
import { isConflict, isStatementFault, postgresFault } from './postgres-fault.ts';

/** What a statement is given, in the order of $1, $2 … */
export type Values = readonly (string | number | boolean | null | readonly (string | number | null)[])[];

/** Statements, one at a time or within a transaction. */
export interface Statements {
  all(sql: string, values?: Values): Promise<readonly StoredRow[]>;
  get(sql: string, values?: Values): Promise<StoredRow | undefined>;
  /** Gives how many rows changed. */
  run(sql: string, values?: Values): Promise<number>;
}

/**
 * What asks for parts of the audit is planned for its values each time: for a plan that knows none, which PostgreSQL looks at from the sixth time on
 * of a statement with a name, it locks every part with all of its indexes (postgres-audit-parts.ts).
 */
const asksForParts = /\b(?:from|into|join) audit\b/i;

/** What a transaction that is refused for another one waits before it begins again; the last one gives up. */
const conflictDelaysMs = [5, 20, 80];

export class PostgresDatabase implements Statements, AsyncDisposable {
  readonly label: string;
  readonly #limits: Limits;
  readonly #pool: Pool;
  /** The texts are constants of this folder, so what a connection prepares is bounded by the code. */
  readonly #names = new Map<string, string>();
  readonly #sockets = new Set<Socket>();
  #closing: Promise<void> | undefined;

  constructor(address: PostgresAddress, access: PostgresAccess) {
    this.label = postgresLabel(address);
    this.#limits = access.limits ?? defaultLimits;
    this.#pool = new Pool({
      ...connectionConfig(address, access),
      stream: () => this.#socket(),
      max: this.#limits.storeConnectionsMax,
      idleTimeoutMillis: this.#limits.storeConnectionIdleMs,
    });
    // A connection that ends while nobody uses it is gone from the pool already; the next statement makes another.
    this.#pool.on('error', () => {});
    // One that is lent tells its statements, and this event too, which would end the process if nobody heard it.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  all(sql: string, values: Values = []): Promise<readonly StoredRow[]> {
    return this.#lend('read', async (client) => (await this.#prepared(client, sql, values)).rows);
  }

  async get(sql: string, values: Values = []): Promise<StoredRow | undefined> {
    return (await this.all(sql, values))[0];
  }

  run(sql: string, values: Values = []): Promise<number> {
    return this.#lend('written', (client) =>
      withoutWarning(client, async () => (await this.#prepared(client, sql, values)).rowCount ?? 0),
    );
  }

  /**
   * Runs `body` in one transaction of READ COMMITTED; a throw undoes it all. What loses against another transaction runs again, so
   * `body` does nothing beside its statements.
   */
  async transaction<T>(body: (statements: Statements) => Promise<T>): Promise<T> {
    for (const delayMs of conflictDelaysMs) {
      try {
        return await this.#transactOnce(body);
      } catch (error) {
        if (!(error instanceof ProxyError && isConflict(error.cause))) throw error;
      }
      await wait(delayMs);
    }
    return await this.#transactOnce(body);
  }

  #transactOnce<T>(body: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#lend('written', async (client) => {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
      try {
        const result = await body(this.#statementsOn(client));
        await commit(client);
        return result;
      } catch (error) {
        // A connection that may still be busy is not asked again; whoever gets the error ends it.
        if (isStatementFault(error) || error instanceof ProxyError) await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  /** Several statements without values in one transaction, as migrations are; `timeoutMs` is for each. */
  script<T>(timeoutMs: number, body: (run: ScriptRun) => Promise<T>): Promise<T> {
    return this.#lend('written', async (client) => {
      const run: ScriptRun = async (text, values = []) =>
        (await client.query({
          text,
          values: values.map(withoutNul),
          query_timeout: timeoutMs,
        } as never)) as QueryResult<StoredRow>;
      await run(`BEGIN; SET LOCAL statement_timeout = ${timeoutMs}; SET LOCAL lock_timeout = ${timeoutMs}`);
      try {
        const result = await body(run);
        await commit(client);
        return result;
      } catch (error) {
        if (isStatementFault(error) || error instanceof ProxyError) await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  #statementsOn(client: PoolClient): Statements {
    const all: Statements['all'] = async (sql, values = []) =>
      (await this.#prepared(client, sql, values)).rows;
    return {
      all,
      get: async (sql, values) => (await all(sql, values))[0],
      run: async (sql, values = []) => (await this.#prepared(client, sql, values)).rowCount ?? 0,
    };
  }

  #prepared(client: PoolClient, text: string, values: Values): Promise<QueryResult<StoredRow>> {
    const given = values.map(withoutNul);
    if (asksForParts.test(text)) return client.query<StoredRow>({ text, values: given });
    let name = this.#names.get(text);
    if (name === undefined) {
      name = createHash('sha256').update(text).digest('hex').slice(0, 32);
      this.#names.set(text, name);
    }
    return client.query<StoredRow>({ name, text, values: given });
  }

  /** Waits for the statements that run, and for a server that says nothing no longer than a while. Closing twice is harmless. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, this.#limits.storeStopTimeoutMs);
    await this.#pool.end();
    clearTimeout(timer);
  }

  /** The client waits for the server's end of a connection without a bound. */
  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  async #lend<T>(verb: string, action: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    let isSound = false;
    try {
      if (this.#pool.waitingCount >= this.#limits.storeWaitingMax)
        throw new Error(`${this.#limits.storeWaitingMax} statements wait for a connection already`);
      client = await this.#pool.connect();
      const result = await action(client);
      isSound = true;
      return result;
    } catch (error) {
      isSound = isStatementFault(error) || error instanceof ProxyError;
      throw postgresFault(this.label, verb, error);
    } finally {
      // One whose statement was given up may still run it: it is ended, and never lent again.
      client?.release(!isSound);
    }
  }
}

export type ScriptRun = (text: string, values?: Values) => Promise<QueryResult<StoredRow>>;

/** PostgreSQL's text has no NUL; what a workload writes into a reason may have one. */
function withoutNul(value: Values[number]): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
  return Array.isArray(value) ? value.map(withoutNul) : value;
}

/** A transaction that had failed is rolled back by its COMMIT, without an error. */
async function commit(client: PoolClient): Promise<void> {
  const { command } = await withoutWarning(client, () => client.query('COMMIT'));
  if (command !== 'COMMIT') throw new Error('the transaction had failed, and was undone');
}

/** Of the class "warning" (PostgreSQL, appendix A); the word beside it is in the language of the server. */
const warningClass = '01';

/**
 * What stores something: a warning means that the server gave up waiting for its standby, so what was written may be lost with this
 * server.
 */
async function withoutWarning<T>(client: PoolClient, action: () => Promise<T>): Promise<T> {
  let warning: string | undefined;
  const onNotice = (notice: {
    readonly code?: string | undefined;
    readonly message?: string | undefined;
  }): void => {
    if (notice.code?.startsWith(warningClass) === true) warning = notice.message ?? 'a warning';
  };
  client.on('notice', onNotice);
  try {
    const result = await action();
    if (warning !== undefined) throw new Error(`it is uncertain whether it was stored: ${warning}`);
    return result;
  } finally {
    client.off('notice', onNotice);
  }
}
