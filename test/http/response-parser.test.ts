import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ResponseParser } from '../../src/http/response-parser.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { readByNode, takesBareLineEnds } from '../support/node-response-parser.ts';

interface Options {
  readonly method?: string;
  readonly limits?: Partial<Limits>;
  readonly asksToSwitch?: boolean;
  /** Bytes that are pushed at once; default: all. */
  readonly step?: number;
  /** What Node says by its default, where it is not the same. */
  readonly node?: 'refuses' | 'refuses bare line ends';
}

/** What came out, as a list of words. */
function read(text: string, { method = 'GET', limits, asksToSwitch = false, step }: Options = {}) {
  const seen: string[] = [];
  const parser = new ResponseParser(
    {
      onInformation: (status, raw) => seen.push(`interim ${status} ${raw.join('=')}`),
      onHead: (status, raw) => seen.push(`head ${status} ${raw.join('=')}`),
      onData: (piece) => {
        const piecesText = Buffer.from(piece).toString('latin1');
        if (seen.at(-1)?.startsWith('body ') === true) seen.push(`${seen.pop() ?? ''}${piecesText}`);
        else seen.push(`body ${piecesText}`);
        return true;
      },
      onEnd: (trailers) => seen.push(`end ${trailers.join('=')}`),
      onSwitch: (raw) => seen.push(`switch ${raw.join('=')}`),
    },
    { ...defaultLimits, ...limits },
  );
  parser.begin({ method, asksToSwitch });
  const bytes = Buffer.from(text, 'latin1');
  let used = 0;
  for (let at = 0; at < bytes.length && !parser.isOver; at = used)
    used += parser.push(bytes.subarray(at, step === undefined ? undefined : at + step));
  return { seen, parser, rest: bytes.subarray(used).toString('latin1') };
}

const ok = 'HTTP/1.1 200 OK\r\n';
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

