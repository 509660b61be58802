import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ResponseReader } from '../../src/http/response-reader.ts';
import type { ReadResponse } from '../../src/http/response-reader.ts';
import { ProxyError } from '../../src/protocol/error.ts';

const limits = { headBytesMax: 512, headersCountMax: 10 };

function readerOf(
  request: { readonly method?: string; readonly asksToSwitch?: boolean } = {},
): ResponseReader {
  return new ResponseReader({
    request: { method: 'GET', asksToSwitch: false, ...request },
    limits,
    bodyBytesMax: 64,
    fault: (reason) => new ProxyError('gateway_protocol', reason),
  });
}

function pushed(reader: ResponseReader, text: string, pieceBytes = text.length): ResponseReader {
  const bytes = Buffer.from(text, 'latin1');
  for (let i = 0; i < bytes.length; i += pieceBytes) reader.push(bytes.subarray(i, i + pieceBytes));
  return reader;
}

const parse = (text: string, pieceBytes?: number): ReadResponse | undefined =>
  pushed(readerOf(), text, pieceBytes).response;

const ok = 'HTTP/1.1 200 OK\r\n';

describe('a response', () => {
  const responses: readonly (readonly [name: string, text: string, status: number, body: string])[] = [
    ['with a length', `${ok}Content-Length: 5\r\n\r\nhello`, 200, 'hello'],
    ['with an empty body', `${ok}Content-Length: 0\r\n\r\n`, 200, ''],
    ['in chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`, 200, 'hello'],
    ['without a body by its status', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
    [
      '304 with the length of what is not sent',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
      304,
      '',
    ],
    ['without a reason phrase', 'HTTP/1.1 401\r\nContent-Length: 2\r\n\r\n{}', 401, '{}'],
    ['of exactly the limit', `${ok}Content-Length: 64\r\n\r\n${'x'.repeat(64)}`, 200, 'x'.repeat(64)],
  ];
  for (const [name, text, status, body] of responses) {
    test(`${name} is taken, whole or byte by byte`, () => {
      for (const pieceBytes of [text.length, 1, 3]) {
        const response = parse(text, pieceBytes);
        assert.equal(response?.status, status);
        assert.equal(Buffer.from(response.body).toString('latin1'), body);
      }
    });
  }

  test('that is not whole gives nothing', () => {
    assert.equal(parse(`${ok}Content-Length: 5\r\n\r\nhell`), undefined);
    assert.equal(parse(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`), undefined);
    assert.equal(parse('HTTP/1.1 200'), undefined);
  });

  test('has its fields by lower-case name, without the space around their values', () => {
    assert.equal(parse(`${ok}ETag: \t"a" \r\nContent-Length: 0\r\n\r\n`)?.headers.first('etag'), '"a"');
  });
});

describe('a response is refused', () => {
  const refused: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    ['with both framings', `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /stand together/],
    ['with two lengths', `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, /more than once/],
    ['with a signed length', `${ok}Content-Length: +1\r\n\r\n`, /Content-Length/],
    ['with another coding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`, /chunked/],
    ['with a bare LF behind its first line', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', /without CR/],
    ['with a bare LF behind a field', `${ok}Content-Length: 0\n\r\n`, /without CR/],
    ['with a bare LF as the end of its head', `${ok}Content-Length: 0\r\n\n`, /without CR/],
    ['that would end with the connection', `${ok}\r\nhello`, /neither/],
    ['with a body over the limit', `${ok}Content-Length: 65\r\n\r\n`, /longer than 64/],
    ['with chunks over the limit', `${ok}Transfer-Encoding: chunked\r\n\r\n41\r\n`, /longer than 64/],
    ['with a chunk size that is no number', `${ok}Transfer-Encoding: chunked\r\n\r\n0x5\r\n`, /valid size/],
    [
      'with a chunk longer than its size',
      `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n`,
      /longer than its size/,
    ],
    ['with trailers', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n`, /trailers/],
    ['with bytes behind its end', `${ok}Content-Length: 1\r\n\r\nab`, /follow/],
    ['with a folded field', `${ok}X: 1\r\n folded\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['with a space before the colon', `${ok}X : 1\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['with a control character', `${ok}X: \x01\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['that is interim', 'HTTP/1.1 100 Continue\r\n\r\n', /interim/],
    ['of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /status line/],
    ['of HTTP/2', 'HTTP/2 200\r\n\r\n', /status line/],
    ['with a head over the limit', `${ok}X: ${'x'.repeat(600)}`, /head is larger/],
    ['with a head over the limit that is whole', `${ok}X: ${'x'.repeat(600)}\r\n\r\n`, /head is larger/],
    ['with more fields than the limit', `${ok}${'X: 1\r\n'.repeat(11)}\r\n`, /more than 10/],
    ['with the date twice', `${ok}Date: a\r\nDate: b\r\nContent-Length: 0\r\n\r\n`, /date/],
    [
      'with an extension of a chunk',
      `${ok}Transfer-Encoding: chunked\r\n\r\n1;name=value\r\na\r\n`,
      /extension/,
    ],
    [
      'that switches without being asked',
      `HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
      /asked/,
    ],
    ['with a status of two digits', 'HTTP/1.1 99 x\r\n\r\n', /status line/],
    ['with two spaces before its status', 'HTTP/1.1  200 OK\r\n\r\n', /status line/],
    ['in lower case', 'http/1.1 200 OK\r\n\r\n', /start as HTTP|status line/],
    ['with a name of two words', `${ok}bad name: x\r\n\r\n`, /field/],
    ['with a field without a name', `${ok}: x\r\n\r\n`, /field/],
    ['with a NUL in a value', `${ok}A: x\0y\r\n\r\n`, /field/],
    ['with a bare LF', `${ok}A: x\ny: z\r\n\r\n`, /without CR/],
  ];
  for (const [name, text, reason] of refused) {
    test(name, () => assert.throws(() => parse(text), { code: 'gateway_protocol', message: reason }));
  }
});

test('what is not HTTP is refused by its first bytes', () => {
  for (const text of ['S', 'HTTP/2', 'HTTQ', '\x16\x03\x01'])
    assert.throws(() => parse(text), { message: /start as HTTP/ });
  assert.equal(parse('HTTP/1'), undefined);
});

describe('what comes behind a head that hands the connection over is kept, in any split', () => {
  const rows: readonly (readonly [
    string,
    string,
    { readonly method?: string; readonly asksToSwitch?: boolean },
  ])[] = [
    [
      'a switch',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      { asksToSwitch: true },
    ],
    ['a tunnel', 'HTTP/1.1 200 Connection established\r\n\r\n', { method: 'CONNECT' }],
    ['a tunnel that says a length', 'HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n', { method: 'CONNECT' }],
  ];
  for (const [name, head, request] of rows) {
    test(name, () => {
      for (const pieceBytes of [1000, 1, 7]) {
        const reader = pushed(readerOf(request), `${head}rest`, pieceBytes);
        assert.equal(Buffer.from(reader.rest).toString(), 'rest');
        assert.equal(reader.response?.body.length, 0);
      }
    });
  }
});

test('of a refusal that breaks off or says no length, the head and what came are there', () => {
  const refusal = readerOf({ method: 'CONNECT' });
  assert.throws(() => pushed(refusal, 'HTTP/1.1 403 No\r\nX-Deny-Reason: policy_denied\r\n\r\nwhy'), {
    message: /neither/,
  });
  assert.deepEqual(
    [refusal.head?.status, refusal.head?.headers.first('x-deny-reason')],
    [403, 'policy_denied'],
  );
  const long = readerOf({ asksToSwitch: true });
  assert.throws(() => pushed(long, 'HTTP/1.1 403 No\r\nContent-Length: 65\r\n\r\n'), {
    message: /longer than 64/,
  });
  assert.equal(long.head?.status, 403);
  const cut = pushed(readerOf(), 'HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nhalf');
  assert.equal(cut.response, undefined);
  assert.equal(Buffer.from(cut.bodySoFar).toString(), 'half');
});

test('a connection is used again where neither version nor field says no', () => {
  const isReusable = (text: string): boolean | undefined => parse(text)?.isReusable;
  assert.equal(isReusable(`${ok}Content-Length: 0\r\n\r\n`), true);
  assert.equal(isReusable(`${ok}Connection: x, close\r\nContent-Length: 0\r\n\r\n`), false);
  assert.equal(isReusable('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'), false);
});
