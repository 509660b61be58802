// What HTTP/1.1 has of a connection: octets by calls, over the frames of a tunnel and over any other stream.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, suite, test } from 'node:test';

import { bytesOf } from '../../src/net/byte-stream.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { hashAll, readAll, type TunnelPair, tunnelPair } from './tunnel-pair.ts';
import { destroySockets, socketPair } from './websocket-pair.ts';

afterEach(destroySockets);

const opened: TunnelPair[] = [];

afterEach(async () => {
  for (const pair of opened.splice(0)) await pair[Symbol.asyncDispose]();
});

const transports = {
  tunnel: async (): Promise<readonly [Duplex, Duplex]> => {
    const pair = await tunnelPair();
    opened.push(pair);
    const { near, far } = await pair.open();
    return [near, far];
  },
  stream: async (): Promise<readonly [Duplex, Duplex]> => duplexPair(),
  socket: async (): Promise<readonly [Duplex, Duplex]> => {
    const { client, server } = await socketPair();
    return [client, server];
  },
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ignore = (): void => undefined;

for (const [name, open] of Object.entries(transports)) {
  suite(name, () => {
    test('what came before it began, and what comes then, is handed on in order, and the end behind it', async () => {
      const [near, far] = await open();
      near.write('early ');
      await once(far, 'readable');
      far.removeAllListeners('readable');
      const texts: string[] = [];
      bytesOf(far).start({ onData: (chunk) => texts.push(chunk.toString()), onDrain: ignore });
      const ended = once(far, 'end');
      near.write('late ');
      near.end('last');
      await ended;
      assert.equal(texts.join(''), 'early late last');
    });

    test('whoever lets go within the first of what was there gets the rest as an ordinary stream, and the end behind it', async () => {
      const [near, far] = await open();
      const early = Buffer.from(Array.from({ length: 140_000 }, (_, i) => (i * 7) & 0xff));
      for (let at = 0; at < early.length; at += 10_000) near.write(early.subarray(at, at + 10_000));
      while (far.readableLength < 10_000) await turn();
      for (let turns = 0; turns < 20; turns += 1) await turn();
      const bytes = bytesOf(far);
      const got: Buffer[] = [];
      const released = Promise.withResolvers<void>();
      bytes.start({
        onData: (chunk) => {
          got.push(Buffer.from(chunk));
          bytes.release();
          released.resolve();
        },
        onDrain: ignore,
      });
      await released.promise;
      near.end('late');
      for await (const chunk of far) got.push(chunk as Buffer);
      assert.ok(Buffer.concat(got).equals(Buffer.concat([early, Buffer.from('late')])));
    });

    test('whoever pauses within the first of what was there gets no more until it resumes, and the end behind all', async () => {
      const [near, far] = await open();
      for (let at = 0; at < 140_000; at += 10_000) near.write(Buffer.alloc(10_000));
      near.end();
      while (far.readableLength < 10_000) await turn();
      for (let turns = 0; turns < 20; turns += 1) await turn();
      const bytes = bytesOf(far);
      const seen = { received: 0, calls: 0, isEnded: false };
      far.once('end', () => (seen.isEnded = true));
      bytes.start({
        onData: (chunk) => {
          seen.received += chunk.length;
          seen.calls += 1;
          bytes.pause();
        },
        onDrain: ignore,
      });
      for (let turns = 0; turns < 20; turns += 1) await turn();
      // What one read gives, or TLS had decrypted already.
      assert.ok(seen.calls <= 2 && seen.received < 140_000, JSON.stringify(seen));
      assert.equal(seen.isEnded, false);
      while (!seen.isEnded) {
        bytes.resume();
        await turn();
      }
      assert.equal(seen.received, 140_000);
    });

    test('a paused one hands nothing on, bounds what is sent, tells no end, and loses nothing', async () => {
      const [near, far] = await open();
      const bytes = bytesOf(far);
      const seen = { received: 0 };
      bytes.start({
        onData: (chunk) => {
          seen.received += chunk.length;
          bytes.pause();
        },
        onDrain: ignore,
      });
      const all = 8 * 1024 * 1024;
      for (let sent = 0; sent < all; sent += 65_536) near.write(Buffer.alloc(65_536));
      near.end();
      while (seen.received === 0) await turn();
      const before = seen.received;
      for (let i = 0; i < 100; i += 1) await turn();
      assert.equal(seen.received, before);
      assert.equal(far.readableEnded, false);
      assert.ok(near.writableFinished === false, 'all was taken though nobody read it');
      while (!far.readableEnded) {
        bytes.resume();
        await turn();
      }
      assert.equal(seen.received, all);
    });

    test('what is written may change at once, waits for a slow reader, and arrives whole before the end', async () => {
      const [near, far] = await open();
      const told = { drained: 0 };
      const bytes = bytesOf(near);
      bytes.start({ onData: ignore, onDrain: () => (told.drained += 1) });
      const piece = Buffer.alloc(16_384);
      const sum = await import('node:crypto').then(({ createHash }) => createHash('sha256'));
      let stops = 0;
      const all = 400;
      const sending = (async () => {
        for (let i = 0; i < all; i += 1) {
          piece.fill(i & 0xff);
          sum.update(piece);
          const before = told.drained;
          if (bytes.write(piece)) continue;
          stops += 1;
          piece.fill(0xee);
          while (told.drained === before) await turn();
        }
        bytes.flush();
        near.end();
      })();
      for (let i = 0; i < 100; i += 1) await turn();
      assert.ok(stops > 0, 'nobody was told to wait');
      const hash = hashAll(far);
      await sending;
      assert.equal(await hash, sum.digest('hex'));
    });

    test('given back in the midst, it is an ordinary stream both ways', async () => {
      const [near, far] = await open();
      const bytes = bytesOf(far);
      const { promise: released, resolve } = Promise.withResolvers<void>();
      bytes.start({
        onData: () => {
          bytes.write(Buffer.from('one '));
          bytes.release();
          far.write('two ');
          bytes.write(Buffer.from('three'));
          bytes.flush();
          resolve();
        },
        onDrain: ignore,
      });
      near.write('first');
      await released;
      near.write('second ');
      near.end('third');
      const rest = readAll(far);
      far.resume();
      assert.equal(String(await rest), 'second third');
      far.end();
      assert.equal(String(await readAll(near)), 'one two three');
    });

    test('an end waits for what was written before it', async () => {
      const [near, far] = await open();
      const bytes = bytesOf(near);
      bytes.start({ onData: ignore, onDrain: ignore });
      const all = 3 * defaultLimits.windowBytesInitial;
      for (let sent = 0; sent < all; sent += 65_536) bytes.write(Buffer.alloc(65_536));
      bytes.flush();
      near.end();
      for (let i = 0; i < 50; i += 1) await turn();
      assert.equal((await readAll(far)).length, all);
    });
  });
}
