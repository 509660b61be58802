// Floods and traps of HTTP/2 framing: one connection of the attacker ends, nobody else notices.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';

import type { Attack, AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { flag, frame, frameType, headerBlock, requestFrames } from '../support/h2-frames.ts';
import { openHttp2, pseudo, type RawHttp2 } from '../support/http2-client.ts';

const neighbourMsMax = 2_000;

/** Writes until the gateway ends the connection or all is sent; the connection must have been ended. */
async function flood(client: RawHttp2, chunk: () => Buffer, chunks: number): Promise<void> {
  for (let sent = 0; sent < chunks && !client.socket.destroyed && !client.closed; sent += 1) {
    client.socket.write(chunk());
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    if (client.frames.some(({ type }) => type === frameType.goaway)) return;
  }
  await client.until((frames) => frames.some(({ type }) => type === frameType.goaway), 2_000);
}

function ended(client: RawHttp2): boolean {
  return client.closed || client.frames.some(({ type }) => type === frameType.goaway);
}

/** However many streams the gateway saw before it ended the connection: each has its event, none has two. */
async function countEvents(a: Arena): Promise<void> {
  let before = -1;
  while (before !== a.ownEvents.length) {
    before = a.ownEvents.length;
    await new Promise((resolve) => {
      setTimeout(resolve, 60);
    });
  }
  const ids = new Set(a.ownEvents.map(({ traceId }) => traceId));
  assert.equal(ids.size, a.ownEvents.length);
  a.attempts = a.ownEvents.length;
}

const attack = (run: Attack['run']): Attack => ({ run, neighbourMsMax });

export const http2Dos: AttackTable = {
  'H2-01': attack(async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    const fields = pseudo(a.at('allowed.test'), '/reset');
    await flood(
      client,
      () =>
        Buffer.concat(
          Array.from({ length: 20 }, () => {
            const stream = client.nextStream();
            return Buffer.concat([
              requestFrames(stream, fields),
              frame(frameType.rstStream, 0, stream, Buffer.of(0, 0, 0, 8)),
            ]);
          }),
        ),
      200,
    );
    assert.ok(ended(client), 'the connection was not ended');
    await countEvents(a);
    assert.ok(a.ownEvents.length < 2_000);
  }),
  'H2-02': attack(async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    const fields = pseudo(a.at('allowed.test'), '/made');
    // A window update of zero makes the server reset the stream (RFC 9113 §6.9).
    await flood(
      client,
      () => {
        const stream = client.nextStream();
        return Buffer.concat([
          requestFrames(stream, fields),
          frame(frameType.windowUpdate, 0, stream, Buffer.alloc(4)),
        ]);
      },
      2_000,
    );
    assert.ok(ended(client) || a.ownEvents.length <= 2_001);
    await countEvents(a);
  }),
  'H2-03': attack(async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    const stream = client.nextStream();
    client.socket.write(
      frame(frameType.headers, flag.endStream, stream, headerBlock(pseudo(a.at('allowed.test'), '/c'))),
    );
    await flood(
      client,
      () => frame(frameType.continuation, 0, stream, headerBlock([['x', 'y'.repeat(8_000)]])),
      200,
    );
    assert.ok(ended(client), 'the connection was not ended');
    await countEvents(a);
    assert.ok(a.ownEvents.length >= 1, 'the flood left no event');
    assert.equal(a.origins.seen.filter(({ path }) => path === '/c').length, 0);
  }),
  'H2-04': attack(async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    const stream = client.nextStream();
    // One field of 3,800 bytes into the dynamic table, then a byte each to say it again.
    const value = Buffer.concat([Buffer.of(0x40, 1, 0x78, 0x7f, 0xd9, 0x1c), Buffer.alloc(3_672, 0x79)]);
    const block = Buffer.concat([
      headerBlock(pseudo(a.at('allowed.test'), '/bomb')),
      value,
      Buffer.alloc(12_000, 0xbe),
    ]);
    client.socket.write(frame(frameType.headers, flag.endStream | flag.endHeaders, stream, block));
    await client.until((frames) =>
      frames.some(
        ({ type }) => type === frameType.rstStream || type === frameType.goaway || type === frameType.headers,
      ),
    );
    await countEvents(a);
    assert.equal(a.origins.seen.filter(({ path }) => path === '/bomb').length, 0);
  }),
  'H2-05': attack(async (a) => {
    const floods: readonly (readonly [number, number, Buffer])[] = [
      [frameType.settings, 0, Buffer.alloc(0)],
      [frameType.ping, 0, Buffer.alloc(8)],
      [frameType.priority, 3, Buffer.of(0, 0, 0, 1, 1)],
      [frameType.windowUpdate, 0, Buffer.of(0, 0, 0, 1)],
    ];
    for (const [type, stream, payload] of floods) {
      await using client = await openHttp2(a, a.at('allowed.test'));
      client.socket.pause();
      await flood(
        client,
        () => Buffer.concat(Array.from({ length: 500 }, () => frame(type, 0, stream, payload))),
        40,
      );
    }
    await countEvents(a);
  }),
  'H2-06': {
    limits: { idleTimeoutMs: 1_500 },
    neighbourMsMax,
    run: async (a) => {
      const chunk = Buffer.alloc(40_000, 0x7a);
      a.origins.answer = (_request, response) => {
        response.on('error', () => undefined);
        Readable.from(Array.from({ length: 100 }, () => chunk)).pipe(response);
      };
      // SETTINGS_INITIAL_WINDOW_SIZE of 0: nothing may be sent.
      await using client = await openHttp2(a, a.at('allowed.test'), Buffer.of(0, 4, 0, 0, 0, 0));
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 50; i += 1)
        client.socket.write(requestFrames(client.nextStream(), pseudo(a.at('allowed.test'), `/big${i}`)));
      await client.until(() => false, 700);
      const grown = process.memoryUsage().rss - before;
      assert.ok(
        grown < 100_000_000,
        `${Math.round(grown / 1e6)} MB for 50 answers of 4 MB that may not be sent`,
      );
      client.socket.destroy();
      await a.events(50);
      await countEvents(a);
    },
  },
};
