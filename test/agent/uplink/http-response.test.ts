import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type HttpResponse, HttpResponseParser } from '../../../src/agent/uplink/http-response.ts';

const limits = { headBytesMax: 512, bodyBytesMax: 64 };

function parse(text: string, pieceBytes = text.length): HttpResponse | undefined {
  const parser = new HttpResponseParser(limits);
  const bytes = Buffer.from(text, 'latin1');
  let response: HttpResponse | undefined;
  for (let i = 0; i < bytes.length; i += pieceBytes)
    response = parser.push(bytes.subarray(i, i + pieceBytes));
  return response;
}

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
        assert.equal(response.body.toString('latin1'), body);
      }
    });
  }

  test('that is not whole gives nothing', () => {
    assert.equal(parse(`${ok}Content-Length: 5\r\n\r\nhell`), undefined);
    assert.equal(parse(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`), undefined);
    assert.equal(parse('HTTP/1.1 200'), undefined);
  });

  test('has its fields by lower-case name, without the space around their values', () => {
    assert.equal(parse(`${ok}ETag: \t"a" \r\nContent-Length: 0\r\n\r\n`)?.fields.get('etag'), '"a"');
  });
});

describe('a response is refused', () => {
  const refused: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    ['with both framings', `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /both/],
    ['with two lengths', `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, /twice/],
    ['with a signed length', `${ok}Content-Length: +1\r\n\r\n`, /Content-Length/],
    ['with another coding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`, /chunked/],
    ['that would end with the connection', `${ok}\r\nhello`, /neither/],
    ['with a body over the limit', `${ok}Content-Length: 65\r\n\r\n`, /longer than 64/],
    ['with chunks over the limit', `${ok}Transfer-Encoding: chunked\r\n\r\n41\r\n`, /longer than 64/],
    ['with a chunk size that is no number', `${ok}Transfer-Encoding: chunked\r\n\r\n0x5\r\n`, /valid size/],
    [
      'with a chunk longer than its size',
      `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n`,
      /longer|size/,
    ],
    ['with trailers', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n`, /trailers/],
    ['with bytes behind its end', `${ok}Content-Length: 1\r\n\r\nab`, /follow/],
    ['with a folded field', `${ok}X: 1\r\n folded\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['with a space before the colon', `${ok}X : 1\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['with a control character', `${ok}X: \x01\r\nContent-Length: 0\r\n\r\n`, /field/],
    ['that is interim', 'HTTP/1.1 100 Continue\r\n\r\n', /status line/],
    ['of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /start as HTTP/],
    ['of HTTP/2', 'HTTP/2 200\r\n\r\n', /status line/],
    ['with a head over the limit', `${ok}X: ${'x'.repeat(600)}`, /head is longer/],
  ];
  for (const [name, text, reason] of refused) {
    test(name, () => assert.throws(() => parse(text), { code: 'gateway_protocol', message: reason }));
  }
});
