// The search of responses for the credentials of a rule: no oracle by lengths, and no way around it. Searches are generated from a seed,
// which a failure names.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

import { rawFrame } from '../../net/websocket-frames.ts';
import { get, post, responded, type AttackTable, type Scale } from '../support/attack.ts';
import { nextTurn, placeholder, type Arena } from '../support/arena.ts';
import { seeded, type Random } from '../../support/seeded.ts';
import { frameType } from '../support/h2-frames.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

const host = 'api.allowed.test';
const pieceBytes = 256;

/** Runs each with a generator of its own; what fails names the seed. */
async function search(
  scale: Scale,
  { short, full }: { readonly short: number; readonly full: number },
  run: (random: Random) => Promise<void>,
): Promise<void> {
  for (let seed = 1; seed <= (scale === 'short' ? short : full); seed += 1)
    try {
      await run(seeded(seed));
    } catch (error) {
      throw new Error(`seed ${String(seed)}`, { cause: error });
    }
}

const below = (random: Random, count: number): number => Math.floor(random() * count);
const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)]!;

/** Text of the workload that ends a piece with a part of the value, right or wrong in its last character. */
function guesses(random: Random, secret: string): readonly [right: string, wrong: string] {
  const forms = [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)];
  const form = pick(random, forms);
  const known = form.slice(0, 1 + below(random, form.length - 2));
  const pad = (text: string): string => text.padStart(pieceBytes, '-') + '-'.repeat(pieceBytes);
  return [pad(known), pad(`${known.slice(0, -1)}~`)];
}

