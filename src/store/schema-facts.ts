// The numbers of both engines' schemas, for who asks what a release changes.

import type { Migration } from './schema-version.ts';
import { migrations as postgresMigrations } from './postgres/postgres-schema.ts';
import { migrations as sqliteMigrations } from './sqlite/sqlite-schema.ts';

export interface SchemaFacts {
  readonly schema: number;
  readonly servesFrom: number;
  readonly migratesFrom: number;
}

/** Of what this program brings a store to, and from where. */
export const schemaFacts: { readonly sqlite: SchemaFacts; readonly postgres: SchemaFacts } = {
  sqlite: factsOf(sqliteMigrations),
  postgres: factsOf(postgresMigrations),
};

function factsOf(migrations: readonly Migration[]): SchemaFacts {
  const schema = migrations.at(-1)?.version ?? 0;
  // A step that waits until older gateways are gone stands in the way of none of them, and neither do those behind it.
  const waiting = migrations.findIndex(({ waits }) => waits === true);
  const soon = waiting === -1 ? migrations : migrations.slice(0, waiting);
  const servesFrom = soon.at(-1)?.servesFrom ?? 0;
  return { schema, servesFrom, migratesFrom: migrations[0]?.version ?? 0 };
}
