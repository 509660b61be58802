import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';

import { WebSocketScrubber } from '../../../src/gateway/scrub/websocket-scrubber.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';
import { rawFrame, type RawFrame } from '../../net/websocket-frames.ts';
import { searchedFor } from '../support/searched.ts';
import { serverFrame } from '../support/short-frames.ts';

const authority = createTestAuthority();
const secret = 'canary-5b7e-websocket';
const marker = '*'.repeat(secret.length);

interface Mirror extends AsyncDisposable {
  readonly port: number;
  /** `Sec-WebSocket-Extensions` of each upgrade. */
  readonly extensions: readonly (string | undefined)[];
}

/** Says what it got in the head of its response, right behind it, and in pieces. */
async function mirrorOrigin(responseFields = ''): Promise<Mirror> {
  const server = createHttps(authority.issue('allowed.test'));
  const extensions: (string | undefined)[] = [];
  server.on('upgrade', (request, socket) => {
    extensions.push(request.headers['sec-websocket-extensions']);
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    const shown = String(request.headers.authorization);
    const frame = serverFrame(`in pieces: ${shown}`);
    socket.on('error', () => undefined).on('end', () => socket.end());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${responseFields}` +
        `Sec-WebSocket-Accept: ${accept}\r\nX-Shown: ${shown}\r\n\r\n${serverFrame(`at once: ${shown}`).toString('latin1')}`,
      'latin1',
      () => {
        socket.write(frame.subarray(0, 25));
        setImmediate(() => {
          socket.write(frame.subarray(25));
          // One message in three frames, with a PING in between.
          socket.write(
            Buffer.concat([
              rawFrame({ opcode: 1, fin: false, payload: Buffer.from(`fragments: ${shown.slice(0, 12)}`) }),
              rawFrame({ opcode: 9, payload: Buffer.from('ping') }),
              rawFrame({ opcode: 0, fin: false, payload: Buffer.from(shown.slice(12, 20)) }),
              rawFrame({ opcode: 0, payload: Buffer.from(shown.slice(20)) }),
            ]),
          );
          socket.write(serverFrame('the end is like its beginning: canary'));
        });
      },
    );
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    extensions,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, inject: api }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    credentials: { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } },
    environment: { API_TOKEN: secret },
  });
}

/** All that came by the time the last message is there; it must not wait for another one. */
async function untilLast(stream: Duplex): Promise<string> {
  let text = '';
  const signal = AbortSignal.timeout(patienceMs);
  while (!text.includes('beginning: canary')) {
    const [chunk] = (await once(stream, 'data', { signal })) as [Buffer];
    text += chunk.toString('latin1');
  }
  return text;
}

const upgrade = (at: string): string =>
  `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n';

test('a credential does not come back on a WebSocket, neither in the head nor in messages, over HTTP/1.1 and HTTP/2', async () => {
  await using origin = await mirrorOrigin();
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;

  const socket = await path.tls(at);
  socket.write(upgrade(at));
  const first = await untilLast(socket);
  socket.destroy();
  assert.match(first, /^HTTP\/1\.1 101 /);
  assert.ok(first.toLowerCase().includes(`x-shown: bearer ${marker}\r\n`), first);

  const h2Socket = await path.tls(at, { alpn: ['h2'] });
  const session = connect(`https://${at}`, { createConnection: () => h2Socket });
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':scheme': 'https',
    'sec-websocket-version': '13',
    'sec-websocket-extensions': 'permessage-deflate',
  });
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  const second = await untilLast(stream);
  session.destroy();
  assert.equal(headers['x-shown'], `Bearer ${marker}`);

  for (const text of [first, second]) {
    assert.equal(text.includes(secret), false);
    for (const message of [`at once: Bearer ${marker}`, `in pieces: Bearer ${marker}`])
      assert.ok(text.includes(serverFrame(message).toString('latin1')), message);
    const inPieces = serverFrame(`in pieces: Bearer ${marker}`).toString('latin1');
    const behind = text.slice(text.indexOf(inPieces) + inPieces.length);
    const fragments = framesOf(Buffer.from(behind, 'latin1'));
    assert.deepEqual(messagesOf(fragments)[0], `fragments: Bearer ${marker}`);
    assert.ok(
      fragments.findIndex(({ opcode }) => opcode === 9) <
        fragments.findIndex(({ fin, opcode }) => fin && opcode < 8),
    );
  }
  assert.deepEqual(origin.extensions, [undefined, undefined], 'compressed messages could not be searched');
  const events = await path.events(2);
  assert.deepEqual(
    events.map(({ status, injected, details }) => [status, injected, details?.['scrubbed']]),
    [
      [101, ['api'], 3],
      [101, ['api'], 3],
    ],
  );
});

test('an origin that compresses all the same is refused', async () => {
  await using origin = await mirrorOrigin('Sec-WebSocket-Extensions: permessage-deflate\r\n');
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  socket.write(upgrade(at));
  const response = await buffer(socket);
  assert.match(response.toString('latin1'), /^HTTP\/1\.1 502 [^]*x-deny-reason: origin_malformed/);
  assert.equal(response.includes(secret), false);
});

test('frames keep their bytes and their lengths wherever chunks are cut', async () => {
  const searched = searchedFor(secret);
  const bytes = Buffer.concat(['a canar', `x${secret}${secret}y`, secret.slice(0, -1)].map(serverFrame));
  const expected = Buffer.concat(['a canar', `x${marker}${marker}y`, secret.slice(0, -1)].map(serverFrame));
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const scrubber = new WebSocketScrubber(searched);
    const all = buffer(scrubber);
    scrubber.write(bytes.subarray(0, cut));
    scrubber.end(bytes.subarray(cut));
    assert.deepEqual(await all, expected, `cut at ${cut}`);
    assert.equal(scrubber.replaced, 2);
  }
});

