// A Redis with a password, the gateway's request path in front of it, and a port of loopback that stands for the network of a jail.

import {
  openRequestPath,
  type RequestPath,
  type RequestPathOptions,
} from '../../gateway/support/request-path.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openClientPort } from './client-port.ts';

export const host = 'cache.test';
/** Of the user that rules log in as: what may be nowhere on the client's side. */
export const password = 'canary-7Kp2-of-the-cache';

export interface RedisScene extends AsyncDisposable {
  readonly server: RedisServer;
  readonly path: RequestPath;
  /** Where clients connect to. */
  readonly port: number;
  /** All that the gateway sent to clients, in the order in which it came. */
  readonly received: Buffer[];
  /** Of the rule with these keys. */
  setRule(redis?: string, inject?: string): void;
}

/** One user may do everything, one may do next to nothing. */
export async function startRedisServer({ withoutTls = false } = {}): Promise<
  { readonly server: RedisServer; readonly caPem: string } & AsyncDisposable
> {
  const authority = createTestAuthority();
  const { cert, key } = authority.issue(host);
  const server = await startRedis({
    users: [`agent on >${password} ~* &* +@all`, `reader on >${password} ~a* +get`],
    ...(withoutTls ? {} : { identity: { certificatePem: cert, keyPem: key } }),
  });
  return { server, caPem: authority.caPem, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export async function openRedisScene(
  { server, caPem }: { readonly server: RedisServer; readonly caPem: string },
  more: Partial<RequestPathOptions> = {},
): Promise<RedisScene> {
  const policyOf = (redis = '{}', inject = 'inject: agent'): string =>
    `rules: [{ name: cache, hosts: ${host}, ports: ${server.port}, addresses: 127.0.0.0/8, protocol: redis, redis: ${redis}, ${inject} }]`;
  const login = (username: string, env = 'REDIS_PASSWORD') =>
    ({ kind: 'login', username, source: { env } }) as const;
  const path = openRequestPath({
    policy: policyOf(),
    hosts: [host],
    trust: [caPem],
    credentials: {
      agent: login('agent'),
      reader: login('reader'),
      wrong: login('agent', 'WRONG_PASSWORD'),
    },
    environment: { REDIS_PASSWORD: password, WRONG_PASSWORD: 'canary-of-no-user' },
    ...more,
  });
  const clients = await openClientPort(
    () => path.open({ authority: `${host}:${String(server.port)}`, mode: 'raw' }, 'alice').socket,
  );
  return {
    server,
    path,
    port: clients.port,
    received: clients.received,
    setRule: (redis?: string, inject?: string) => {
      path.setPolicy(policyOf(redis, inject));
    },
    [Symbol.asyncDispose]: async () => {
      await clients[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
    },
  };
}
