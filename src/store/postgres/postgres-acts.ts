// Acts of operators in PostgreSQL: done by functions in the name of a login, and taken up by gateways.

import { ProxyError } from '../../protocol/error.ts';
import type { AccessStore } from '../access-store.ts';
import type { ActStore, OperatorAct } from '../act-store.ts';
import { filesAsJson } from '../policy-row.ts';
import type { PolicyStore } from '../policy-store.ts';
import type { SessionStore, Store } from '../store.ts';
import { integerOf, type StoredRow, textOf } from '../stored-row.ts';
import type { PostgresDatabase, Values } from './postgres-database.ts';

export class PostgresActs implements ActStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async take(taker: string, limit: number): Promise<readonly OperatorAct[]> {
    const free = `taken_at IS NULL OR taken_at < clock_timestamp() - interval '1 minute'`;
    // Nearly always there is none, and reading takes no lock.
    if ((await this.#database.get(`SELECT 1 AS found FROM operator_act WHERE ${free} LIMIT 1`)) === undefined)
      return [];
    const rows = await this.#database.all(
      `WITH taken AS (UPDATE operator_act SET taken_by = $1, taken_at = clock_timestamp() WHERE sequence IN (
         SELECT sequence FROM operator_act WHERE ${free} ORDER BY sequence LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING sequence, id, at_ms, event)
       SELECT id, at_ms, event, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms FROM taken ORDER BY sequence`,
      [taker, limit],
    );
    return rows.map((row) => readAct(row) ?? damagedAct(row));
  }

  async recorded(ids: readonly string[]): Promise<void> {
    await this.#database.run('DELETE FROM operator_act WHERE id = ANY ($1::text[])', [ids]);
  }
}

/** Made by the functions alone; each field is looked at all the same. Undefined for what they never make. */
function readAct(row: StoredRow): OperatorAct | undefined {
  const { id, at_ms: atMs, event } = row;
  const { action, message, sessionId, principal, details } = objectOf(event);
  if (typeof id !== 'string' || typeof action !== 'string' || typeof message !== 'string') return undefined;
  if (typeof atMs !== 'number' || Number.isNaN(new Date(atMs).getTime())) return undefined;
  return {
    id,
    atMs,
    action,
    message,
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
    ...(typeof principal === 'string' ? { principal } : {}),
    details: Object.fromEntries(
      Object.entries(typeof details === 'object' && details !== null ? details : {}).filter(
        ([, value]) => value !== null,
      ),
    ),
  };
}

function damagedAct(row: StoredRow): OperatorAct {
  const id = textOf(row, 'id');
  return {
    id,
    atMs: integerOf(row, 'now_ms'),
    action: 'act_unreadable',
    message:
      'An operator did something by a login of their own, and the store does not say any more what it was.',
    details: { id },
    isDamaged: true,
  };
}

function objectOf(text: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(String(text));
    // Fields of it are looked at one by one.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The store as the login may use it: as it is for a gateway's role, by acts for one of an operator. */
export async function storeOfOperator(store: Store, database: PostgresDatabase): Promise<Store> {
  const row = await database.get(
    `SELECT session_user::text AS login, has_table_privilege('audit', 'INSERT') AS writes,
       has_function_privilege('operator_revoke_session(text, text, text)', 'EXECUTE') AS acts`,
  );
  if (row?.['writes'] === true || row?.['acts'] !== true) return store;
  const call = async (name: string, values: Values): Promise<string> => {
    const places = values.map((_, at) => `$${at + 1}`).join(', ');
    return textOf(
      (await database.get(`SELECT ${name}(${places}, NULL) AS outcome`, values)) ?? {},
      'outcome',
    );
  };
  return {
    ...store,
    actsAs: textOf(row, 'login'),
    sessions: withMethods<SessionStore>(store.sessions, {
      end: async (id, { reason }) => (await call('operator_revoke_session', [id, reason])) === 'revoked',
    }),
    access: withMethods<AccessStore>(store.access, accessByActs(call)),
    policies: withMethods<PolicyStore>(store.policies, policiesByActs(store.policies, call)),
  };
}

type Call = (name: string, values: Values) => Promise<string>;

function accessByActs(call: Call): Pick<AccessStore, 'grant' | 'deny' | 'revoke'> {
  return {
    grant: async (id, { scope, subject, refs, endsMs }, { nowMs, note }) => {
      if (refs !== undefined)
        throw new ProxyError(
          'usage',
          'a login of its own cannot grant for refs alone; ask the admin API for that',
        );
      const outcome = await call('operator_grant_access', [id, scope, subject, endsMs - nowMs, note ?? null]);
      return done(outcome) === 'granted';
    },
    deny: async (id, { note }) =>
      done(await call('operator_close_access', [id, 'denied', note ?? null])) === 'denied',
    revoke: async (id, { note }) =>
      done(await call('operator_close_access', [id, 'revoked', note ?? null])) === 'revoked',
  };
}

function policiesByActs(policies: PolicyStore, call: Call): Pick<PolicyStore, 'publish'> {
  const latest = async (policy: string) => (await policies.published()).find((one) => one.policy === policy);
  return {
    publish: async ({ policy, files, version, binding, note, backTo }, seen) => {
      const outcome = done(
        await call('operator_publish_policy', [
          policy,
          filesAsJson(files),
          version,
          binding === undefined ? null : JSON.stringify(binding),
          seen,
          note ?? null,
          backTo ?? null,
        ]),
      );
      if (outcome === 'too_many_policies') return { kind: 'too_many_policies' };
      const published = outcome === 'published' ? await policies.find(policy, seen + 1) : undefined;
      return published === undefined
        ? { kind: 'changed', published: await latest(policy) }
        : { kind: 'published', version: published };
    },
  };
}

/** The functions check what they are given by themselves: any login can call them with anything. */
function done(outcome: string): string {
  if (outcome === 'usage')
    throw new ProxyError(
      'usage',
      'the database does not take that: see its bounds in the reference of the store',
    );
  return outcome;
}

/** Methods of the engine's classes have private parts, so that they are called on what has them. */
function withMethods<Part extends object>(part: Part, methods: Partial<Part>): Part {
  return new Proxy(part, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function'
        ? (...given: unknown[]): unknown => Reflect.apply(value, name in methods ? methods : target, given)
        : value;
    },
  });
}
