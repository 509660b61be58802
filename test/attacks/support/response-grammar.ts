// Responses of an origin as nobody should give them: of HTTP/1.1 as text, of HTTP/2 as frames on the stream 1.

import type { Random } from '../../support/seeded.ts';
import { flag, frame, frameType, headerBlock } from './h2-frames.ts';

const statuses = [
  100, 101, 102, 103, 150, 199, 200, 200, 200, 200, 204, 205, 206, 301, 304, 401, 417, 503, 599,
];

const fields: readonly (readonly [string, string])[] = [
  ['Connection', 'close'],
  ['Connection', 'host'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Upgrade', 'h2c'],
  ['Transfer-Encoding', 'chunked'],
  ['Transfer-Encoding', 'gzip, chunked'],
  ['Content-Length', '2'],
  ['Content-Length', '5'],
  ['Content-Length', '0'],
  ['Content-Encoding', 'gzip'],
  ['ETag', 'a'],
  ['constructor', 'x'],
  ['__proto__', 'y'],
  ['http2-settings', 'x'],
  ['te', 'trailers'],
  ['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
  ['Sec-WebSocket-Extensions', 'permessage-deflate'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Set-Cookie', 'a=b'],
  ['Keep-Alive', 'timeout=1'],
  ['X-Long', 'y'.repeat(3_000)],
  ['grpc-status', '1'],
];

const bodies = [
  'ok',
  '2\r\nok\r\n0\r\n\r\n',
  '2\r\nok\r\n',
  '2\r\nok\r\n0\r\netag: a\r\netag: b\r\nconstructor: x\r\n\r\n',
  'zz\r\n',
  '\x81\x02hi',
  'hello world',
];

function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

function pick<T>(random: Random, from: readonly T[]): T {
  const picked = from[below(random, from.length)];
  if (picked === undefined) throw new Error('there is nothing to pick from');
  return picked;
}

/** One to three heads, some with a body, sometimes cut. */
export function http1Response(random: Random): Buffer {
  let text = '';
  for (let heads = below(random, 3); heads >= 0; heads -= 1) {
    text += `HTTP/1.${below(random, 8) === 0 ? 0 : 1} ${pick(random, statuses)} X\r\n`;
    for (let count = below(random, 5); count > 0; count -= 1)
      text += `${pick(random, fields).join(': ')}\r\n`;
    text += `\r\n${below(random, 2) === 0 ? pick(random, bodies) : ''}`;
  }
  const end = below(random, 6) === 0 ? below(random, text.length) : text.length;
  return Buffer.from(text.slice(0, end), 'latin1');
}

/** One to five frames, mostly heads and data. */
export function http2Response(random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let count = below(random, 5); count >= 0; count -= 1) {
    const kind = below(random, 9);
    if (kind < 4) frames.push(headFrame(random));
    else if (kind < 6)
      frames.push(frame(frameType.data, below(random, 2), 1, Buffer.from(pick(random, ['', 'ok', 'hello']))));
    else if (kind === 6)
      frames.push(frame(frameType.rstStream, 0, 1, Buffer.of(0, 0, 0, pick(random, [0, 0, 1, 2, 8, 13]))));
    else if (kind === 7)
      frames.push(
        frame(
          below(random, 10),
          below(random, 2),
          below(random, 2),
          Buffer.alloc(pick(random, [0, 4, 6, 8])),
        ),
      );
    else frames.push(Buffer.alloc(below(random, 20), below(random, 256)));
  }
  return Buffer.concat(frames);
}

function headFrame(random: Random): Buffer {
  const head: [string, string][] =
    below(random, 10) === 0 ? [] : [[':status', String(pick(random, statuses))]];
  for (let count = below(random, 4); count > 0; count -= 1) {
    const [name, value] = pick(random, fields);
    head.push([name.toLowerCase(), value]);
  }
  const end = below(random, 4) === 0 ? flag.endStream : 0;
  return frame(frameType.headers, flag.endHeaders | end, 1, headerBlock(head));
}