const accepted: readonly (readonly [string, string, readonly string[], string, Options?])[] = [
  ['a length', `${ok}Content-Length: 2\r\n\r\nhi!`, ['head 200 Content-Length=2', 'body hi', 'end '], '!'],
  ['the length 0', `${ok}content-length:0\r\n\r\n!`, ['head 200 content-length=0', 'end '], '!'],
  ['no reason', 'HTTP/1.1 204\r\n\r\n!', ['head 204 ', 'end '], '!'],
  [
    'chunks with extensions and trailers',
    `${chunked}2;a;b="c;\\""\r\nhi\r\n0a\r\n0123456789\r\n0;z\r\nX: 1\r\n\r\n!`,
    ['head 200 Transfer-Encoding=chunked', 'body hi0123456789', 'end X=1'],
    '!',
  ],
  [
    'interim responses',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n!`,
    ['interim 100 ', 'interim 103 Link=a', 'head 304 Content-Length=9', 'end '],
    '!',
  ],
  [
    'the response to HEAD, whose length is of another one',
    `${ok}Content-Length: 9\r\n\r\n!`,
    ['head 200 Content-Length=9', 'end '],
    '!',
    { method: 'HEAD' },
  ],
  [
    'blanks around a value',
    `${ok}X: \t a b\t \r\nContent-Length: 0\r\n\r\n`,
    ['head 200 X=a b=Content-Length=0', 'end '],
    '',
  ],
  [
    'bare LF at the ends of all lines of its head',
    'HTTP/1.1 200 OK\nX: a\nContent-Length: 2\n\nhi!',
    ['head 200 X=a=Content-Length=2', 'body hi', 'end '],
    '!',
    { node: 'refuses bare line ends' },
  ],
  [
    'bare LF at the ends of some lines of its head',
    `${ok}X: a\nContent-Length: 2\r\n\nhi!`,
    ['head 200 X=a=Content-Length=2', 'body hi', 'end '],
    '!',
    { node: 'refuses bare line ends' },
  ],
  [
    'bare LF in its head, and chunks',
    'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n!',
    ['head 200 Transfer-Encoding=chunked', 'body hi', 'end X=1'],
    '!',
    { node: 'refuses bare line ends' },
  ],
  [
    'bare LF in an interim one',
    `HTTP/1.1 103 E\nLink: a\n\n${ok}Content-Length: 0\r\n\r\n!`,
    ['interim 103 Link=a', 'head 200 Content-Length=0', 'end '],
    '!',
    { node: 'refuses bare line ends' },
  ],
  [
    'one length in two lines',
    `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi!`,
    ['head 200 Content-Length=2=Content-Length=2', 'body hi', 'end '],
    '!',
    { node: 'refuses' },
  ],
  [
    'a coding in front of its chunks',
    `${ok}Transfer-Encoding: X-GZip ,\tchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!`,
    ['head 200 Transfer-Encoding=X-GZip ,\tchunked', 'body hi', 'end '],
    '!',
  ],
  [
    'a coding in a line before that of its chunks',
    `${ok}Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!`,
    ['head 200 Transfer-Encoding=deflate=Transfer-Encoding=chunked', 'body hi', 'end '],
    '!',
  ],
  [
    'a switch that was asked for',
    'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n!',
    ['switch Connection=Upgrade=Upgrade=websocket'],
    '!',
    { asksToSwitch: true },
  ],
];

for (const [name, text, expected, rest, options] of accepted) {
  test(`a response with ${name} is read, in one piece and byte by byte`, () => {
    for (const step of [undefined, 1]) {
      const result = read(text, { ...options, ...(step === undefined ? {} : { step }) });
      assert.deepEqual(result.seen, expected);
      assert.equal(result.rest, rest, 'what comes behind is not touched');
      assert.equal(result.parser.isOver, true);
    }
  });
}

const refused: readonly (readonly [string, string])[] = [
  ['two CR before a LF', `${ok}X: a\r\r\nContent-Length: 5\r\n\r\n`],
  ['a bare CR as the end of its head', `${ok}X: a\r\n\rhello\r\n`],
  ['a bare LF in a folded line', `${ok}X: a\n b\n\n`],
  ['a bare LF behind a chunk', `${chunked}5\r\nhello\n0\r\n\r\n`],
  ['a bare LF in its trailers', `${chunked}0\r\nX: a\n\r\n`],
  ['a bare LF as the end of its trailers', `${chunked}0\r\n\n`],
  ['a bare CR in a field', `${ok}X: a\rContent-Length: 5\r\n\r\n`],
  ['an empty line before it', `\r\n${ok}\r\n`],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['the status 600', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['a folded line', `${ok}X: a\r\n b\r\n\r\n`],
  ['a blank before the colon', `${ok}Content-Length : 5\r\n\r\n`],
  ['a field without a colon', `${ok}X\r\n\r\n`],
  ['a NUL in a value', `${ok}X: \0\r\n\r\n`],
  ['two lengths', `${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`],
  ['two lengths that are one number', `${ok}Content-Length: 5\r\nContent-Length: 05\r\n\r\n`],
  ['a list of lengths', `${ok}Content-Length: 5, 5\r\n\r\n`],
  ['a signed length', `${ok}Content-Length: +5\r\n\r\n`],
  ['an endless length', `${ok}Content-Length: 99999999999999999999\r\n\r\n`],
  ['a length beside chunks', `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['a coding without chunks', `${ok}Transfer-Encoding: gzip\r\n\r\n`],
  ['a coding behind its chunks', `${ok}Transfer-Encoding: chunked, gzip\r\n\r\n`],
  ['two codings', `${ok}Transfer-Encoding: gzip, deflate, chunked\r\n\r\n`],
  ['an unknown coding', `${ok}Transfer-Encoding: br, chunked\r\n\r\n`],
  ['the coding that is none', `${ok}Transfer-Encoding: identity, chunked\r\n\r\n`],
  ['an empty coding', `${ok}Transfer-Encoding: gzip,, chunked\r\n\r\n`],
  ['a coding and a length', `${ok}Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n`],
  ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['chunks twice', `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a size that is none', `${chunked}0x5\r\nhello\r\n`],
  ['a blank behind a size', `${chunked}5 \r\nhello\r\n`],
  ['a size beyond 2^53', `${chunked}ffffffffffffffff\r\n`],
  ['an extension without a name', `${chunked}5;\r\nhello\r\n`],
  ['a chunk that is longer than its size', `${chunked}5\r\nhello!\r\n`],
  ['a bare LF behind a size', `${chunked}5\nhello\r\n`],
  ['a trailer that is no field', `${chunked}0\r\nX\r\n\r\n`],
  ['a switch that nobody asked for', 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
];

for (const [name, text] of refused) {
  test(`a response with ${name} is refused`, () => {
    for (const step of [1, 1000])
      assert.throws(() => read(text, { step }), { name: 'ProxyError', code: 'origin_malformed' });
  });
}

const bounded: readonly (readonly [keyof Limits, string])[] = [
  ['headBytesMax', `${ok}X: ${'a'.repeat(200)}`],
  ['headBytesMax', `${chunked}0\r\nX: ${'a'.repeat(200)}`],
  ['headersCountMax', `${ok}${'X: a\r\n'.repeat(11)}`],
  ['interimHeadsMax', 'HTTP/1.1 103 E\r\n\r\n'.repeat(11)],
  ['chunkLineBytesMax', `${chunked}1;a=${'a'.repeat(40)}`],
  ['chunkOverheadBytesMax', `${chunked}${'1;aaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n'.repeat(12)}`],
];

for (const [limit, text] of bounded) {
  test(`a response beyond ${limit} is refused before it is whole: ${JSON.stringify(text.slice(-20))}`, () => {
    const limits = {
      headBytesMax: 150,
      headersCountMax: 10,
      interimHeadsMax: 10,
      chunkLineBytesMax: 30,
      chunkOverheadBytesMax: 100,
    };
    for (const step of [1, 7, 1000])
      assert.throws(() => read(text, { step, limits }), { code: 'origin_malformed', limit });
  });
}

test('a body without a length ends with its connection, and with nothing else', () => {
  const { parser, seen } = read(`${ok}\r\nall of it`);
  assert.equal(parser.isOver, false);
  assert.equal(parser.endOfConnection(), true);
  assert.deepEqual(seen, ['head 200 ', 'body all of it', 'end ']);
  assert.equal(parser.isReusable, false);
  for (const text of [
    '',
    'HTTP/1.1 200',
    `${ok}Content-Length: 5\r\n\r\nhel`,
    `${chunked}5\r\nhello\r\n`,
    `${chunked}0\r\n`,
  ])
    assert.equal(read(text).parser.endOfConnection(), false, JSON.stringify(text));
});

test('a switch of protocols is refused in a head with a bare LF', () => {
  const head = 'HTTP/1.1 101 S\r\nConnection: Upgrade\nUpgrade: websocket\r\n\r\n!';
  assert.throws(() => read(head, { asksToSwitch: true }), { code: 'origin_malformed' });
});

const connections: readonly (readonly [string, boolean])[] = [
  [`${ok}Content-Length: 0\r\n\r\n`, true],
  [`${ok}Content-Length: 0\r\nConnection: keep-alive\r\n\r\n`, true],
  [`${ok}Content-Length: 0\r\nConnection: x, Close\r\n\r\n`, false],
  [`${ok}Content-Length: 0\r\nConnection: closed\r\n\r\n`, true],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n', false],
  // Read by leniency: no other response is looked for behind it.
  [`${ok}X: a\nContent-Length: 0\r\n\r\n`, false],
  [`HTTP/1.1 103 E\n\r\n${ok}Content-Length: 0\r\n\r\n`, false],
  [`${ok}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`, false],
  [`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, false],
];

for (const [text, isReusable] of connections) {
  test(`the connection is ${isReusable ? '' : 'not '}used again behind ${JSON.stringify(text)}`, () => {
    assert.equal(read(text).parser.isReusable, isReusable);
  });
}

test('a receiver that pauses gets nothing more of the same bytes until they are pushed again', () => {
  const pieces: string[] = [];
  const parser = new ResponseParser(
    {
      onInformation: () => undefined,
      onHead: () => undefined,
      onData: (piece) => pieces.push(Buffer.from(piece).toString()) === 0,
      onEnd: () => pieces.push('end'),
      onSwitch: () => undefined,
    },
    defaultLimits,
  );
  parser.begin({ method: 'GET', asksToSwitch: false });
  const bytes = Buffer.from(`${chunked}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`);
  const first = parser.push(bytes);
  assert.deepEqual(pieces, ['a']);
  const second = first + parser.push(bytes.subarray(first));
  assert.deepEqual(pieces, ['a', 'b']);
  parser.push(bytes.subarray(second));
  assert.deepEqual(pieces, ['a', 'b', 'end']);
});

test('what the table accepts, node:http reads the same way, unless it refuses it', () => {
  let compared = 0;
  for (const [name, text, seen, rest, { method = 'GET', node } = {}] of accepted) {
    const bytes = Buffer.from(text.slice(0, text.length - rest.length), 'latin1');
    const flags = node === undefined ? 0 : takesBareLineEnds;
    if (node !== undefined) assert.equal(readByNode(bytes, method).isRefused, true, name);
    const { responses, isRefused } = readByNode(bytes, method, flags);
    assert.equal(isRefused, node === 'refuses', name);
    if (isRefused) continue;
    assert.deepEqual(
      responses.map(({ status }) => status),
      seen
        .flatMap((one) => /^(?:head|interim) (\d+)/.exec(one)?.[1] ?? (one.startsWith('switch') ? 101 : []))
        .map(Number),
      name,
    );
    const body = seen.find((one) => one.startsWith('body '))?.slice(5) ?? '';
    assert.equal(responses.at(-1)?.body, body, name);
    compared += 1;
  }
  assert.equal(compared, accepted.length - 1);
});
