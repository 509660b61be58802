// The end of a connection: what was written is taken first, however slowly, and nothing waits for ever.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';

import { ConnectionEnd } from '../../../src/gateway/front/connection-end.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { tunnelPair } from '../../net/tunnel-pair.ts';
import { waitUntil } from '../../support/program.ts';
import { openScene, overBoth, readAll, statuses } from '../support/connection-scene.ts';

const size = 1_000_000;

/** Takes all but what still waits when the gateway ends its side. */
async function takeUntilEnd(client: Duplex, far: Duplex): Promise<number> {
  let octets = 0;
  client.on('readable', () => undefined);
  while (!far.writableEnded) {
    // Typed `any` by Readable.
    const piece = client.read(Math.min(1000, client.readableLength)) as Buffer | null;
    octets += piece?.length ?? 0;
    await new Promise(setImmediate);
  }
  assert.equal(far.writableFinished, false);
  return octets;
}

/** Takes a piece after the other, and each only when the linger time of a millisecond has passed. */
async function takeSlowly(client: Duplex): Promise<number> {
  let octets = 0;
  client.on('readable', () => undefined);
  while (!client.readableEnded) {
    await untilLater(2);
    assert.equal(client.errored, null, `after ${String(octets)} octets`);
    // Typed `any` by Readable.
    const piece = client.read() as Buffer | null;
    octets += piece?.length ?? 0;
  }
  return octets;
}

async function untilLater(waitMs: number): Promise<void> {
  const untilMs = performance.now() + waitMs;
  while (performance.now() < untilMs) await new Promise(setImmediate);
}

test('what waits for a slow client is not lost behind the end, and a client that takes nothing is cut off', async () => {
  await using scene = await openScene('stream', { limits: { lingerTimeoutMs: 1 } });
  for (const takes of [true, false]) {
    const { client, far, connection } = await scene.open();
    client.write(`GET /bytes/${String(size)} HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\n\r\n`);
    const taken = await takeUntilEnd(client, far);
    await untilLater(5);
    connection.look(performance.now() + defaultLimits.clientKeepAliveMs);
    assert.equal(far.destroyed, false);
    if (takes) assert.ok(taken + (await takeSlowly(client)) > size);
    else connection.look(performance.now() + 2 * defaultLimits.idleTimeoutMs);
    await waitUntil('the end', () => far.closed);
    await waitUntil('the count', () => scene.path.parts.unread.all === 0);
  }
});

test('what waits for credit of the tunnel is sent before the end, and is not waited for without end', async () => {
  await using tunnel = await tunnelPair();
  const limits = { idleTimeoutMs: 1000, lingerTimeoutMs: 1 };
  const octets = size + defaultLimits.windowBytesMax;
  for (const takes of [true, false]) {
    const { near, far } = await tunnel.open();
    far.takeOver({ onData: () => undefined, onDrain: () => undefined });
    assert.equal(far.send(Buffer.alloc(octets)), false);
    const end = new ConnectionEnd(far, limits);
    end.look(performance.now() + 900);
    assert.equal(far.destroyed, false);
    near.on('error', () => undefined);
    if (takes) assert.equal((await readAll(near)).length, octets);
    else {
      // What went on its way meanwhile counts as taken.
      end.look(performance.now());
      end.look(performance.now() + 1100);
    }
    await waitUntil('the end', () => far.closed);
  }
});

test('the idle limit counts from what was taken last', () => {
  const written: (() => void)[] = [];
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => void written.push(done),
  });
  // As of a socket that knows it no more: no progress for ever is none.
  Object.defineProperty(socket, 'bytesWritten', { value: undefined });
  socket.write('one');
  socket.write('two');
  const end = new ConnectionEnd(socket, { idleTimeoutMs: 1000, lingerTimeoutMs: 10 });
  const startMs = performance.now();
  written.shift()?.();
  end.look(startMs + 5000);
  assert.equal(socket.destroyed, false);
  end.look(startMs + 5500);
  assert.equal(socket.destroyed, false);
  end.look(startMs + 6001);
  assert.equal(socket.destroyed, true);
});

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

overBoth('a WebSocket that is not switched leaves no stream behind', async (over) => {
  await using scene = await openScene(over, { limits: { lingerTimeoutMs: 1 } });
  for (const path of ['/no/ws', '/hello'])
    for (const early of ['', 'early octets'])
      for (const ends of [true, false]) {
        const { client, far } = await scene.open();
        client.write(`GET ${path} HTTP/1.1\r\nHost: ${scene.at}\r\n${upgrade}${early}`);
        let text = '';
        client.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
        await once(client, 'end');
        assert.deepEqual(statuses(text), [path === '/hello' ? 200 : 403]);
        if (ends) client.end('late octets');
        await waitUntil(`the end of ${path} ${early} ${String(ends)}`, () => far.closed);
      }
  await waitUntil('the count', () => scene.path.parts.unread.all === 0);
});

overBoth('a response in place of a WebSocket waits for its client', async (over) => {
  await using scene = await openScene(over, { limits: { lingerTimeoutMs: 1 } });
  const { client, far } = await scene.open();
  client.write(`GET /bytes/${String(size)} HTTP/1.1\r\nHost: ${scene.at}\r\n${upgrade}`);
  assert.ok((await takeSlowly(client)) > size);
  await waitUntil('the end', () => far.closed);
});

test('a response in place of a WebSocket does not wait without end', async () => {
  await using scene = await openScene('stream');
  const { client, far, connection } = await scene.open();
  client.write(`GET /bytes/${String(size)} HTTP/1.1\r\nHost: ${scene.at}\r\n${upgrade}`);
  await takeUntilEnd(client, far);
  connection.look(performance.now() + 2 * defaultLimits.idleTimeoutMs);
  await waitUntil('the end', () => far.closed);
});

test('an end that never leaves is waited for no longer than a client may linger, where no response waits', () => {
  for (const [isIdle, afterMs, isOver] of [
    [true, 5, false],
    [true, 15, true],
    [false, 15, false],
    [false, 1010, true],
  ] as const) {
    // As TLS whose other side has begun a handshake that nobody goes on with.
    const socket = new Duplex({ read: () => undefined, final: () => undefined });
    const end = new ConnectionEnd(socket, { idleTimeoutMs: 1000, lingerTimeoutMs: 10 }, isIdle);
    end.look(performance.now() + afterMs);
    assert.equal(socket.destroyed, isOver, `${String(isIdle)} ${String(afterMs)}`);
  }
});
