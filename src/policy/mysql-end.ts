// `protocol: mysql` of a rule, compiled: what a client may begin a session with, and how the gateway may log in.

/** How a password is shown to a server of MySQL or MariaDB. The order is that of what is tried first. */
export const mysqlLoginMethods = [
  'caching_sha2_password',
  'client_ed25519',
  'mysql_native_password',
] as const;
export type MysqlLoginMethod = (typeof mysqlLoginMethods)[number];

export interface MysqlEnd {
  readonly protocol: 'mysql';
  /** That a client may begin with or change to by its own command; the first is the one that it gets when it asks for none. Empty: any. */
  readonly databases: readonly string[];
  /** That the server may ask for. */
  readonly authentication: readonly MysqlLoginMethod[];
  /** Also where the server has no TLS. */
  readonly allowsPlaintext: boolean;
}

export function mysqlText({ databases, authentication, allowsPlaintext }: MysqlEnd): string {
  return [
    databases.length === 0 ? 'any database' : databases.join(', '),
    `by ${authentication.join(', ')}`,
    ...(allowsPlaintext ? ['also without TLS'] : []),
  ].join(' ');
}

export function mysqlCovers(outer: MysqlEnd, inner: MysqlEnd): boolean {
  return (
    (outer.databases.length === 0 ||
      (inner.databases.length > 0 && inner.databases.every((one) => outer.databases.includes(one)))) &&
    inner.authentication.every((one) => outer.authentication.includes(one)) &&
    (outer.allowsPlaintext || !inner.allowsPlaintext)
  );
}
