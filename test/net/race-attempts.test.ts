import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket, connect, createServer, type AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';

import { interleaveFamilies, raceAttempts, type RaceOptions } from '../../src/net/race-attempts.ts';
import { patienceMs } from '../support/patience.ts';

/** Connects to what stands behind an invented address: a server, a closed port, or nothing that ever responses. */
async function network(
  t: TestContext,
): Promise<{ connect: RaceOptions['connect']; tried: string[]; sockets: Socket[] }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  // A TCP server always has an address object.
  const { port } = server.address() as AddressInfo;
  const tried: string[] = [];
  const sockets: Socket[] = [];
  return {
    tried,
    sockets,
    connect(address) {
      tried.push(address);
      const socket = address.startsWith('hole')
        ? new Socket()
        : connect(address.startsWith('up') ? port : 1, '127.0.0.1');
      sockets.push(socket);
      return socket;
    },
  };
}

const quick = { delayMs: 10, timeoutMs: patienceMs, signal: undefined };

test('IPv6 comes first and the families take turns, each in the given order (RFC 8305 §4)', () => {
  for (const [given, order] of [
    ['192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2', '2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2'],
    ['192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3', '2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3'],
    ['192.0.2.2 192.0.2.1', '192.0.2.2 192.0.2.1'],
  ] as const)
    assert.equal(interleaveFamilies(given.split(' ')).join(' '), order);
});

test('the first address that responds to wins, and no other is tried', async (t) => {
  const { connect, tried } = await network(t);
  const outcome = await raceAttempts(['up1', 'up2'], { ...quick, delayMs: 2000, connect });
  assert.equal(outcome.kind, 'connected');
  assert.ok(outcome.kind === 'connected' && outcome.address === 'up1');
  outcome.socket.destroy();
  assert.deepEqual(tried, ['up1']);
});

test('an address that refuses is followed at once by the next', async (t) => {
  const { connect, tried } = await network(t);
  const outcome = await raceAttempts(['down', 'up'], { ...quick, delayMs: 60_000, connect });
  assert.ok(outcome.kind === 'connected' && outcome.address === 'up');
  outcome.socket.destroy();
  assert.deepEqual(tried, ['down', 'up']);
});

test('an address that is silent is overtaken, and its socket is ended', async (t) => {
  const { connect, sockets } = await network(t);
  const outcome = await raceAttempts(['hole', 'up'], { ...quick, connect });
  assert.ok(outcome.kind === 'connected' && outcome.address === 'up');
  outcome.socket.destroy();
  assert.equal(sockets[0]?.destroyed, true);
});

test('if all refuse, all errors are told', async (t) => {
  const { connect } = await network(t);
  const outcome = await raceAttempts(['down1', 'down2'], { ...quick, connect });
  assert.ok(outcome.kind === 'failed');
  assert.equal(outcome.errors.length, 2);
  assert.deepEqual(await raceAttempts([], { ...quick, connect }), { kind: 'failed', errors: [] });
});

test('the deadline and the signal end every attempt', async (t) => {
  const { connect, sockets } = await network(t);
  assert.equal(
    (await raceAttempts(['hole1', 'hole2'], { ...quick, timeoutMs: 60, connect })).kind,
    'timeout',
  );
  const abort = new AbortController();
  const cancelled = raceAttempts(['hole3'], { ...quick, signal: abort.signal, connect });
  abort.abort();
  assert.equal((await cancelled).kind, 'cancelled');
  assert.ok(sockets.every(({ destroyed }) => destroyed));
  assert.equal(sockets.length, 3);
});

test('a signal that fired before lets nothing be tried', async (t) => {
  const { connect, tried } = await network(t);
  assert.equal(
    (await raceAttempts(['up'], { ...quick, signal: AbortSignal.abort(), connect })).kind,
    'cancelled',
  );
  assert.deepEqual(tried, []);
});
