// The mark of a store whose state went to another one: from then on no program writes it, of whatever version, be it running or not.

import { ProxyError } from '../../protocol/error.ts';
import { integerOf, textOf } from '../stored-row.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Above every version of a schema: programs that do not know the mark refuse the store. */
const movedVersion = 1_000_000_000;

export interface MoveMark {
  /** Names this move. */
  readonly id: string;
  /** The URL of the store that has its state, without a secret. */
  readonly to: string;
  readonly atMs: number;
}

export function moveMarkOf(database: SqliteDatabase): MoveMark | undefined {
  const table = database.get(
    `SELECT 1 AS known FROM sqlite_schema WHERE type = 'table' AND name = 'store_moved'`,
  );
  const row = table === undefined ? undefined : database.get('SELECT id, moved_to, at_ms FROM store_moved');
  return row === undefined
    ? undefined
    : { id: textOf(row, 'id'), to: textOf(row, 'moved_to'), atMs: integerOf(row, 'at_ms') };
}

/**
 * Marks the store, unless it is, and gives the mark that holds. Triggers refuse what programs write that have it open.
 * @throws ProxyError store_unavailable
 */
export function markMoved(database: SqliteDatabase, mark: MoveMark): MoveMark {
  return database.transaction(() => {
    const earlier = moveMarkOf(database);
    if (earlier !== undefined) return earlier;
    const tables = database
      .all(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`)
      .map((row) => textOf(row, 'name'));
    database.run('UPDATE schema_version SET version = :version, serves_from = :version', {
      version: movedVersion,
    });
    database.script(
      'CREATE TABLE store_moved (id TEXT NOT NULL, moved_to TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT',
    );
    database.run('INSERT INTO store_moved VALUES (:id, :to, :atMs)', { ...mark });
    const said = `'it was moved to ${mark.to.replaceAll("'", "''")}'`;
    for (const table of [...tables, 'store_moved'])
      for (const change of ['INSERT', 'UPDATE', 'DELETE'])
        database.script(
          `CREATE TRIGGER moved_${table}_${change.toLowerCase()} BEFORE ${change} ON ${table}
           BEGIN SELECT RAISE(ABORT, ${said}); END`,
        );
    return mark;
  });
}

export function movedError(path: string, { to, atMs }: MoveMark): ProxyError {
  return new ProxyError(
    'store_unavailable',
    `The store ${path} was moved to ${to} on ${new Date(atMs).toISOString()} and is written no more; name that one under store.`,
  );
}