/** The frames of a server, of less than 126 bytes each. */
function framesOf(bytes: Buffer): Required<Pick<RawFrame, 'opcode' | 'fin' | 'payload'>>[] {
  const frames: Required<Pick<RawFrame, 'opcode' | 'fin' | 'payload'>>[] = [];
  for (let at = 0; at + 1 < bytes.length;) {
    const [first, length] = [bytes[at]!, bytes[at + 1]!];
    frames.push({ opcode: first & 15, fin: first >= 128, payload: bytes.subarray(at + 2, at + 2 + length) });
    at += 2 + length;
  }
  return frames;
}

function messagesOf(frames: ReturnType<typeof framesOf>): readonly string[] {
  const messages = [''];
  for (const { opcode, fin, payload } of frames) {
    if (opcode >= 8) continue;
    messages.push(messages.pop()! + Buffer.from(payload).toString('latin1'));
    if (fin) messages.push('');
  }
  return messages.slice(0, -1);
}

/** What comes out by itself after each chunk, before the next. */
async function through(
  chunks: readonly Buffer[],
  value = secret,
): Promise<{ readonly outs: readonly Buffer[]; readonly replaced: number }> {
  const scrubber = new WebSocketScrubber(searchedFor(value));
  const outs: Buffer[] = [];
  for (const chunk of chunks) {
    scrubber.write(chunk);
    await new Promise(setImmediate);
    // Nothing there is null.
    outs.push((scrubber.read() as Buffer | null) ?? Buffer.alloc(0));
  }
  return { outs, replaced: scrubber.replaced };
}

test('a secret is found across the frames of a message wherever these are cut', async () => {
  const text = `x${secret}y`;
  for (let one = 0; one <= text.length; one += 1) {
    for (let two = one; two <= text.length; two += 5) {
      const parts = [text.slice(0, one), text.slice(one, two), text.slice(two)];
      const frames = parts.map((part, i) =>
        rawFrame({ opcode: i === 0 ? 2 : 0, fin: i === 2, payload: Buffer.from(part) }),
      );
      const { outs, replaced } = await through([Buffer.concat(frames)]);
      const passed = framesOf(Buffer.concat(outs));
      assert.deepEqual([messagesOf(passed), replaced], [[`x${marker}y`], 1], `cut at ${one} and ${two}`);
      assert.equal(passed[0]?.opcode, 2);
      assert.ok(passed.slice(1).every(({ opcode }) => opcode === 0));
    }
  }
});

