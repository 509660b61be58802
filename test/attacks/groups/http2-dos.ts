// Floods and traps of HTTP/2 framing: one connection of the attacker ends, nobody else notices.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';

import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import type { Attack, AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { flag, frame, frameType, headerBlock, requestFrames } from '../support/h2-frames.ts';
import { openHttp2, pseudo, type RawHttp2 } from '../support/http2-client.ts';

const neighbourMsMax = 2_000;

/** Writes until the gateway ends the connection or all is sent; waits so long for the end, which must come where nothing else is said. */
async function flood(
  client: RawHttp2,
  chunk: () => Buffer,
  chunks: number,
  waitMs = patienceMs,
): Promise<void> {
  for (let sent = 0; sent < chunks && !client.socket.destroyed && !client.closed; sent += 1) {
    client.socket.write(chunk());
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    if (client.frames.some(({ type }) => type === frameType.goaway)) return;
  }
  await client.until((frames) => frames.some(({ type }) => type === frameType.goaway), waitMs);
}

function ended(client: RawHttp2): boolean {
  return client.closed || client.frames.some(({ type }) => type === frameType.goaway);
}

const quietRounds = 4;

/** However many streams the gateway saw before it ended the connection: each has its event, none has two. */
async function countEvents(a: Arena): Promise<void> {
  // What has begun ends, and nothing else begins once several rounds brought nothing.
  await waitUntil('every exchange has ended', () => a.openExchangesOf() === 0);
  for (let quiet = 0, before = -1; quiet < quietRounds; before = a.ownEvents.length) {
    await new Promise((resolve) => {
      setTimeout(resolve, 60);
    });
    quiet = before === a.ownEvents.length && a.openExchangesOf() === 0 ? quiet + 1 : 0;
  }
  const ids = new Set(a.ownEvents.map(({ traceId }) => traceId));
  assert.equal(ids.size, a.ownEvents.length);
  a.attempts = a.ownEvents.length;
}

const attack = (run: Attack['run']): Attack => ({ run, neighbourMsMax });

const harmless = 'a priority that depends on itself';

/** Ways to make the server reset a stream that the client never resets itself. */
const madeResets: Readonly<Record<string, (client: RawHttp2, stream: number, at: string) => Buffer>> = {
  // RFC 9113 §6.9
  'a window update of zero': (_client, stream, at) =>
    Buffer.concat([
      requestFrames(stream, pseudo(at, '/made')),
      frame(frameType.windowUpdate, 0, stream, Buffer.alloc(4)),
    ]),
  // RFC 7540 §5.3.1
  [harmless]: (_client, stream, at) => {
    const itself = Buffer.alloc(5);
    itself.writeUInt32BE(stream);
    return Buffer.concat([
      requestFrames(stream, pseudo(at, '/made')),
      frame(frameType.priority, 0, stream, itself),
    ]);
  },
  // RFC 9113 §5.1
  'data behind the end': (_client, stream, at) =>
    Buffer.concat([
      requestFrames(stream, pseudo(at, '/made', 'POST'), 'body'),
      frame(frameType.data, 0, stream, Buffer.from('more')),
    ]),
  'a body longer than its length': (_client, stream, at) =>
    requestFrames(stream, [...pseudo(at, '/made', 'POST'), ['content-length', '1']], 'body'),
};

/** Opens streams that the server has to reset: cut off after a bound, or each reset is one refused attempt. */
async function makeResets(a: Arena, kind: string, goesAway: boolean): Promise<void> {
  const at = a.at('allowed.test');
  await using client = await openHttp2(a, at);
  const streams = 1_000;
  // What depends on itself is no fault any more (RFC 9113 §5.3.2): those are requests like any others.
  const isServed = kind === harmless && !goesAway;
  // What the connection before leaves is none of this one's.
  await countEvents(a);
  const before = a.ownEvents.length;
  if (goesAway) client.socket.write(frame(frameType.goaway, 0, 0, Buffer.alloc(8)));
  const waitMs = isServed ? 500 : patienceMs;
  await flood(client, () => madeResets[kind]!(client, client.nextStream(), at), streams, waitMs);
  await countEvents(a);
  const events = a.ownEvents.length - before;
  if (isServed) assert.ok(!ended(client) && events === streams, `${kind}: ${events} events`);
  else assert.ok(ended(client) && events < 200, `${kind}: not ended, ${events} events`);
}

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
      5_000,
    );
    assert.ok(ended(client), 'the connection was not ended');
    await countEvents(a);
    assert.ok(a.ownEvents.length < 2_000);
  }),
  'H2-02': attack(async (a) => {
    for (const kind of Object.keys(madeResets))
      for (const goesAway of [false, true]) await makeResets(a, kind, goesAway);
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
  'H2-05': attack(async (a, scale) => {
    const at = a.at('allowed.test');
    const floods: Readonly<Record<string, readonly [type: number, stream: number, payload: Buffer]>> = {
      SETTINGS: [frameType.settings, 0, Buffer.alloc(0)],
      PING: [frameType.ping, 0, Buffer.alloc(8)],
      PRIORITY: [frameType.priority, 3, Buffer.of(0, 0, 0, 1, 1)],
      'empty DATA': [frameType.data, 1, Buffer.alloc(0)],
      WINDOW_UPDATE: [frameType.windowUpdate, 0, Buffer.of(0, 0, 0, 1)],
    };
    // A window costs nothing.
    const cutOff = new Set(['SETTINGS', 'PING', 'PRIORITY', 'empty DATA']);
    const chunks = scale === 'full' ? 200 : 40;
    for (const [name, [type, stream, payload]] of Object.entries(floods)) {
      await using client = await openHttp2(a, at);
      const before = process.memoryUsage().rss;
      if (stream === 1)
        client.socket.write(
          frame(
            frameType.headers,
            flag.endHeaders,
            client.nextStream(),
            headerBlock(pseudo(at, '/empty', 'POST')),
          ),
        );
      client.socket.pause();
      await flood(
        client,
        () => Buffer.concat(Array.from({ length: 500 }, () => frame(type, 0, stream, payload))),
        chunks,
        0,
      );
      const grown = process.memoryUsage().rss - before;
      client.socket.resume();
      const waitMs = cutOff.has(name) ? patienceMs : 200;
      await client.until((frames) => frames.some(({ type: seen }) => seen === frameType.goaway), waitMs);
      if (cutOff.has(name)) assert.ok(ended(client), `a flood of ${name} was not cut off`);
      assert.ok(grown < 100_000_000, `${grown} bytes for a flood of ${name}`);
    }
    await countEvents(a);
  }),
  'H2-06': {
    limits: { idleTimeoutMs: 1_500 },
    neighbourMsMax,
    run: async (a) => {
      const chunk = Buffer.alloc(40_000, 0x7a);
      a.origins.respond = (_request, response) => {
        response.on('error', () => undefined);
        Readable.from(Array.from({ length: 100 }, () => chunk)).pipe(response);
      };
      // SETTINGS_INITIAL_WINDOW_SIZE of 0: nothing may be sent.
      await using client = await openHttp2(a, a.at('allowed.test'), Buffer.of(0, 4, 0, 0, 0, 0));
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 100; i += 1)
        client.socket.write(requestFrames(client.nextStream(), pseudo(a.at('allowed.test'), `/big${i}`)));
      await client.until(() => false, 700);
      const grown = process.memoryUsage().rss - before;
      assert.ok(
        grown < 100_000_000,
        `${Math.round(grown / 1e6)} MB for 100 responses of 4 MB that may not be sent`,
      );
      // Whoever never takes what it asked for is cut off by the idle limit.
      await client.until(() => false, patienceMs);
      assert.ok(client.closed, 'a connection that takes nothing was never ended');
      await a.events(100);
      await countEvents(a);
    },
  },
  'H2-07': attack(async (a) => {
    const at = a.at('allowed.test');
    await using client = await openHttp2(a, at);
    const trailers = Array.from({ length: 300 }, (_, i) => [`x-t${i}`, 'v'] as const);
    const stream = client.nextStream();
    a.attempts += 1;
    client.socket.write(
      Buffer.concat([
        frame(frameType.headers, flag.endHeaders, stream, headerBlock(pseudo(at, '/trailers', 'POST'))),
        frame(frameType.data, 0, stream, Buffer.from('body')),
        frame(frameType.headers, flag.endHeaders | flag.endStream, stream, headerBlock(trailers)),
      ]),
    );
    const [event] = await a.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'request_malformed']);
    assert.ok(!ended(client));
  }),
  'H2-08': attack(async (a) => {
    const at = a.at('allowed.test');
    let wholes = 0;
    a.origins.respond = (_request, response) => {
      wholes += 1;
      response.end();
    };
    const codes = [8, 0, undefined];
    for (const [index, code] of codes.entries()) {
      await using client = await openHttp2(a, at);
      const stream = client.nextStream();
      a.attempts += 1;
      client.socket.write(
        Buffer.concat([
          frame(frameType.headers, flag.endHeaders, stream, headerBlock(pseudo(at, `/cut${index}`, 'POST'))),
          frame(frameType.data, 0, stream, Buffer.from('a part')),
        ]),
      );
      await waitUntil('the part arrives', () =>
        a.origins.seen.some(({ path, bodyBytes }) => path === `/cut${index}` && bodyBytes === 6),
      );
      if (code === undefined) client.socket.destroy();
      else client.socket.write(frame(frameType.rstStream, 0, stream, Buffer.of(0, 0, 0, code)));
      await a.events(index + 1);
    }
    assert.ok((await a.events(codes.length)).every(({ errorCode }) => errorCode === 'cancelled'));
    assert.equal(wholes, 0);
  }),
};
