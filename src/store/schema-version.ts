// The two numbers of a stored schema, and what a program may do with a store that has them; the same for every engine.

import { ProxyError } from '../protocol/error.ts';

/** One step of a schema. Its script runs in one transaction with the change of the numbers. */
export interface Migration {
  /** The schema version that it leads to: one more than that of the migration before it. */
  readonly version: number;
  /** Programs that know at least this version can use the schema that it leads to. */
  readonly servesFrom: number;
  readonly script: string;
  /**
   * It leads to what programs that know less than `servesFrom` can't use, so it waits until no gateway of them is there. The store stays at the
   * version before meanwhile, and this program uses both.
   */
  readonly waits?: true;
}

/** What a store says of itself. */
export interface SchemaVersion {
  readonly version: number;
  readonly servesFrom: number;
}

/**
 * The next migration of a store, or undefined if there is none to run: it is at the program's version, or newer and still serves
 * this program. `stored` is undefined for a store that is empty. The first migration of the list makes an empty store whatever its
 * version is; stores from before it are too old.
 * @throws ProxyError store_unavailable, with what to do
 */
export function nextMigration(
  stored: SchemaVersion | undefined,
  migrations: readonly Migration[],
): Migration | undefined {
  const first = migrations[0];
  if (stored === undefined || first === undefined) return first;
  const known = migrations.at(-1)?.version ?? 0;
  if (stored.version > known) {
    if (stored.servesFrom <= known) return undefined;
    throw new ProxyError(
      'store_unavailable',
      `The store has schema version ${stored.version}, this program knows versions up to ${known}, and programs before ` +
        `version ${stored.servesFrom} are not served any more. Run the newer program that wrote it, or use another store.`,
    );
  }
  if (stored.version < first.version) {
    throw new ProxyError(
      'store_unavailable',
      `The store has schema version ${stored.version}, this program migrates stores from version ${first.version} on. ` +
        'Open it once with a release in between, then with this one.',
    );
  }
  return migrations.find(({ version }) => version === stored.version + 1);
}