function inPieces(response: ServerResponse, text: string): void {
  response.write(text.slice(0, pieceBytes), () => {
    void turns(5).then(() => {
      if (text.length <= pieceBytes) response.end();
      else inPieces(response, text.slice(pieceBytes));
    });
  });
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

/** A machine under load joins pieces now and then: what differs every time is told. */
async function sameLengths(
  measure: (text: string) => Promise<string>,
  right: string,
  wrong: string,
): Promise<void> {
  const seen: string[] = [];
  for (let tries = 0; tries < 6; tries += 1) {
    const [one, other] = [await measure(right), await measure(wrong)];
    if (one === other) return;
    seen.push(`${one} and ${other}`);
  }
  assert.fail(`a right guess has other lengths than a wrong one: ${seen.join('; ')}`);
}

/** A scrubber that holds back only what could begin the value, as most do. */
function naiveLengths(secret: string, text: string): string {
  const piece = text.slice(0, pieceBytes);
  let held = secret.length - 1;
  while (held > 0 && !piece.endsWith(secret.slice(0, held))) held -= 1;
  return String(piece.length - held);
}

/** Each way to write a value that documents name, by a program's own words. */
const writers: readonly ((text: string, random: Random) => string)[] = [
  (text) => text,
  (text) => JSON.stringify(text),
  (text) => encodeURIComponent(text),
  (text) =>
    [...Buffer.from(text)].map((octet) => (octet === 0x2d ? '%2d' : String.fromCharCode(octet))).join(''),
  (text, random) => Buffer.from(`${'x'.repeat(below(random, 90))}${text}${'y'.repeat(9)}`).toString('base64'),
  (text, random) =>
    Buffer.from(`${'x'.repeat(below(random, 90))}${text}${'y'.repeat(9)}`).toString('base64url'),
  (text, random) => {
    const whole = Buffer.from(`${'x'.repeat(below(random, 90))}${text}${'y'.repeat(9)}`).toString('base64');
    const lineEnd = pick(random, ['\n', '\r\n', '\\n']);
    return whole.replaceAll(new RegExp(`.{${String(pick(random, [60, 64, 76]))}}`, 'g'), `$&${lineEnd}`);
  },
];

/** Nothing of it is the value, also with Base64 and percent-encoding undone. */
function holdsNothing(text: string, secret: string): void {
  const joined = text.replaceAll(/[\r\n]|\\n/g, '');
  const decoded = [0, 1, 2, 3].map((from) => Buffer.from(joined.slice(from), 'base64').toString('latin1'));
  const unescaped = joined.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  for (const one of [joined, unescaped, ...decoded]) assert.ok(!one.includes(secret), one.slice(0, 200));
}

function cutAnywhere(random: Random, bytes: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + below(random, pick(random, [2, 8, 70]));
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

async function readBack(
  a: Arena,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  a.origins.respond = respond;
  const at = a.at(host);
  return (await a.send(at, get(at, '/back'))).text;
}

function accept(request: IncomingMessage): string {
  const key = String(request.headers['sec-websocket-key']);
  const value = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${value}\r\n\r\n`;
}

export const scrub: AttackTable = {
  'SCRUB-01': {
    control: async () => {
      const secret = 'token-of-somebody';
      const [right, wrong] = ['token-o', 'token-~'].map((text) => text.padStart(pieceBytes, '-'));
      assert.notEqual(naiveLengths(secret, right ?? ''), naiveLengths(secret, wrong ?? ''));
    },
    run: async (a, scale) => {
      const at = a.at(host);
      await using client = await openHttp2(a, at);
      const measure = async (text: string): Promise<string> => {
        a.origins.respond = (_request, response) => inPieces(response, text);
        const frames = await http2Send(a, client, [pseudo(at, '/blob')]);
        return frames
          .filter(({ type }) => type === frameType.data)
          .map(({ payload }) => payload.length)
          .join();
      };
      await search(scale, { short: 8, full: 30 }, (random) =>
        sameLengths(measure, ...guesses(random, a.secret)),
      );
    },
  },
  'SCRUB-02': async (a, scale) => {
    const at = a.at(host);
    const measure = async (text: string): Promise<string> => {
      a.origins.respond = (_request, response) => inPieces(response, text);
      const { bytes } = await a.send(at, get(at, '/blob'));
      return [...bytes.toString('latin1').matchAll(/\r\n([0-9a-f]+)\r\n/g)].map(([, size]) => size).join();
    };
    await search(scale, { short: 6, full: 40 }, (random) =>
      sameLengths(measure, ...guesses(random, a.secret)),
    );
  },
  'SCRUB-03': async (a, scale) => {
    const at = a.at(host);
    const measure = async (text: string): Promise<string> => {
      a.origins.upgrade = (request, socket) => {
        socket.write(accept(request));
        const parts = [text.slice(0, pieceBytes), text.slice(pieceBytes)];
        for (const [i, part] of parts.entries())
          socket.write(rawFrame({ opcode: i === 0 ? 1 : 0, fin: i === 1, payload: Buffer.from(part) }));
        socket.end(rawFrame({ opcode: 8, payload: Buffer.alloc(0) }));
        socket.resume();
      };
      const asked = `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
      const { bytes } = await a.send(at, asked, { keepOpen: true });
      const frames = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
      const lengths: number[] = [];
      for (let from = 0; from + 4 <= frames.length;) {
        const short = frames[from + 1] ?? 0;
        const length = short === 126 ? frames.readUInt16BE(from + 2) : short;
        lengths.push(length);
        from += (short === 126 ? 4 : 2) + length;
      }
      return lengths.join();
    };
    await search(scale, { short: 6, full: 40 }, (random) =>
      sameLengths(measure, ...guesses(random, a.secret)),
    );
  },
  'SCRUB-04': async (a) => {
    const at = a.at('tool.test');
    let stored = '';
    a.origins.respond = (request, response) => {
      stored ||= String(request.headers['x-note'] ?? '');
      response.end(`{"note":"${stored}"}`);
    };
    responded(await a.send(at, post(at, '/notes', [`X-Note: ${placeholder}`, 'Content-Length: 0'], '')), 200);
    assert.equal(stored, a.secret, 'the origin keeps it');
    for (const path of ['/notes', '/notes?page=2']) {
      const reply = await a.send(at, get(at, path));
      responded(reply, 200);
      assert.match(reply.text, /\{"note":"\*+"\}/);
    }
  },
  'SCRUB-05': async (a, scale) => {
    await search(scale, { short: 25, full: 250 }, async (random) => {
      const written = pick(random, writers)(a.secret, random);
      const type = pick(random, [
        'text/plain',
        'application/json',
        'application/octet-stream',
        'text/event-stream',
        '',
      ]);
      const body = Buffer.from(
        `${'-'.repeat(below(random, 200))}<${written}>${'-'.repeat(below(random, 200))}`,
      );
      const text = await readBack(a, (_request, response) => {
        if (type !== '') response.setHeader('content-type', type);
        for (const part of cutAnywhere(random, body)) response.write(part);
        response.end();
      });
      assert.match(text, /\*{8}/);
      holdsNothing(text.replaceAll(/\r\n[0-9a-f]+\r\n/g, ''), a.secret);
    });
  },
  'SCRUB-06': async (a, scale) => {
    const packed = gzipSync(`this is ${a.secret}`);
    await search(scale, { short: 12, full: 60 }, async (random) => {
      const prefix = Buffer.alloc(5);
      prefix[0] = pick(random, [1, 3, 0x81, 0xff]);
      prefix.writeUInt32BE(packed.length, 1);
      const name = pick(random, ['grpc-encoding', 'Connect-Content-Encoding']);
      const isNamed = random() < 0.5;
      const type = pick(random, [
        'application/grpc',
        'application/grpc+proto',
        'application/grpc-web+proto',
        'application/connect+json',
      ]);
      const at = a.at(host);
      a.origins.respond = (request, response) => {
        assert.deepEqual(
          Object.keys(request.headers).filter((field) => /(grpc|connect).accept.encoding/.test(field)),
          [],
        );
        response.writeHead(200, { 'content-type': type, ...(isNamed ? { [name]: 'gzip' } : {}) });
        if (isNamed) prefix[0] = 0;
        for (const part of cutAnywhere(random, Buffer.concat([prefix, packed]))) response.write(part);
        response.end();
      };
      const offers = [
        'grpc-accept-encoding: gzip',
        'Connect-Accept-Encoding: gzip',
        'grpc_accept_encoding: gzip',
      ];
      const { bytes } = await a.send(at, get(at, '/call', ...offers));
      assert.ok(!bytes.includes(packed.subarray(10, 26)));
    });
  },
  'SCRUB-07': async (a, scale) => {
    const packed = gzipSync(`this is ${a.secret}`);
    await search(scale, { short: 12, full: 60 }, async (random) => {
      const letters = [...'content-encoding']
        .map((letter) => (random() < 0.5 ? letter.toUpperCase() : letter))
        .join('');
      const space = (): string => ' '.repeat(below(random, 3));
      const line = `${space()}${letters}${space()}:${space()}${pick(random, ['gzip', '\r\n gzip', 'GZIP', 'x-gzip'])}`;
      const lineEnd = pick(random, ['\r\n', '\n']);
      const body = Buffer.concat([
        Buffer.from(['--b', 'X-First: 1', line, '', ''].join(lineEnd)),
        packed,
        Buffer.from('\r\n--b--\r\n'),
      ]);
      const text = await readBack(a, (_request, response) => {
        response.setHeader(
          'content-type',
          pick(random, [
            'multipart/mixed; boundary=b',
            'Multipart/Form-Data; boundary=b',
            'application/http',
          ]),
        );
        for (const part of cutAnywhere(random, body)) response.write(part);
        response.end();
      });
      assert.ok(!text.includes(packed.subarray(10, 26).toString('latin1')));
    });
  },
  'SCRUB-08': async (a, scale) => {
    await search(scale, { short: 10, full: 40 }, async (random) => {
      const known = a.secret.slice(0, 1 + below(random, a.secret.length - 1));
      const total = 80 + below(random, 300);
      const text = `${'-'.repeat(total - known.length)}${known}`;
      a.origins.respond = (_request, response) => {
        response.writeHead(200, { 'content-length': String(total + 1) });
        response.write(text, () => void turns(5).then(() => response.destroy()));
      };
      const at = a.at(host);
      const { bytes } = await a.send(at, get(at, '/cut'));
      const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
      assert.ok(body.length <= total - 64, `${String(body.length)} of ${String(total)}`);
    });
  },
  'SCRUB-09': async (a) => {
    const text = await readBack(a, (request, response) => {
      const value = String(request.headers.authorization);
      response.writeHead(200, {
        'x-value': value,
        [`x-${a.secret.toUpperCase()}`]: 'named',
        'content-md5': 'AAAA',
        digest: 'sha-256=AAAA',
        'repr-digest': 'sha-256=:AAAA:',
        'content-digest': 'sha-256=:AAAA:',
        trailer: 'x-last, content-digest',
      });
      response.addTrailers({ 'x-last': value, 'content-digest': 'sha-256=:AAAA:' });
      response.end('body');
    });
    assert.doesNotMatch(text, /AAAA|named/);
    assert.match(text, /x-value: Bearer \*+/i);
    assert.match(text, /x-last: Bearer \*+/i);
  },
};
