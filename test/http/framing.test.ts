import assert from 'node:assert/strict';
import test from 'node:test';

import { parseContentLength, requestFraming } from '../../src/http/framing.ts';
import { HeaderList } from '../../src/http/header-list.ts';

const framing = (raw: readonly string[], version: '1.0' | '1.1' | '2' = '1.1', ended?: boolean) =>
  requestFraming(HeaderList.fromRaw(raw), version, ended);

function refused(raw: readonly string[], version: '1.0' | '1.1' | '2' = '1.1', ended?: boolean): void {
  assert.throws(() => framing(raw, version, ended), { code: 'request_malformed' }, raw.join('|'));
}

test('a length is plain decimal digits', () => {
  assert.equal(parseContentLength('0'), 0);
  assert.equal(parseContentLength('9007199254740991'), Number.MAX_SAFE_INTEGER);
  for (const value of [
    '',
    '+5',
    '-5',
    '5 ',
    ' 5',
    '0x5',
    '5_0',
    '5, 5',
    '05',
    '5.0',
    '1e3',
    '18446744073709551621',
    '9007199254740993',
    '５',
  ]) {
    assert.equal(parseContentLength(value), undefined, value);
  }
});

test('a body is as long as its one Content-Length, chunked, or not there', () => {
  assert.deepEqual(framing(['Content-Length', '5']), { kind: 'length', length: 5 });
  assert.deepEqual(framing(['Transfer-Encoding', 'chunked']), { kind: 'chunked' });
  assert.deepEqual(framing(['Transfer-Encoding', 'Chunked']), { kind: 'chunked' });
  assert.deepEqual(framing([]), { kind: 'none' });
});

test('Content-Length and Transfer-Encoding together are refused in both orders', () => {
  refused(['Content-Length', '6', 'Transfer-Encoding', 'chunked']);
  refused(['Transfer-Encoding', 'chunked', 'content-length', '6']);
});

test('a second Content-Length is refused, even an equal one, even in another spelling', () => {
  refused(['Content-Length', '5', 'Content-Length', '0']);
  refused(['Content-Length', '5', 'content-length', '5']);
  for (const value of ['5, 5', '+5', '', '0x5', '5_0']) refused(['Content-Length', value]);
});

test('a Transfer-Encoding other than chunked, once, in HTTP/1.1, is refused', () => {
  for (const value of [
    ',chunked',
    'chunked,',
    'chunked, gzip',
    'gzip, chunked',
    'xchunked',
    '\x0bchunked',
    'identity',
    '',
    'chunked;q=1',
  ]) {
    refused(['Transfer-Encoding', value]);
  }
  refused(['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked']);
  refused(['Transfer-Encoding', 'chunked'], '1.0');
  refused(['transfer-encoding', 'chunked'], '2');
});

test('names that CGI reads as framing are refused', () => {
  refused(['Content_Length', '5']);
  refused(['Transfer_Encoding', 'chunked']);
});

test('an HTTP/2 request without a length may have a body until the stream ends', () => {
  assert.deepEqual(framing([], '2'), { kind: 'chunked' });
  assert.deepEqual(framing([], '2', false), { kind: 'chunked' });
  assert.deepEqual(framing([], '2', true), { kind: 'none' });
  assert.deepEqual(framing(['content-length', '0'], '2', true), { kind: 'length', length: 0 });
  refused(['content-length', '3'], '2', true);
});
