import assert from 'node:assert/strict';
import { readdir, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { type DrainPlace, listenForDrain, requestDrain } from '../../../src/cli/gateway/drain-socket.ts';
import { patienceMs } from '../../support/patience.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

async function place(stack: AsyncDisposableStack): Promise<DrainPlace> {
  const { path: stateDirectory } = stack.use(await temporaryDirectory());
  const configFile = join(stateDirectory, 'gateway.yaml');
  await writeFile(configFile, '');
  return { stateDirectory, configFile };
}

/** The socket in the folder. */
async function socketOf({ stateDirectory }: DrainPlace): Promise<string> {
  const name = (await readdir(stateDirectory)).find((one) => one.endsWith('.sock'));
  return join(stateDirectory, name ?? '');
}

test('who asks waits until the gateway has ended, and others may ask meanwhile', async () => {
  await using stack = new AsyncDisposableStack();
  const at = await place(stack);
  const gateway = await listenForDrain(at);
  assert.equal((await stat(await socketOf(at))).mode & 0o777, 0o600);
  const asked = [requestDrain(at, patienceMs), requestDrain(at, patienceMs)];
  await gateway.requested;
  let isOver = false;
  void asked[0]?.then(() => (isOver = true));
  await Promise.race([asked[0], new Promise((resolve) => setImmediate(resolve))]);
  assert.equal(isOver, false);
  gateway.tellEnded();
  await Promise.all(asked);
  await gateway[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(at.stateDirectory), ['gateway.yaml']);
});

test('a gateway that does not run, dies or takes too long is each said', async () => {
  await using stack = new AsyncDisposableStack();
  const at = await place(stack);
  await assert.rejects(requestDrain(at, patienceMs), { code: 'gateway_unreachable', message: /no gateway/ });
  const gateway = await listenForDrain(at);
  await assert.rejects(requestDrain(at, 50), { code: 'timeout' });
  const asked = requestDrain(at, patienceMs);
  await gateway.requested;
  const [, died] = await Promise.all([
    gateway[Symbol.asyncDispose](),
    asked.catch((error: unknown) => error),
  ]);
  assert.match(String(died), /before it was done/);
});

test('of two gateways with one configuration the later one has the name, and keeps it when the other ends', async () => {
  await using stack = new AsyncDisposableStack();
  const at = await place(stack);
  const first = await listenForDrain(at);
  const second = await listenForDrain(at);
  await first[Symbol.asyncDispose]();
  const asked = requestDrain(at, patienceMs);
  await second.requested;
  second.tellEnded();
  await asked;
  await second[Symbol.asyncDispose]();
});

test('whatever else is said is no wish, and is cut off', async () => {
  await using stack = new AsyncDisposableStack();
  const at = await place(stack);
  await using gateway = await listenForDrain(at);
  let isRequested = false;
  void gateway.requested.then(() => (isRequested = true));
  for (const text of ['GET / HTTP/1.1\r\n\r\n', 'drain now\n', 'x'.repeat(100_000)]) {
    const socket = connect(await socketOf(at));
    socket.on('error', () => undefined).write(text);
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
  assert.equal(isRequested, false);
});

test('a folder whose path is too long for a socket is said', async () => {
  await using stack = new AsyncDisposableStack();
  const at = await place(stack);
  const stateDirectory = join(at.stateDirectory, 'x'.repeat(100));
  await assert.rejects(listenForDrain({ ...at, stateDirectory }), { message: /more than 107 bytes/ });
});

test('a gateway is found by the name of its configuration, whatever file that leads to by now', async () => {
  await using stack = new AsyncDisposableStack();
  const { stateDirectory } = await place(stack);
  for (const release of ['1', '2']) await writeFile(join(stateDirectory, `gateway-${release}.yaml`), '');
  const configFile = join(stateDirectory, 'current.yaml');
  await symlink('gateway-1.yaml', configFile);
  const gateway = stack.use(await listenForDrain({ stateDirectory, configFile }));
  await unlink(configFile);
  await symlink('gateway-2.yaml', configFile);
  const asked = requestDrain({ stateDirectory, configFile }, patienceMs);
  await gateway.requested;
  gateway.tellEnded();
  await asked;
});