test('a control frame inside of a message passes at once, and is searched by itself', async () => {
  const begun = rawFrame({ opcode: 1, fin: false, payload: Buffer.from(secret.slice(0, 9)) });
  const ping = rawFrame({ opcode: 9, payload: Buffer.from(`p${secret}`) });
  const { outs, replaced } = await through([begun, ping.subarray(0, 4), ping.subarray(4)]);
  assert.deepEqual(outs, [
    Buffer.alloc(0),
    Buffer.alloc(0),
    rawFrame({ opcode: 9, payload: Buffer.from(`p${marker}`) }),
  ]);
  assert.equal(replaced, 1);
});

test('of a message that goes on the same number of octets is held back, like the beginning of a secret or not', async () => {
  const tail = '-'.repeat(64 - secret.length + 1);
  for (const middle of [secret.slice(0, -1), 'quite different'.padEnd(secret.length - 1)]) {
    const first = rawFrame({ opcode: 1, fin: false, payload: Buffer.from(`before${tail}${middle}`) });
    const second = rawFrame({ opcode: 0, fin: false, payload: Buffer.from('a bit more') });
    const { outs } = await through([first, second, rawFrame({ opcode: 0, payload: Buffer.alloc(0) })]);
    assert.deepEqual(
      outs.map((out) => framesOf(out).map(({ payload }) => payload.length)),
      [['before'.length], ['a bit more'.length], [64]],
    );
    assert.deepEqual(messagesOf(framesOf(Buffer.concat(outs))), [`before${tail}${middle}a bit more`]);
  }
});

test('a secret in two messages is none that could be found', async () => {
  const halves = [secret.slice(0, 9), secret.slice(9)].map(serverFrame);
  const { outs, replaced } = await through(halves);
  assert.deepEqual([Buffer.concat(outs), replaced], [Buffer.concat(halves), 0]);
});

test('of a message that is cut off by the end of the connection what was held is dropped', async () => {
  const scrubber = new WebSocketScrubber(searchedFor(secret));
  const all = buffer(scrubber);
  const cut = serverFrame(`x${secret}`).subarray(0, -4);
  scrubber.end(cut);
  // The head of its frame told its length; of what it says the window is missing.
  assert.deepEqual(await all, cut.subarray(0, 2));
  assert.equal(scrubber.replaced, 0);
});

test('which frames leave when depends on lengths alone, whatever the secret and the messages are', async () => {
  const letters = fc.constantFrom(...'abAB01-_');
  const value = fc.string({ unit: letters, minLength: 30, maxLength: 30 });
  const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.boolean()), {
    minLength: 1,
    maxLength: 8,
  });
  const framesFor = (text: string, lengths: readonly (readonly [number, boolean])[]): readonly Buffer[] => {
    let at = 0;
    let isFirst = true;
    return lengths.map(([length, fin]) => {
      const payload = Buffer.from(text.repeat(50).slice(at, at + length));
      const frame = rawFrame({ opcode: isFirst ? 1 : 0, fin, payload });
      at += length;
      isFirst = fin;
      return frame;
    });
  };
  const heads = async (
    chunks: readonly Buffer[],
    secretOfIt: string,
  ): Promise<readonly (readonly number[])[]> => {
    const { outs } = await through(chunks, secretOfIt);
    return outs.map((out) => framesOf(out).flatMap(({ opcode, payload }) => [opcode, payload.length]));
  };
  await fc.assert(
    fc.asyncProperty(value, value, sizes, async (one, other, lengths) => {
      // Messages of beginnings of the one secret, and of the other's.
      const own = framesFor(`${one.slice(0, -1)}${one}${one.slice(0, 7)}`, lengths);
      const foreign = framesFor(`${other.slice(0, -1)}${other}${other.slice(0, 7)}`, lengths);
      const expected = await heads(own, one);
      assert.deepEqual(await heads(own, other), expected);
      assert.deepEqual(await heads(foreign, one), expected);
    }),
    { numRuns: 60, seed: 20_263 },
  );
});
