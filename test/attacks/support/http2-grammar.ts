// The grammar of the cases for HTTP/2: field blocks that are almost right, written as frames by hand.

import { flag, frame, frameType, headerBlock } from './h2-frames.ts';
import type { Random } from '../../support/seeded.ts';

type Field = readonly [string, string];

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

const methods = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'get',
  'CONNECT',
  'TRACE',
  'GE T',
  'GET /admin HTTP/1.1\r\nX:',
  '',
];
const schemes = ['http', 'ftp', '', 'HTTPS', 'https://'];
const paths = [
  '/admin',
  '/public/../admin',
  '/public/%2e%2e/admin',
  '/a b',
  '/a\r\nX-Evil: 1',
  '/a\0',
  '//evil.test/a',
  'a',
  '',
  '*',
  '/a#f',
  '/a?q',
  '/public/%2f',
  'https://evil.test/a',
];
const values = [
  'x',
  '',
  ' x',
  'x ',
  'a\r\nHost: evil.test',
  'a\nb',
  'a\0b',
  '\x7f',
  '\xff\xfe',
  'y'.repeat(9_000),
];
const names = [
  'x-a',
  'X-Upper',
  'with space',
  'colon:x',
  'host: evil',
  '',
  'connection',
  'transfer-encoding',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'te',
  'content-length',
  'authorization',
  'cookie',
  'expect',
  'x_under',
  'proxy-authorization',
  'x-http-method-override',
  'x-forwarded-host',
  ':odd',
  ':path',
  ':protocol',
];

/** One request on the stream: fields in order, and perhaps a body that does not fit. */
export function http2Request(random: Random, stream: number, host: string, evil: string): Buffer {
  const odd = random() < 0.7 ? 0.08 : 0.3;
  const bent = (usual: string, others: readonly string[]): string =>
    random() < odd ? pick(random, others) : usual;
  const method = bent(pick(random, ['GET', 'POST', 'HEAD']), methods);
  const hosts = [
    evil,
    `${host}, ${evil}`,
    `u@${host}`,
    '',
    host.toUpperCase(),
    `[${host}]`,
    `${host}\0`,
    `${host}\r\nX: y`,
  ];
  let fields: Field[] = [
    [':method', method],
    [':scheme', bent('https', schemes)],
    [':authority', bent(host, hosts)],
    [':path', bent(pick(random, ['/public/a', '/a/b.html', '/a']), paths)],
  ];
  if (random() < odd) fields.push([':authority', pick(random, hosts)]);
  if (random() < odd) fields.push(['host', bent(host, [evil, host, ''])]);
  if (random() < odd) fields = fields.filter(() => random() < 0.8);
  for (let more = 0; more < 3; more += 1)
    if (random() < odd) fields.push([pick(random, names), pick(random, values)]);
  if (random() < odd / 2) fields.reverse();
  const body = random() < (method === 'POST' ? 0.7 : 0.1) ? 'abc' : undefined;
  if (body !== undefined && random() < 0.4)
    fields.push(['content-length', bent('3', ['0', '4', '3, 3', '-1', '+3', ''])]);
  return requestOf(random, stream, fields, { body, odd, evil });
}

interface Rest {
  readonly body: string | undefined;
  readonly odd: number;
  readonly evil: string;
}

/** HEADERS, perhaps in pieces, DATA, perhaps in pieces, and perhaps trailers. */
function requestOf(
  random: Random,
  stream: number,
  fields: readonly Field[],
  { body, odd, evil }: Rest,
): Buffer {
  const block = headerBlock(fields);
  const ends = body === undefined ? flag.endStream : 0;
  const cut = random() < odd ? Math.floor(random() * block.length) : block.length;
  const parts =
    cut === block.length
      ? [frame(frameType.headers, ends | flag.endHeaders, stream, block)]
      : [
          frame(frameType.headers, ends, stream, block.subarray(0, cut)),
          frame(frameType.continuation, flag.endHeaders, stream, block.subarray(cut)),
        ];
  if (body === undefined) return Buffer.concat(parts);
  const trailers = random() < odd;
  const half = random() < odd ? 1 : body.length;
  parts.push(
    frame(
      frameType.data,
      half === body.length && !trailers ? flag.endStream : 0,
      stream,
      Buffer.from(body.slice(0, half)),
    ),
  );
  if (half < body.length)
    parts.push(frame(frameType.data, trailers ? 0 : flag.endStream, stream, Buffer.from(body.slice(half))));
  if (trailers)
    parts.push(
      frame(
        frameType.headers,
        flag.endStream | flag.endHeaders,
        stream,
        headerBlock([
          ['host', evil],
          ['authorization', 'x'],
        ]),
      ),
    );
  return Buffer.concat(parts);
}
