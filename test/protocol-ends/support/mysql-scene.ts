// A MariaDB with a password, the gateway's request path in front of it, and a port of loopback that stands for the network of a jail.

import {
  openRequestPath,
  type RequestPath,
  type RequestPathOptions,
} from '../../gateway/support/request-path.ts';
import { type MariadbServer, startMariadb } from '../../support/mariadb-server.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openClientPort } from './client-port.ts';

export const host = 'orders-db.test';
/** Of the users that rules log in as: what may be nowhere on the client's side. */
export const password = 'canary-4Rt9-of-the-orders';

export interface MysqlScene extends AsyncDisposable {
  readonly server: MariadbServer;
  readonly path: RequestPath;
  /** Where clients of the session connect to, and those of another one. */
  readonly port: number;
  readonly otherPort: number;
  /** All that the gateway sent to clients, in the order in which it came. */
  readonly received: Buffer[];
  /** Of the rule with these keys. */
  setRule(mysql?: string, inject?: string): void;
}

export interface StartedMariadb extends AsyncDisposable {
  readonly server: MariadbServer;
  readonly caPem: string;
}

/** The same rights for each way to log in. */
export async function startMysqlServer({ withoutTls = false } = {}): Promise<StartedMariadb> {
  const authority = createTestAuthority();
  const { cert, key } = authority.issue(host);
  const users = [
    ['agent', `IDENTIFIED BY '${password}'`],
    ['signer', `IDENTIFIED VIA ed25519 USING PASSWORD('${password}')`],
  ] as const;
  const server = await startMariadb({
    sql: [
      'CREATE DATABASE orders; CREATE DATABASE other; CREATE TABLE orders.t (id INT PRIMARY KEY, name VARCHAR(100))',
      ...users.flatMap(([name, how]) => [
        `CREATE USER '${name}'@'127.0.0.1' ${how}`,
        `GRANT ALL ON *.* TO '${name}'@'127.0.0.1'`,
      ]),
    ],
    ...(withoutTls ? {} : { identity: { certificatePem: cert, keyPem: key } }),
  });
  return { server, caPem: authority.caPem, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export async function openMysqlScene(
  { server, caPem }: Pick<StartedMariadb, 'server' | 'caPem'>,
  more: Partial<RequestPathOptions> = {},
): Promise<MysqlScene> {
  const policyOf = (mysql = '{ databases: [orders, test] }', inject = 'inject: agent'): string =>
    `rules: [{ name: db, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, protocol: mysql, mysql: ${mysql}, ${inject} }]`;
  const login = (username: string, env = 'MYSQL_PASSWORD') =>
    ({ kind: 'login', username, source: { env } }) as const;
  const path = openRequestPath({
    policy: policyOf(),
    hosts: [host],
    trust: [caPem],
    credentials: {
      agent: login('agent'),
      signer: login('signer'),
      wrong: login('agent', 'WRONG_PASSWORD'),
    },
    environment: { MYSQL_PASSWORD: password, WRONG_PASSWORD: 'canary-of-no-user' },
    ...more,
  });
  const open = (principal: string) => () =>
    path.open({ authority: `${host}:${String(server.port)}`, mode: 'raw' }, principal).socket;
  const clients = await openClientPort(open('alice'));
  const others = await openClientPort(open('bob'));
  return {
    server,
    path,
    port: clients.port,
    otherPort: others.port,
    received: clients.received,
    setRule: (mysql?: string, inject?: string) => {
      path.setPolicy(policyOf(mysql, inject));
    },
    [Symbol.asyncDispose]: async () => {
      await clients[Symbol.asyncDispose]();
      await others[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
    },
  };
}
