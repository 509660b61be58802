// A PostgreSQL with a password, the gateway's request path in front of it, and a port of loopback that stands for the network of a jail.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import {
  openRequestPath,
  type RequestPath,
  type RequestPathOptions,
} from '../../gateway/support/request-path.ts';
import {
  type PostgresServer,
  type PostgresServerOptions,
  startPostgres,
} from '../../support/postgres-server.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openClientPort } from './client-port.ts';

export const host = 'db.test';
/** Of the role that rules log in as: what may be nowhere on the client's side. */
export const password = 'canary-9Qx7-of-the-database';

export interface PostgresScene extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly path: RequestPath;
  /** Where clients connect to. */
  readonly port: number;
  /** All that the gateway sent to clients, in the order in which it came. */
  readonly received: Buffer[];
  /** Of the rule with these keys of `postgres`, or of the whole policy. */
  setRule(postgres?: string, more?: string): void;
  /** The same on a connection of TCP as another session. */
  open(principal: string): Duplex;
  /** Which session new connections are of. */
  principal: string;
}

export interface SceneOptions {
  readonly postgres?: PostgresServerOptions;
  readonly authentication?: 'scram-sha-256' | 'md5' | 'password';
  /** Of the rule. */
  readonly rule?: string;
  readonly more?: string;
  readonly withoutTls?: boolean;
  readonly path?: Partial<RequestPathOptions>;
}

/** One server can serve several scenes: its roles are made once. */
export async function startServer({
  authentication = 'scram-sha-256',
  withoutTls = false,
  postgres = {},
}: SceneOptions = {}): Promise<
  { readonly server: PostgresServer; readonly caPem: string } & AsyncDisposable
> {
  const authority = createTestAuthority();
  const { cert, key } = authority.issue(host);
  const kind = withoutTls ? 'hostnossl' : 'hostssl';
  const server = await startPostgres({
    access: [
      `${kind} all agent 127.0.0.1/32 ${authentication}`,
      `${kind} all md5er 127.0.0.1/32 md5`,
      `${kind} all clear 127.0.0.1/32 password`,
      `${kind} all trusted 127.0.0.1/32 trust`,
    ],
    ...(withoutTls ? {} : { identity: { certificatePem: cert, keyPem: key } }),
    ...postgres,
  });
  await server.run(
    [
      `CREATE ROLE agent LOGIN PASSWORD '${password}'`,
      `CREATE ROLE clear LOGIN PASSWORD '${password}'`,
      `CREATE ROLE trusted LOGIN`,
      `CREATE ROLE other`,
      `GRANT other TO agent`,
      `SET password_encryption = 'md5'`,
      `CREATE ROLE md5er LOGIN PASSWORD '${password}'`,
    ].join(';'),
  );
  await server.run('CREATE DATABASE orders OWNER agent');
  return { server, caPem: authority.caPem, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export async function openScene(
  { server, caPem }: { readonly server: PostgresServer; readonly caPem: string },
  options: SceneOptions = {},
): Promise<PostgresScene> {
  const policyOf = (postgres = 'databases: orders', more = 'inject: agent'): string =>
    `rules: [{ name: orders-db, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, protocol: postgres, postgres: { ${postgres} }, ${more} }]`;
  const login = (username: string) => ({ kind: 'login', username, source: { env: 'DB_PASSWORD' } }) as const;
  const path = openRequestPath({
    policy: policyOf(options.rule, options.more),
    hosts: [host],
    trust: [caPem],
    credentials: {
      agent: login('agent'),
      md5er: login('md5er'),
      clear: login('clear'),
      trusted: login('trusted'),
      wrong: { kind: 'login', username: 'agent', source: { env: 'WRONG_PASSWORD' } },
    },
    environment: { DB_PASSWORD: password, WRONG_PASSWORD: 'canary-of-no-role' },
    ...options.path,
  });
  const scene = { principal: 'alice' };
  const clients = await openClientPort(
    () => path.open({ authority: `${host}:${server.port}`, mode: 'raw' }, scene.principal).socket,
  );
  return Object.assign(scene, {
    server,
    path,
    port: clients.port,
    received: clients.received,
    setRule: (postgres?: string, more?: string) => {
      path.setPolicy(policyOf(postgres, more));
    },
    open: (principal: string) =>
      path.open({ authority: `${host}:${server.port}`, mode: 'raw' }, principal).socket,
    [Symbol.asyncDispose]: async () => {
      await clients[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
    },
  });
}

/** A socket to the port of the scene. */
export async function connectTo({ port }: PostgresScene): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
