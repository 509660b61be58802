// Published policies in SQLite.

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
import type { SqliteDatabase } from './sqlite-database.ts';

export class SqlitePolicies implements PolicyStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async publish(version: NewPolicyVersion, seen: number, bounds: PublishBounds): Promise<PublishOutcome> {
    const { policy, files } = version;
    const hash = hashOfFiles(files);
    return this.#database.transaction((): PublishOutcome => {
      const published = this.#latest(policy);
      if ((published?.number ?? 0) !== seen) return { kind: 'changed', published };
      if (published === undefined && this.#names() >= bounds.policiesMax)
        return { kind: 'too_many_policies' };
      const number = seen + 1;
      this.#database.run(
        'INSERT INTO policy_content (hash, files) VALUES (:hash, :files) ON CONFLICT (hash) DO NOTHING',
        { hash, files: filesAsJson(files) },
      );
      this.#insert(version, number, hash);
      this.#forget(policy, number - bounds.policyVersionsMax);
      return { kind: 'published', version: this.#require(policy, number) };
    });
  }

  #insert(version: NewPolicyVersion, number: number, hash: string): void {
    const { policy, files, binding, note = null, backTo = null, publishedMs, publishedBy } = version;
    this.#database.run(
      `INSERT INTO policy_version (policy, number, hash, version, binding, is_withdrawn, published_ms, published_by, note, back_to)
       VALUES (:policy, :number, :hash, :version, :binding, :isWithdrawn, :publishedMs, :publishedBy, :note, :backTo)`,
      {
        policy,
        number,
        hash,
        version: version.version,
        binding: binding === undefined ? null : JSON.stringify(binding),
        isWithdrawn: files.length === 0 ? 1 : 0,
        publishedMs,
        publishedBy,
        note,
        backTo,
      },
    );
  }

  /** Versions up to that number, and the files that no other version has. */
  #forget(policy: string, through: number): void {
    if (through < 1) return;
    this.#database.run('DELETE FROM policy_version WHERE policy = :policy AND number <= :through', {
      policy,
      through,
    });
    this.#database.run('DELETE FROM policy_content WHERE hash NOT IN (SELECT hash FROM policy_version)');
  }

  #names(): number {
    const row = this.#database.get('SELECT count(DISTINCT policy) AS count FROM policy_version');
    return row === undefined ? 0 : integerOf(row, 'count');
  }

  #latest(policy: string): PolicyVersion | undefined {
    const row = this.#database.get(
      'SELECT * FROM policy_version WHERE policy = :policy ORDER BY number DESC LIMIT 1',
      { policy },
    );
    return row === undefined ? undefined : policyVersionOf(row);
  }

  #require(policy: string, number: number): PolicyVersion {
    const row = this.#database.get(
      'SELECT * FROM policy_version WHERE policy = :policy AND number = :number',
      {
        policy,
        number,
      },
    );
    return policyVersionOf(row ?? {});
  }

  async published(): Promise<readonly PolicyVersion[]> {
    return this.#database
      .all(
        `SELECT * FROM policy_version AS one
         WHERE number = (SELECT max(number) FROM policy_version WHERE policy = one.policy) ORDER BY policy`,
      )
      .map(policyVersionOf);
  }

  async find(policy: string, number: number): Promise<PolicyVersion | undefined> {
    const row = this.#database.get(
      'SELECT * FROM policy_version WHERE policy = :policy AND number = :number',
      {
        policy,
        number,
      },
    );
    return row === undefined ? undefined : policyVersionOf(row);
  }

  async history({ policy, before, limit }: PolicyHistoryQuery): Promise<readonly PolicyVersion[]> {
    return this.#database
      .all(
        `SELECT * FROM policy_version
         WHERE (:policy IS NULL OR policy = :policy) AND (:before IS NULL OR number < :before)
         ORDER BY published_ms DESC, policy, number DESC LIMIT :limit`,
        { policy: policy ?? null, before: before ?? null, limit },
      )
      .map(policyVersionOf);
  }

  async files(hash: string): Promise<readonly PolicyText[] | undefined> {
    const row = this.#database.get('SELECT files FROM policy_content WHERE hash = :hash', { hash });
    return row === undefined ? undefined : filesOf(row);
  }

  async note(
    { policy, number, gatewayId, state, reason, atMs }: PolicyOutcome,
    { outcomesMax: max }: { readonly outcomesMax: number },
  ): Promise<void> {
    this.#database.transaction(() => {
      // Selected from the versions: one that was forgotten meanwhile has no row to refer to.
      this.#database.run(
        `INSERT INTO policy_outcome (policy, number, gateway_id, state, reason, at_ms)
         SELECT policy, number, :gatewayId, :state, :reason, :atMs FROM policy_version
           WHERE policy = :policy AND number = :number
         ON CONFLICT (policy, number, gateway_id) DO UPDATE SET state = :state, reason = :reason, at_ms = :atMs`,
        { policy, number, gatewayId, state, reason: reason ?? null, atMs },
      );
      this.#database.run(
        `DELETE FROM policy_outcome WHERE policy = :policy AND number = :number AND gateway_id IN (
           SELECT gateway_id FROM policy_outcome WHERE policy = :policy AND number = :number
           ORDER BY at_ms DESC, gateway_id LIMIT -1 OFFSET :max)`,
        { policy, number, max },
      );
    });
  }

  async outcomes(policy: string, number: number): Promise<readonly PolicyOutcome[]> {
    return this.#database
      .all(
        `SELECT * FROM policy_outcome WHERE policy = :policy AND number = :number
         ORDER BY at_ms DESC, gateway_id`,
        { policy, number },
      )
      .map(policyOutcomeOf);
  }

  async keep(
    { version, content, seenMs }: KeptPolicy,
    { keptMax: max }: { readonly keptMax: number },
  ): Promise<void> {
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO policy_kept (version, content, seen_ms) VALUES (:version, :content, :seenMs)
         ON CONFLICT (version) DO UPDATE SET seen_ms = max(seen_ms, :seenMs)`,
        { version, content, seenMs },
      );
      this.#database.run(
        `DELETE FROM policy_kept WHERE version IN (
           SELECT version FROM policy_kept ORDER BY seen_ms DESC, version LIMIT -1 OFFSET :max)`,
        { max },
      );
    });
  }

  async kept(version: string): Promise<KeptPolicy | undefined> {
    const row = this.#database.get('SELECT * FROM policy_kept WHERE version = :version', { version });
    return row === undefined ? undefined : keptPolicyOf(row);
  }
}
