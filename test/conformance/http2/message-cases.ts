// Messages (RFC 9113 §8) and their compression (RFC 7541).

import {
  endHeaders,
  whole,
  pseudo,
  headers,
  get,
  post,
  data,
  block,
  ok,
  connection,
  malformed,
} from './case-parts.ts';
import type { Row } from './case-parts.ts';
import { fieldBlock, frame, frameTypes } from './frames.ts';

const messages: readonly Row[] = [
  ['8.1', 'GET', (at) => [get(at)], ok],
  ['8.1', 'HEAD', (at) => [headers(whole, 1, pseudo(at, 'HEAD', '/hello'))], ok],
  [
    '8.1',
    'POST with trailers',
    (at) => [post(at, 1, ['te', 'trailers']), data('a', 0), headers(whole, 1, [['x-trailer', 'a']])],
    ok,
  ],
  [
    '8.1',
    'trailers that do not end the stream',
    (at) => [post(at), headers(endHeaders, 1, [['x', 'a']])],
    malformed,
  ],
  [
    '8.1.1',
    'a Content-Length that is not that of the data',
    (at) => [post(at, 1, ['content-length', '1']), data('abcd')],
    malformed,
  ],
  [
    '8.1.1',
    'a Content-Length that is not that of all data',
    (at) => [post(at, 1, ['content-length', '1']), data('ab', 0), data('cd')],
    malformed,
  ],
  [
    '8.1.1',
    'a Content-Length above that of the data',
    (at) => [post(at, 1, ['content-length', '9']), data('abcd')],
    malformed,
  ],
  ['8.2', 'a name in upper case', (at) => [get(at, 1, ['X-Upper', 'a'])], malformed],
  ['8.2.1', 'a line end in a value', (at) => [get(at, 1, ['x', 'a\r\nb: c'])], malformed],
  ['8.2.1', 'a blank in a name', (at) => [get(at, 1, ['x y', 'a'])], malformed],
  ['8.2.2', 'Connection', (at) => [get(at, 1, ['connection', 'keep-alive'])], malformed],
  [
    '8.2.2',
    'Transfer-Encoding',
    (at) => [post(at, 1, ['transfer-encoding', 'chunked']), data('a')],
    malformed,
  ],
  ['8.2.2', 'TE other than trailers', (at) => [get(at, 1, ['te', 'trailers, deflate'])], malformed],
  ['8.3', 'a pseudo-header field that is not known', (at) => [get(at, 1, [':test', 'a'])], malformed],
  [
    '8.3',
    'a pseudo-header field of responses',
    (at) => [headers(whole, 1, [...pseudo(at, 'GET', '/hello'), [':status', '200']])],
    malformed,
  ],
  [
    '8.3',
    'a pseudo-header field in trailers',
    (at) => [post(at), data('a', 0), headers(whole, 1, [[':method', 'GET']])],
    malformed,
  ],
  [
    '8.3',
    'a pseudo-header field behind another field',
    (at) => [headers(whole, 1, [['x', 'a'], ...pseudo(at, 'GET', '/hello')])],
    malformed,
  ],
  ['8.3.1', 'an empty path', (at) => [headers(whole, 1, pseudo(at, 'GET', ''))], malformed],
  ...[':method', ':scheme', ':path'].flatMap((name): readonly Row[] => [
    [
      '8.3.1',
      `no ${name}`,
      (at) => [
        headers(
          whole,
          1,
          pseudo(at, 'GET', '/hello').filter(([one]) => one !== name),
        ),
      ],
      malformed,
    ],
    [
      '8.3.1',
      `${name} twice`,
      (at) => [
        headers(
          whole,
          1,
          pseudo(at, 'GET', '/hello').flatMap((one) => (one[0] === name ? [one, one] : [one])),
        ),
      ],
      malformed,
    ],
  ]),
  [
    '8.3.1',
    ':authority and Host that differ',
    (at) => [get(at, 1, ['host', 'other.test'])],
    { kind: 'accept', status: 421 },
  ],
];

/** `custom-key` and `custom-value` in Huffman coding (RFC 7541 C.4.3). */
const huffmanKey = [0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f];
const huffmanValue = [0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];
const key = [1, 0x78];
const value = [1, 0x61];
const compression = connection('COMPRESSION_ERROR');

const hpack: readonly Row[] = [
  ['HPACK 6.1', 'an indexed field', (at) => [block(at, 0x90)], ok],
  ['HPACK 6.1', 'index 0', (at) => [block(at, 0x80)], compression],
  ['HPACK 2.3.3', 'an index that is not there', (at) => [block(at, 0xff, 0x80, 0x01)], compression],
  [
    'HPACK 2.3.3',
    'a name of an index that is not there',
    (at) => [block(at, 0x7f, 0x80, 0x01, ...value)],
    compression,
  ],
  ...(
    [
      ['with indexing', 0x40, 0x53],
      ['without indexing', 0x00, 0x0f],
      ['never indexed', 0x10, 0x1f],
    ] as const
  ).flatMap(([how, first, indexed]): readonly Row[] => [
    [
      'HPACK 6.2',
      `a field ${how}, by an indexed name`,
      (at) => [block(at, indexed, ...(indexed === 0x53 ? value : [4, ...value]))],
      ok,
    ],
    ['HPACK 6.2', `a field ${how}`, (at) => [block(at, first, ...key, ...value)], ok],
    [
      'HPACK 6.2',
      `a field ${how}, in Huffman coding`,
      (at) => [block(at, first, ...huffmanKey, ...huffmanValue)],
      ok,
    ],
  ]),
  [
    'HPACK 6.3',
    'the size of the table, then a smaller one',
    (at) => [
      frame(
        frameTypes.headers,
        whole,
        1,
        Buffer.concat([Buffer.of(0x3f, 0x61, 0x20), fieldBlock(pseudo(at, 'GET', '/hello'))]),
      ),
    ],
    ok,
  ],
  ['HPACK 4.2', 'the size of the table behind a field', (at) => [block(at, 0x20)], compression],
  [
    'HPACK 6.3',
    'a size of the table above the setting',
    () => [frame(frameTypes.headers, whole, 1, Buffer.of(0x3f, 0xe1, 0xff, 0x03))],
    compression,
  ],
  [
    'HPACK 5.2',
    'padding of Huffman coding above 7 bits',
    (at) => [block(at, 0, ...key, 0x82, 0x1f, 0xff)],
    compression,
  ],
  [
    'HPACK 5.2',
    'padding of Huffman coding of zeros',
    (at) => [block(at, 0, ...key, 0x81, 0x18)],
    compression,
  ],
  [
    'HPACK 5.2',
    'the end of string in Huffman coding',
    (at) => [block(at, 0, ...key, 0x84, 0xff, 0xff, 0xff, 0xff)],
    compression,
  ],
];

export const messageCases: readonly Row[] = [...messages, ...hpack];
