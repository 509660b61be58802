// `postgres` of a rule as it is written, to how its connections are ended.

import type { RuleDocument } from './policy-schema.ts';
import type { PostgresEnd } from './postgres-end.ts';
import { readOnlyKinds, ruleStatementKinds, type StatementRule } from './postgres-statements.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

export function compilePostgres({ postgres }: RuleDocument, report: Report): PostgresEnd | undefined {
  if (postgres === undefined) {
    report(['protocol'], 'the rule does not say which databases; write postgres: { databases: orders }');
    return undefined;
  }
  const [first, ...others] = new Set(asList(postgres.databases));
  if (first === undefined) return undefined;
  const parameters: Record<string, string> = {};
  for (const [name, value] of Object.entries(postgres.parameters ?? {})) {
    const key = name.toLowerCase();
    if (Object.hasOwn(parameters, key))
      report(['postgres', 'parameters', name], `the setting ${key} stands twice; remove one`);
    parameters[key] = String(value);
  }
  const statements = compileStatements(postgres, report);
  return {
    protocol: 'postgres',
    databases: [first, ...others],
    parameters,
    authentication:
      postgres.authentication === undefined
        ? ['scram-sha-256']
        : [...new Set(asList(postgres.authentication))],
    clientAuthentication: postgres.clientAuthentication ?? 'none',
    ...(statements === undefined ? {} : { statements }),
    allowsPlaintext: postgres.dangerouslyAllowPlaintext === true,
  };
}

type PostgresDocument = NonNullable<RuleDocument['postgres']>;

function compileStatements(
  { statements, readOnly, recordStatements }: PostgresDocument,
  report: Report,
): StatementRule | undefined {
  const isReadOnly = readOnly === true;
  if (statements === undefined && !isReadOnly)
    return recordStatements === true ? { allowed: undefined, isReadOnly } : undefined;
  const written = statements === undefined ? ruleStatementKinds : asList(statements);
  const allowed = isReadOnly ? written.filter((kind) => readOnlyKinds.includes(kind)) : written;
  if (allowed.length === 0)
    report(
      ['postgres', 'statements'],
      `none of them only reads, so readOnly: true leaves nothing; it goes with ${readOnlyKinds.join(' and ')}`,
    );
  return { allowed: [...new Set(allowed)], isReadOnly };
}
