// Fuzz target: bytes of a client into the parser of requests. In any split they mean the same; what is taken as a whole request, node:http
// takes too and reads the same in it, if it knows the method; and no more is used than belongs to it. An input is the bytes as
// latin1. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { RequestParser } from '../src/http/request-parser.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { nodeMethods, readRequestsByNode, type ReadRequest } from '../test/support/node-request-parser.ts';
import { pick, pieces, type Random, randomFrom, runTarget } from './run-target.ts';

const limits = {
  headBytesMax: 600,
  headersCountMax: 12,
  chunkOverheadBytesMax: 200,
  chunkLineBytesMax: 60,
};

const lines = [
  'GET / HTTP/1.1\r\n',
  'POST /a?b HTTP/1.1\r\n',
  'PUT /x HTTP/1.0\r\n',
  'DELETE * HTTP/1.1\r\n',
];
const oddLines = [
  'GET /  HTTP/1.1\r\n',
  ' GET / HTTP/1.1\r\n',
  'GET\t/ HTTP/1.1\r\n',
  'GET / HTTP/1.1 \r\n',
  'GET / HTTP/1.1\n',
  'GET / HTTP/1.1\r\r\n',
  'GET /\r\n',
  'GET / http/1.1\r\n',
  'GET / HTTP/2.0\r\n',
  'GET / HTTP/1.10\r\n',
  'GE(T / HTTP/1.1\r\n',
  'GET /\x01 HTTP/1.1\r\n',
  'GET /\xe9 HTTP/1.1\r\n',
  'get / HTTP/1.1\r\n',
  'FETCH / HTTP/1.1\r\n',
  '\r\nGET / HTTP/1.1\r\n',
  '\r\n\r\nGET / HTTP/1.1\r\n',
  '\nGET / HTTP/1.1\r\n',
  'GET http://a.test/ HTTP/1.1\r\n',
  'CONNECT a.test:443 HTTP/1.1\r\n',
];
const fields = [
  'Host: a.test\r\n',
  'X-A:\r\n',
  'X-B:  padded \t\r\n',
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
  'Accept: */*\r\n',
  'Cookie: a=b\r\n',
];
const framings = ['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'content-length: 0\r\n', '', ''];
const oddFields = [
  'Content-Length: 5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 05\r\n',
  'Content-Length: 5 5\r\n',
  'Content-Length:\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Content-Length : 5\r\n',
  'Content_Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: CHUNKED\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'transfer_encoding: chunked\r\n',
  'X: a\r\n folded\r\n',
  ' Content-Length: 5\r\n',
  'X: a\nContent-Length: 5\r\n',
  'X: a\rContent-Length: 5\r\n',
  'X\0: a\r\n',
  'X: \0\r\n',
  ': a\r\n',
  'no colon\r\n',
  'X: caf\xe9\x7f\r\n',
  'X: \xe9\r\n',
];
const chunks = [
  '5\r\nhello\r\n',
  'a\r\n0123456789\r\n',
  'A;x=1\r\n0123456789\r\n',
  '1;x="q\\"";y\r\nz\r\n',
  '00005\r\nhello\r\n',
];
const oddChunks = [
  '5 \r\nhello\r\n',
  '5;\r\nhello\r\n',
  '5; x=1\r\nhello\r\n',
  '5;x="a\r\nhello\r\n',
  '+5\r\nhello\r\n',
  '0x5\r\nhello\r\n',
  '5\nhello\r\n',
  '5\r\nhello\n',
  '5\r\nhellohello\r\n',
  'ffffffffffffffff\r\nhello\r\n',
  '\r\n',
  '0\r\n\r\n',
];
const ends = [
  '0\r\n\r\n',
  '0\r\n\r\n',
  '0;last\r\nX-Trailer: a\r\n\r\n',
  '000\r\nA: b\r\n\r\n',
  '0\r\n',
  '0\r\nbad\r\n\r\n',
  '',
];
const behind = ['', '', 'GET / HTTP/1.1\r\n\r\n', 'X', '\r\n'];

function generate(random: Random): string {
  let text = random(3) === 0 ? pick(random, oddLines) : pick(random, lines);
  let framing = pick(random, framings);
  for (let count = random(5); count > 0; count--) {
    if (random(6) === 0) framing += pick(random, oddFields);
    text += pick(random, fields);
  }
  text += random(2) === 0 ? `${framing}\r\n` : `${framing}${pick(random, fields)}\r\n`;
  if (/chunked/i.test(framing)) {
    for (let count = random(4); count > 0; count--)
      text += pick(random, random(6) === 0 ? oddChunks : chunks);
    text += pick(random, ends);
  } else if (framing.includes('5')) text += 'hello';
  if (random(15) === 0) text += pieces(random, fields, 3);
  text += pick(random, behind);
  if (random(20) > 0) return text;
  const at = random(text.length);
  return text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + random(3));
}

