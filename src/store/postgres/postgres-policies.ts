// Published policies in PostgreSQL.

import {
  filesAsJson,
  filesOf,
  hashOfFiles,
  keptPolicyOf,
  policyOutcomeOf,
  policyVersionOf,
} from '../policy-row.ts';
import type {
  KeptPolicy,
  NewPolicyVersion,
  PolicyHistoryQuery,
  PolicyOutcome,
  PolicyStore,
  PolicyText,
  PolicyVersion,
  PublishBounds,
  PublishOutcome,
} from '../policy-store.ts';
import { integerOf } from '../stored-row.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import { lock } from './postgres-lock.ts';

const columns =
  'policy, number, hash, version, binding, is_withdrawn, published_ms, published_by, note, back_to';

export class PostgresPolicies implements PolicyStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  publish(version: NewPolicyVersion, seen: number, bounds: PublishBounds): Promise<PublishOutcome> {
    const { policy, files } = version;
    const hash = hashOfFiles(files);
    return this.#database.transaction(async (statements): Promise<PublishOutcome> => {
      // They are few, and each is judged by what all the others left.
      await lock(statements, 'policies', '');
      const published = await latest(statements, policy);
      if ((published?.number ?? 0) !== seen) return { kind: 'changed', published };
      if (published === undefined && (await names(statements)) >= bounds.policiesMax)
        return { kind: 'too_many_policies' };
      const number = seen + 1;
      await statements.run(
        'INSERT INTO policy_content (hash, files) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING',
        [hash, filesAsJson(files)],
      );
      await insert(statements, version, number, hash);
      await forget(statements, policy, number - bounds.policyVersionsMax);
      const row = await statements.get(
        `SELECT ${columns} FROM policy_version WHERE policy = $1 AND number = $2`,
        [policy, number],
      );
      // Last: whoever has the counter makes all others wait.
      await statements.run('UPDATE change_counter SET value = value + 1');
      return { kind: 'published', version: policyVersionOf(row ?? {}) };
    });
  }

  async published(): Promise<readonly PolicyVersion[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM policy_version AS one
       WHERE number = (SELECT max(number) FROM policy_version WHERE policy = one.policy) ORDER BY policy`,
    );
    return rows.map(policyVersionOf);
  }

  async find(policy: string, number: number): Promise<PolicyVersion | undefined> {
    const row = await this.#database.get(
      `SELECT ${columns} FROM policy_version WHERE policy = $1 AND number = $2`,
      [policy, number],
    );
    return row === undefined ? undefined : policyVersionOf(row);
  }

  async history({ policy, before, limit }: PolicyHistoryQuery): Promise<readonly PolicyVersion[]> {
    const rows = await this.#database.all(
      `SELECT ${columns} FROM policy_version
       WHERE ($1::text IS NULL OR policy = $1) AND ($2::bigint IS NULL OR number < $2)
       ORDER BY published_ms DESC, policy, number DESC LIMIT $3`,
      [policy ?? null, before ?? null, limit],
    );
    return rows.map(policyVersionOf);
  }

  async files(hash: string): Promise<readonly PolicyText[] | undefined> {
    const row = await this.#database.get('SELECT files FROM policy_content WHERE hash = $1', [hash]);
    return row === undefined ? undefined : filesOf(row);
  }

  async note(
    { policy, number, gatewayId, state, reason, atMs }: PolicyOutcome,
    { outcomesMax: max }: { readonly outcomesMax: number },
  ): Promise<void> {
    // Selected from the versions: one that was forgotten meanwhile has no row to refer to.
    await this.#database.run(
      `INSERT INTO policy_outcome (policy, number, gateway_id, state, reason, at_ms)
       SELECT policy, number, $3, $4, $5, $6 FROM policy_version WHERE policy = $1 AND number = $2 FOR KEY SHARE
       ON CONFLICT (policy, number, gateway_id) DO UPDATE SET
         state = excluded.state, reason = excluded.reason, at_ms = excluded.at_ms`,
      [policy, number, gatewayId, state, reason ?? null, atMs],
    );
    await this.#database.run(
      `DELETE FROM policy_outcome WHERE policy = $1 AND number = $2 AND gateway_id IN (
         SELECT gateway_id FROM policy_outcome WHERE policy = $1 AND number = $2
         ORDER BY at_ms DESC, gateway_id OFFSET $3)`,
      [policy, number, max],
    );
  }

  async outcomes(policy: string, number: number): Promise<readonly PolicyOutcome[]> {
    const rows = await this.#database.all(
      `SELECT policy, number, gateway_id, state, reason, at_ms FROM policy_outcome
       WHERE policy = $1 AND number = $2 ORDER BY at_ms DESC, gateway_id`,
      [policy, number],
    );
    return rows.map(policyOutcomeOf);
  }

  async keep(
    { version, content, seenMs }: KeptPolicy,
    { keptMax: max }: { readonly keptMax: number },
  ): Promise<void> {
    await this.#database.run(
      `INSERT INTO policy_kept AS one (version, content, seen_ms) VALUES ($1, $2, $3)
       ON CONFLICT (version) DO UPDATE SET seen_ms = greatest(one.seen_ms, excluded.seen_ms)`,
      [version, content, seenMs],
    );
    await this.#database.run(
      `DELETE FROM policy_kept WHERE version IN (
         SELECT version FROM policy_kept ORDER BY seen_ms DESC, version OFFSET $1)`,
      [max],
    );
  }

  async kept(version: string): Promise<KeptPolicy | undefined> {
    const row = await this.#database.get(
      'SELECT version, content, seen_ms FROM policy_kept WHERE version = $1',
      [version],
    );
    return row === undefined ? undefined : keptPolicyOf(row);
  }
}

async function latest(statements: Statements, policy: string): Promise<PolicyVersion | undefined> {
  const row = await statements.get(
    `SELECT ${columns} FROM policy_version WHERE policy = $1 ORDER BY number DESC LIMIT 1`,
    [policy],
  );
  return row === undefined ? undefined : policyVersionOf(row);
}

async function names(statements: Statements): Promise<number> {
  const row = await statements.get('SELECT count(DISTINCT policy) AS count FROM policy_version');
  return row === undefined ? 0 : integerOf(row, 'count');
}

async function insert(
  statements: Statements,
  { policy, files, version, binding, publishedMs, publishedBy, note, backTo }: NewPolicyVersion,
  number: number,
  hash: string,
): Promise<void> {
  await statements.run(
    `INSERT INTO policy_version (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      policy,
      number,
      hash,
      version,
      binding === undefined ? null : JSON.stringify(binding),
      files.length === 0 ? 1 : 0,
      publishedMs,
      publishedBy,
      note ?? null,
      backTo ?? null,
    ],
  );
}

/** Versions up to that number, and the files that no other version has. */
async function forget(statements: Statements, policy: string, through: number): Promise<void> {
  if (through < 1) return;
  await statements.run('DELETE FROM policy_version WHERE policy = $1 AND number <= $2', [policy, through]);
  await statements.run(
    'DELETE FROM policy_content WHERE NOT EXISTS (SELECT 1 FROM policy_version WHERE policy_version.hash = policy_content.hash)',
  );
}
