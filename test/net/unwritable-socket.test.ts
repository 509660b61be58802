import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { keepReadable } from '../../src/net/unwritable-socket.ts';

/** A connection that reads nothing yet, to a side that says `late` and closes; `text` is what was read. */
async function closedUnder(): Promise<{ socket: Socket; text(): string; stop(): void }> {
  let read = '';
  const server = createServer((other) => {
    other.on('error', () => undefined);
    other.end('late', () => other.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const buffer = Buffer.alloc(1024);
  // As the gateway reads: an ordinary stream whose write failed begins no other read.
  const callback = (length: number): boolean => {
    read += buffer.toString('latin1', 0, length);
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
  socket.pause();
  await once(socket, 'connect');
  return {
    socket,
    text: () => read,
    stop: () => {
      socket.destroy();
      server.close();
    },
  };
}

async function writeUntilItFails(socket: Socket): Promise<void> {
  while (socket.errored === null) {
    socket.write('x');
    await wait(1);
  }
}

test('what came before a write failed can be read behind it, and the failure is told once', async () => {
  const { socket, text, stop } = await closedUnder();
  const failures: Error[] = [];
  keepReadable(socket, (error) => failures.push(error));
  await writeUntilItFails(socket);
  assert.equal(socket.destroyed, false);
  assert.equal(failures.length, 1);
  assert.equal(text(), '');
  socket.on('error', () => undefined);
  const ended = once(socket, 'end');
  socket.resume();
  await ended;
  assert.equal(text(), 'late');
  socket.destroy();
  assert.equal(socket.destroyed, true);
  assert.equal(failures.length, 1);
  stop();
});

test('once undone, a failed write ends the socket as ever', async () => {
  const { socket, stop } = await closedUnder();
  const undo = keepReadable(socket, () => assert.fail('told'));
  undo();
  const failed = once(socket, 'error');
  await writeUntilItFails(socket);
  await failed;
  assert.equal(socket.destroyed, true);
  stop();
});
