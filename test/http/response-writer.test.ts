import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeLastResponse, encodeRefusal, encodeResponseHead } from '../../src/http/response-writer.ts';
import { ResponseReader } from '../../src/http/response-reader.ts';
import { ProxyError } from '../../src/protocol/error.ts';

test('a head is its status line, its fields and an empty line', () => {
  assert.equal(encodeResponseHead(200), 'HTTP/1.1 200 Connection established\r\n\r\n');
  assert.equal(
    encodeResponseHead(101, [['Upgrade', 'websocket']]),
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
  );
  // RFC 9112 §4: the space stays where the phrase is absent.
  assert.equal(encodeResponseHead(499), 'HTTP/1.1 499 \r\n\r\n');
});

test('nothing that would be two fields, or none, is written', () => {
  for (const [name, value] of [
    ['a b', 'x'],
    ['', 'x'],
    ['a:', 'x'],
    ['a', 'x\r\nb: y'],
    ['a', 'x\ny'],
    ['a', 'x\0'],
  ] as const)
    assert.throws(() => encodeResponseHead(200, [[name, value]]), { code: 'internal' });
});

test('the length is that of the bytes, and the connection ends', () => {
  assert.equal(
    encodeLastResponse(400, [['A', 'b']], 'é'),
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nA: b\r\nContent-Length: 2\r\n\r\né',
  );
});

test('a refusal is read by our own reader, with the code, the words and the trace', () => {
  const error = new ProxyError('policy_denied', 'no rule – none');
  for (const traceId of [undefined, 'abc']) {
    const reader = new ResponseReader({
      request: { method: 'GET', asksToSwitch: false },
      limits: { headBytesMax: 500, headersCountMax: 10 },
      bodyBytesMax: 500,
      fault: (reason) => new ProxyError('internal', reason),
    });
    reader.push(Buffer.from(encodeRefusal(error, 403, traceId)));
    const { status, headers, body, isReusable } = reader.response ?? assert.fail('it is not whole');
    assert.deepEqual([status, isReusable], [403, false]);
    assert.equal(headers.first('x-deny-reason'), 'policy_denied');
    assert.equal(headers.first('x-trace-id'), traceId);
    assert.equal(
      Buffer.from(body).toString(),
      `upstreamproxy: no rule – none\nreason: policy_denied\n${traceId === undefined ? '' : 'trace: abc\n'}`,
    );
  }
});
