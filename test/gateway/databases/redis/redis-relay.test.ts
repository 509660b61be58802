// A session between a client and a server that does not speak as a server of Redis does, without a server of Redis.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';

import { RedisServer } from '../../../../src/gateway/databases/redis/redis-server.ts';
import type { EndedConnection } from '../../../../src/gateway/databases/protocol-end.ts';
import { pipeBoth, type PipedBytes } from '../../../../src/gateway/forward/pipe-both.ts';
import type { RedisEnd } from '../../../../src/policy/redis-end.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { patienceMs } from '../../../support/patience.ts';

const unused = (): never => {
  throw new Error('not asked for here');
};

/** Also what `pipeBoth` said, once it has ended. */
function connectionOf(client: Duplex, server: Duplex) {
  const piped = Promise.withResolvers<PipedBytes>();
  const connection: EndedConnection<RedisEnd> = {
    client,
    end: { protocol: 'redis', allow: ['default'], deny: [], isPlaintext: true },
    host: 'cache.test',
    port: 6379,
    rule: 'cache',
    sessionId: 'one',
    ownerId: 'one',
    limits: defaultLimits,
    startDeadline: () => ({ clear: () => undefined }),
    terminate: unused,
    login: () =>
      Promise.resolve({
        username: 'agent',
        password: new Secret('canary'),
        placeholder: 'x',
        onRejected: unused,
      }),
    key: unused,
    hold: unused,
    // Of a dial nothing else is looked at.
    dial: () => Promise.resolve({ socket: server } as Awaited<ReturnType<EndedConnection['dial']>>),
    noted: () => undefined,
    notedSsh: unused,
    record: unused,
    gitSeen: unused,
    relay: async (one, other, { throughClient, throughServer }) => {
      const throughs = { throughFirst: [throughClient], throughSecond: [throughServer] };
      piped.resolve(await pipeBoth(one, other, throughs));
    },
  };
  return { connection, piped: piped.promise };
}

test(
  'a client that goes on behind a server that does not speak Redis is told so, and ends its own session alone',
  { timeout: patienceMs },
  async () => {
    const [near, client] = duplexPair();
    const [far, server] = duplexPair();
    for (const side of [near, far, client, server]) side.on('error', () => undefined);
    const { connection, piped } = connectionOf(near, far);
    const outcome = new RedisServer((count) => new Uint8Array(count)).serve(connection);
    let told = '';
    client.on('data', (chunk: Buffer) => (told += chunk.toString()));
    client.write('PING\r\n');
    await once(server, 'data');
    server.write('+OK\r\n');
    await once(server, 'data');
    server.resume();
    server.write('garbage\r\n');
    await once(client, 'end');
    assert.match(told, /^-ERR rule cache: cache\.test does not respond as a server of Redis does/);
    client.write('PING\r\n');
    client.end('PING\r\n');
    server.end();
    const { fault } = await piped;
    assert.equal(fault, undefined);
    const said = await outcome;
    assert.equal(said.kind === 'refused' ? said.error.code : said.kind, 'origin_unreachable');
  },
);
