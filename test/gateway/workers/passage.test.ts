import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';

import { Passages, type PassedUpgrade, type Passing } from '../../../src/gateway/workers/passage.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const secret = randomBytes(32);
// What is in it is nobody's business here.
const session = {} as PassedUpgrade['session'];
const upgrade: PassedUpgrade = {
  session,
  method: 'GET',
  httpVersion: '1.1',
  headers: { a: 'b' },
  isEncrypted: true,
};

test('an upgrade and all octets of its tunnel come out at the other worker, and both ends know of each other’s end', async () => {
  await using folder = await temporaryDirectory();
  // Longer than the address of a socket may be.
  const path = join(folder.path, 'x'.repeat(120));
  mkdirSync(path, { mode: 0o700 });
  using passages = new Passages(path, secret);
  const { promise: came, resolve } = Promise.withResolvers<Passing>();
  await using _listening = await passages.listen('7', resolve);
  assert.ok(statSync(join(path, '7')).isSocket());
  const [agent, atWorker]: [Duplex, Duplex] = duplexPair();
  const { ended } = await passages.pass(
    '7',
    { upgrade, socket: atWorker, head: Buffer.from('head ') },
    defaultLimits,
  );
  agent.write('behind');
  const passed = await came;
  assert.deepEqual(passed.upgrade, upgrade);
  const text: string[] = [passed.head.toString()];
  passed.socket.on('data', (chunk: Buffer) => text.push(chunk.toString()));
  passed.socket.write('back');
  assert.equal(String((await once(agent, 'data'))[0]), 'back');
  agent.end();
  await once(passed.socket, 'end');
  assert.equal(text.join(''), 'head behind');
  passed.socket.end();
  agent.resume();
  await ended;
});

test('a client that keeps its side open behind the end of its tunnel holds nothing for long', async (context) => {
  await using folder = await temporaryDirectory();
  using passages = new Passages(folder.path, secret);
  const { promise: came, resolve } = Promise.withResolvers<Passing>();
  await using _listening = await passages.listen('7', resolve);
  const [agent, atWorker]: [Duplex, Duplex] = duplexPair();
  agent.on('error', () => undefined).resume();
  const { ended } = await passages.pass(
    '7',
    { upgrade, socket: atWorker, head: Buffer.alloc(0) },
    defaultLimits,
  );
  const passed = await came;
  context.mock.timers.enable({ apis: ['setTimeout'] });
  passed.socket.end();
  await once(agent, 'end');
  assert.equal(atWorker.destroyed, false);
  context.mock.timers.tick(defaultLimits.closeTimeoutMs);
  await ended;
  assert.equal(atWorker.destroyed, true);
  context.mock.timers.reset();
});

test('a worker that is not there is told of at once', async () => {
  await using folder = await temporaryDirectory();
  using passages = new Passages(folder.path, secret);
  const [, socket] = duplexPair();
  await assert.rejects(
    passages.pass('1', { upgrade, socket, head: Buffer.alloc(0) }, defaultLimits),
    ({ code }: ProxyError) => code === 'shutting_down',
  );
});

for (const [what, start, isServed] of [
  ['who knows the secret is served', secret, true],
  ['another secret is not', randomBytes(32), false],
  [
    'a secret that differs in its last octet is not',
    Buffer.concat([secret.subarray(0, 31), randomBytes(1)]),
    false,
  ],
  ['none is not', Buffer.alloc(0), false],
] as const) {
  test(`at the socket between workers ${what}`, async () => {
    await using folder = await temporaryDirectory();
    using passages = new Passages(folder.path, secret);
    let served = 0;
    await using _listening = await passages.listen('1', ({ socket }) => {
      served += 1;
      socket.destroy();
    });
    const facts = Buffer.from(JSON.stringify(upgrade));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(facts.length);
    const socket = connect(join(folder.path, '1')).on('error', () => undefined);
    socket.resume().end(Buffer.concat([start, length, facts]));
    await once(socket, 'close');
    assert.equal(served, isServed ? 1 : 0);
  });
}
