import assert from 'node:assert/strict';
import test from 'node:test';

import { validateTrailers } from '../../src/http/trailers.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

test('a request passes only a short list of trailers on', () => {
  const raw = [
    'Host',
    'evil.test',
    'Authorization',
    'x',
    'Content-Length',
    '5',
    'X-Any',
    '1',
    'Content-Digest',
    'd',
    'x-amz-checksum-crc32',
    'c',
  ];
  assert.deepEqual(validateTrailers(raw, 'request', defaultLimits).toRaw(), [
    'Content-Digest',
    'd',
    'x-amz-checksum-crc32',
    'c',
  ]);
});

test('a response keeps the trailers of gRPC and loses those that would change its head', () => {
  const bad = [
    'Set-Cookie',
    'Transfer-Encoding',
    'Content-Type',
    'Location',
    'Cache-Control',
    'WWW-Authenticate',
    'Alt-Svc',
    'Proxy-Authenticate',
  ];
  const raw = [
    'grpc-status',
    '0',
    'grpc-message',
    '',
    'my-trailer-bin',
    'AAEC',
    ...bad.flatMap((name) => [name, 'x']),
  ];
  const names = [...validateTrailers(raw, 'response', defaultLimits)].map(([name]) => name);
  assert.deepEqual(names, ['grpc-status', 'grpc-message', 'my-trailer-bin']);
});

test('trailers with control characters are refused', () => {
  assert.throws(() => validateTrailers(['x', 'a\r\nb'], 'request', defaultLimits), {
    code: 'request_malformed',
  });
  assert.throws(() => validateTrailers(['x y', 'a'], 'response', defaultLimits), {
    code: 'origin_malformed',
  });
});
