import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';

import { SyslogConnection } from '../../../src/gateway/telemetry/syslog-connection.ts';
import { createDialer, type Dialer, type DialResult } from '../../../src/net/dialer.ts';
import { createResolver } from '../../../src/net/resolver.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { syslogReceiver } from '../../support/syslog-receiver.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const authority = createTestAuthority();
const never = new AbortController().signal;
const event = (id: string, more: object = {}): string =>
  JSON.stringify({
    v: 1,
    id,
    time: '2030-01-01T00:00:00.000Z',
    kind: 'exchange',
    traceId: 'a'.repeat(32),
    verdict: 'allow',
    ...more,
  });

function connectionTo(port: number, stack: AsyncDisposableStack, ca = [authority.caPem]): SyslogConnection {
  const resolver = stack.use(createResolver({ limits: defaultLimits, hostsFile: false }));
  return stack.use(
    new SyslogConnection({
      dialer: createDialer({ resolver, trust: [], limits: defaultLimits, reachesThisMachine: true }),
      host: '127.0.0.1',
      port,
      ca,
      sender: { facility: 13, hostname: 'g', processId: 1, structuredDataId: 'upstreamproxy@32473' },
    }),
  );
}

test('batches go over one connection, and over a new one when that is lost', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await syslogReceiver(authority));
  const connection = connectionTo(receiver.port, stack);
  const ids = Array.from({ length: 200 }, (_, i) => `e${i}`);
  assert.equal(
    (
      await connection.deliver(
        ids.map((id) => event(id)),
        never,
      )
    ).outcome,
    'taken',
  );
  assert.equal((await connection.deliver([event('next')], never)).outcome, 'taken');
  await receiver.until(() => receiver.messages.length === 201);
  assert.deepEqual(
    receiver.messages.map(({ parameters }) => parameters['id']),
    [...ids, 'next'],
  );
  assert.equal(receiver.connections(), 1);
  const [socket] = receiver.sockets;
  assert.ok(socket);
  socket.end();
  await once(socket, 'close');
  assert.equal((await connection.deliver([event('again')], never)).outcome, 'taken');
  await receiver.until(() => receiver.messages.at(-1)?.parameters['id'] === 'again');
  assert.equal(receiver.connections(), 2);
});

test('nothing is sent to a receiver that is not verified, and one that is not there is a failure', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await syslogReceiver(authority));
  const delivery = await connectionTo(receiver.port, stack, []).deliver([event('e')], never);
  assert.equal(delivery.outcome, 'later');
  assert.equal(receiver.messages.length, 0);
  await receiver[Symbol.asyncDispose]();
  assert.equal((await connectionTo(receiver.port, stack).deliver([event('e')], never)).outcome, 'later');
});

test('a receiver that does not read holds a batch until its time is over, and no longer', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await syslogReceiver(authority, (socket) => socket.pause()));
  const connection = connectionTo(receiver.port, stack);
  const large = Array.from({ length: 4_000 }, (_, i) => event(`e${i}`, { path: `/${'x'.repeat(1_900)}` }));
  const delivery = await connection.deliver(large, AbortSignal.timeout(500));
  assert.equal(delivery.outcome, 'later');
  // Who does not read sees no end.
  for (const socket of receiver.sockets) socket.resume();
  await waitUntil('the connection is gone', () => receiver.sockets.size === 0);
});

test('a receiver that talks loses its connection', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(
    await syslogReceiver(authority, (socket) => {
      socket.resume();
      const talk = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(16_384)));
      };
      socket.on('drain', talk);
      talk();
    }),
  );
  const connection = connectionTo(receiver.port, stack);
  await connection.deliver([event('e')], never);
  await waitUntil('there is a connection', () => receiver.connections() === 1);
  await waitUntil('the connection is gone', () => receiver.sockets.size === 0);
});

test('a receiver that does not take the end of a connection does not hold up the one with a renewed certificate', async () => {
  const sockets: Duplex[] = [];
  const dialer: Dialer = {
    choose: () => Promise.reject(new Error('no datagrams')),
    dial: async () => {
      const socket = new Duplex({
        read: () => undefined,
        write: (_chunk, _encoding, taken) => taken(),
        // Its end waits for a receiver that reads no more.
        final: () => undefined,
      });
      sockets.push(socket);
      // The connection of syslog writes, reads and ends it, and looks at nothing else.
      return { socket } as unknown as DialResult;
    },
  };
  let shown = { cert: 'one', key: 'one' };
  await using connection = new SyslogConnection({
    dialer,
    host: '127.0.0.1',
    port: 6514,
    ca: [],
    client: () => Promise.resolve(shown),
    sender: { facility: 13, hostname: 'g', processId: 1, structuredDataId: 'upstreamproxy@32473' },
  });
  assert.equal((await connection.deliver([event('e')], never)).outcome, 'taken');
  shown = { cert: 'two', key: 'two' };
  assert.equal((await connection.deliver([event('e')], never)).outcome, 'taken');
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, false],
  );
  for (const socket of sockets) socket.destroy();
});
