// `protocol: postgres` of a rule, compiled: what a client may begin a session with, and how the gateway may log in.

import { type StatementRule, statementsCover, statementsText } from './postgres-statements.ts';

/** How a password is shown to a server of PostgreSQL. */
export const postgresLoginMethods = ['scram-sha-256', 'md5', 'cleartext'] as const;
export type PostgresLoginMethod = (typeof postgresLoginMethods)[number];

/** How a client logs in to the gateway, which keeps nobody out: whose session it is, is known. */
export const postgresClientAuthentications = ['none', 'scram-sha-256'] as const;
export type PostgresClientAuthentication = (typeof postgresClientAuthentications)[number];

export interface PostgresEnd {
  readonly protocol: 'postgres';
  /** That a client may ask for; the first is the one that it gets when it asks for none. */
  readonly databases: readonly [string, ...string[]];
  /** Settings that the session begins with, whatever the client asks for. */
  readonly parameters: Readonly<Record<string, string>>;
  /** That the server may ask for. */
  readonly authentication: readonly PostgresLoginMethod[];
  /** What clients are asked for: where it is SCRAM, the placeholder of the credential. */
  readonly clientAuthentication: PostgresClientAuthentication;
  /** Absent: they pass unread. */
  readonly statements?: StatementRule;
  /** Also where the server has no TLS. */
  readonly allowsPlaintext: boolean;
}

export function postgresText({
  databases,
  parameters,
  authentication,
  clientAuthentication,
  statements,
  allowsPlaintext,
}: PostgresEnd): string {
  const settings = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  return [
    databases.join(', '),
    ...(settings.length === 0 ? [] : [`with ${settings.join(', ')}`]),
    `by ${authentication.join(', ')}`,
    ...(clientAuthentication === 'none' ? [] : [`with clients that log in by ${clientAuthentication}`]),
    ...(statements === undefined ? [] : [statementsText(statements)]),
    ...(allowsPlaintext ? ['also without TLS'] : []),
  ].join(' ');
}

export function postgresCovers(outer: PostgresEnd, inner: PostgresEnd): boolean {
  return (
    inner.databases.every((one) => outer.databases.includes(one)) &&
    inner.authentication.every((one) => outer.authentication.includes(one)) &&
    Object.entries(outer.parameters).every(([name, value]) => inner.parameters[name] === value) &&
    statementsCover(outer.statements, inner.statements) &&
    (outer.allowsPlaintext || !inner.allowsPlaintext)
  );
}
