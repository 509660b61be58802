// Fuzz target: bytes of an origin into the parser of responses. In any split they mean the same; what is accepted, node:http accepts
// too and reads the same in it; and no more is used than belongs to the response. An input is the method and the bytes as latin1, with
// `|` between. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { ResponseParser } from '../src/http/response-parser.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { readByNode, type ParsedResponse } from '../test/support/node-response-parser.ts';
import { pick, pieces, randomFrom, runTarget, type Random } from './run-target.ts';

const limits = {
  headBytesMax: 600,
  headersCountMax: 12,
  chunkOverheadBytesMax: 200,
  chunkLineBytesMax: 60,
  interimHeadsMax: 2,
};

const methods = ['GET', 'HEAD', 'POST'];
const statusLines = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 404 Not Found\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 204 \r\n',
  'HTTP/1.1 304\r\n',
  'HTTP/1.1 101 x\r\n',
  'HTTP/1.1 200 OK\n',
  'HTTP/1.1  200 OK\r\n',
  'HTTP/1.1 2000 OK\r\n',
  'HTTP/1.1 099 OK\r\n',
  'HTTP/1.1 20 OK\r\n',
  'HTTP/2.0 200 OK\r\n',
  'http/1.1 200 OK\r\n',
  'HTTP/1.1 200 a\rb\r\n',
  '\r\nHTTP/1.1 200 OK\r\n',
  'ICY 200 OK\r\n',
];
const interim = ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'];
const fields = [
  'Content-Type: text/plain\r\n',
  'Set-Cookie: a=b; c\r\n',
  'X-A:\r\n',
  'X-B:  padded \t\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, Upgrade\r\n',
  'Keep-Alive: timeout=5\r\n',
  'Upgrade: websocket\r\n',
];
const framings = ['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'content-length: 0\r\n', ''];
const oddFields = [
  'Content-Length: 5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 0x5\r\n',
  'Content-Length: 5 5\r\n',
  'Content-Length:\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Content-Length : 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, chunked\r\n',
  'Transfer-Encoding: chunked;q=1\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'X: a\r\n folded\r\n',
  ' Content-Length: 5\r\n',
  'X: a\nContent-Length: 5\r\n',
  'X: a\rContent-Length: 5\r\n',
  'X\0: a\r\n',
  'X: \0\r\n',
  ': a\r\n',
  'no colon\r\n',
  'X: caf\xe9\x7f\r\n',
];
const chunks = [
  '5\r\nhello\r\n',
  'a\r\n0123456789\r\n',
  'A;x=1\r\n0123456789\r\n',
  '1;x="q\\"\\\\";y\r\nz\r\n',
  '00005\r\nhello\r\n',
];
const oddChunks = [
  '5 \r\nhello\r\n',
  '5;\r\nhello\r\n',
  '5;x=\r\nhello\r\n',
  '5; x=1\r\nhello\r\n',
  '5;x="a\r\nhello\r\n',
  '+5\r\nhello\r\n',
  '0x5\r\nhello\r\n',
  '5\nhello\r\n',
  '5\r\nhello\n',
  '5\r\nhellohello\r\n',
  '10000000000000005\r\nhello\r\n',
  'ffffffffffffffff\r\nhello\r\n',
  '\r\n',
  '0\r\n\r\n',
];
const ends = [
  '0\r\n\r\n',
  '0\r\n\r\n',
  '0;last\r\nX-Trailer: a\r\n\r\n',
  '000\r\nDigest: x\r\nA: b\r\n\r\n',
  '0\r\n',
  '0\r\nbad\r\n\r\n',
  '',
];
const behind = ['', '', 'HTTP/1.1 200 OK\r\n\r\n', 'X', '\r\n'];

function chunkedBody(random: Random): string {
  let text = '';
  for (let count = random(4); count > 0; count--) text += pick(random, random(5) === 0 ? oddChunks : chunks);
  return text + pick(random, ends);
}

function generate(random: Random): string {
  let text = `${pick(random, methods)}|`;
  for (let count = random(4); count > 2; count--) text += pick(random, interim);
  text += random(3) === 0 ? pick(random, statusLines) : 'HTTP/1.1 200 OK\r\n';
  let framing = pick(random, framings);
  for (let count = random(5); count > 0; count--) {
    text +=
      random(8) === 0
        ? pick(random, oddFields)
        : random(20) === 0
          ? pieces(random, fields, 4)
          : pick(random, fields);
    if (random(3) === 0) {
      text += framing;
      framing = random(12) === 0 ? framing : '';
    }
  }
  text += `${framing}\r\n`;
  text += random(2) === 0 ? chunkedBody(random) : pick(random, ['hello', 'hel', 'hello, world', '']);
  return text + pick(random, behind);
}

interface Reading {
  readonly responses: readonly ParsedResponse[];
  readonly outcome: 'whole' | 'switched' | 'cut' | 'refused';
  readonly used: number;
  readonly endsWithConnection: boolean;
}

/** Reads the bytes in parts that end where `isEnd` says, with a pause of the receiver behind some of them. */
function read(bytes: Buffer, method: string, isEnd: (at: number) => boolean): Reading {
  const responses: { -readonly [K in keyof ParsedResponse]: ParsedResponse[K] }[] = [];
  let outcome: Reading['outcome'] = 'cut';
  const parser = new ResponseParser(
    {
      onInformation: (status, raw) => responses.push({ status, raw, body: '', trailers: [], isWhole: true }),
      onHead: (status, raw) => responses.push({ status, raw, body: '', trailers: [], isWhole: false }),
      onData: (piece) => {
        const response = responses.at(-1);
        if (response !== undefined) response.body += Buffer.from(piece).toString('latin1');
        return piece.length % 2 === 0;
      },
      onEnd: (trailers) => {
        outcome = 'whole';
        Object.assign(responses.at(-1) ?? {}, { isWhole: true, trailers });
      },
      onSwitch: (raw) => {
        outcome = 'switched';
        responses.push({ status: 101, raw, body: '', trailers: [], isWhole: true });
      },
    },
    limits,
  );
  parser.begin({ method, asksToSwitch: bytes.length % 2 === 0 });
  let used = 0;
  let endsWithConnection = false;
  try {
    for (let at = 0; at < bytes.length && !parser.isOver;) {
      let end = at + 1;
      while (end < bytes.length && !isEnd(end)) end += 1;
      for (; at < end && !parser.isOver;) {
        const taken = parser.push(bytes.subarray(at, end));
        assert.ok(taken > 0 && taken <= end - at, 'bytes are used, and no more than there are');
        at += taken;
      }
      used = at;
    }
    if (!parser.isOver) endsWithConnection = parser.endOfConnection();
  } catch (error) {
    if (!(error instanceof ProxyError) || error.code !== 'origin_malformed') throw error;
    return { responses, outcome: 'refused', used: 0, endsWithConnection };
  }
  return { responses, outcome, used, endsWithConnection };
}

await runTarget({
  name: 'response parser',
  generate,
  check(input) {
    const bar = input.indexOf('|');
    const method = bar === -1 ? 'GET' : input.slice(0, bar);
    const bytes = Buffer.from(input.slice(bar + 1), 'latin1');
    const whole = read(bytes, method, () => false);
    const random = randomFrom(bytes.length);
    for (const isEnd of [() => true, () => random(5) === 0])
      assert.deepEqual(read(bytes, method, isEnd), whole, 'in another split it is another response');
    if (whole.outcome === 'refused' || whole.outcome === 'cut') return false;
    const node = readByNode(bytes.subarray(0, whole.used), method);
    assert.equal(node.isRefused, false, 'node:http refuses what we take');
    assert.deepEqual(node.responses, whole.responses, 'node:http reads another response');
    if (whole.endsWithConnection) return true;
    const shorter = readByNode(bytes.subarray(0, whole.used - 1), method);
    assert.notEqual(
      shorter.responses.filter((one) => one.isWhole).length,
      whole.responses.length,
      'it ends earlier',
    );
    return true;
  },
});
