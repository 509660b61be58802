// Responses of origins that are right, old, or none, for fuzz targets: the method of the request and the bytes as latin1, with `|`
// between.

import { deflateSync, gzipSync } from 'node:zlib';

import { pick, pieces, type Random } from '../../fuzz/run-target.ts';

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
  'HTTP/1.1 200 OK\r\r\n',
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
const framings = [
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'content-length: 0\r\n',
  '',
  'Content-Length: 5\r\nX-A: b\r\ncontent-length:5\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: deflate\r\nTransfer-Encoding:chunked\r\n',
];
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

function inChunks(body: string): string {
  const half = Math.ceil(body.length / 2);
  const sent = [body.slice(0, half), body.slice(half)].map(
    (one) => `${one.length.toString(16)}\r\n${one}\r\n`,
  );
  return `${sent.join('')}0\r\n\r\n`;
}

export function generateResponse(random: Random): string {
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
  // The lines of old origins: all end without CR, or some do.
  const bare = random(4);
  if (bare === 0) text = text.replaceAll('\r\n', '\n');
  if (bare === 1)
    text = text.split('\r\n').reduce((sum, line) => sum + (random(2) === 0 ? '\n' : '\r\n') + line);
  const coded = text.includes('gzip, chunked')
    ? gzipSync
    : text.includes('deflate')
      ? deflateSync
      : undefined;
  if (coded !== undefined && random(2) === 0) text += inChunks(coded('hello, hello').toString('latin1'));
  else text += random(2) === 0 ? chunkedBody(random) : pick(random, ['hello', 'hel', 'hello, world', '']);
  return text + pick(random, behind);
}