interface Reading {
  readonly request: ReadRequest | undefined;
  readonly outcome: 'whole' | 'cut' | 'unclear' | 'refused';
  readonly used: number;
}

/** Reads the bytes in parts that end where `isEnd` says, with a pause of the receiver behind some of them. */
function read(bytes: Buffer, isEnd: (at: number) => boolean): Reading {
  let request: { -readonly [K in keyof ReadRequest]: ReadRequest[K] } | undefined;
  let outcome: Reading['outcome'] = 'cut';
  const parser = new RequestParser(
    {
      onHead: ({ method, target, httpVersion, raw, fault }) => {
        request = { method, target, httpVersion, raw, body: '', trailers: [], isWhole: false };
        if (fault === undefined) return 'body';
        outcome = 'unclear';
        return 'foreign';
      },
      onData: (piece) => {
        if (request !== undefined) request.body += Buffer.from(piece).toString('latin1');
        return piece.length % 2 === 0;
      },
      onEnd: (trailers) => {
        outcome = 'whole';
        if (request !== undefined) Object.assign(request, { isWhole: true, trailers });
      },
    },
    limits,
  );
  parser.begin();
  let at = 0;
  try {
    while (at < bytes.length && !parser.isOver) {
      let end = at + 1;
      while (end < bytes.length && !isEnd(end)) end += 1;
      while (at < end && !parser.isOver) {
        const taken = parser.push(bytes.subarray(at, end));
        assert.ok(taken > 0 && taken <= end - at, 'bytes are used, and no more than there are');
        at += taken;
      }
    }
  } catch (error) {
    if (!(error instanceof ProxyError) || !['request_malformed', 'head_too_large'].includes(error.code))
      throw error;
    return { request, outcome: 'refused', used: 0 };
  }
  return { request, outcome, used: at };
}

await runTarget({
  name: 'request parser',
  generate,
  check(input) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = read(bytes, () => false);
    const random = randomFrom(bytes.length);
    for (const isEnd of [() => true, () => random(5) === 0])
      assert.deepEqual(read(bytes, isEnd), whole, 'in another split it is another request');
    const { request, outcome, used } = whole;
    if (outcome !== 'whole' || request === undefined) return false;
    // Versions and CONNECT are refused by the connection; methods that it does not know llhttp takes for no HTTP.
    const isForNode =
      nodeMethods.has(request.method) &&
      request.method !== 'CONNECT' &&
      /^1\.[01]$/.test(request.httpVersion);
    // What a target may be is the business of the validation behind it.
    if (!isForNode || !/^(?:\/[\x21-\x7e]*|\*)$/.test(request.target)) return true;
    const node = readRequestsByNode(bytes.subarray(0, used));
    assert.equal(node.isRefused, false, 'node:http refuses what we take');
    assert.deepEqual(node.requests, [request], 'node:http reads another request');
    const shorter = readRequestsByNode(bytes.subarray(0, used - 1));
    assert.equal(
      shorter.requests.some((one) => one.isWhole),
      false,
      'it ends earlier',
    );
    return true;
  },
});
