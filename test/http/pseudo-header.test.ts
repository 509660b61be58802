import assert from 'node:assert/strict';
import test from 'node:test';

import { joinCookies, takePseudoHeaders } from '../../src/http/pseudo-header.ts';

function refused(...raw: string[]): void {
  assert.throws(() => takePseudoHeaders(raw), { code: 'request_malformed' }, raw.join('|'));
}

test('pseudo-header fields are taken off the regular ones', () => {
  assert.deepEqual(takePseudoHeaders([':method', 'GET', ':path', '/', 'accept', '*/*', 'te', 'trailers']), {
    pseudo: { method: 'GET', path: '/' },
    regular: ['accept', '*/*', 'te', 'trailers'],
  });
});

test('repeated, late, empty and unknown pseudo-header fields are refused', () => {
  refused(':path', '/', ':path', '/admin');
  refused(':path', '/', 'accept', '*/*', ':authority', 'evil.test');
  refused(':path', '');
  refused(':status', '200');
  refused(':', 'x');
  refused(':__proto__', 'x');
});

test('fields of one HTTP/1.1 connection are refused', () => {
  for (const name of [
    'connection',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ])
    refused(name, 'x');
  refused('te', 'gzip');
});

test('cookie crumbs become one cookie at the place of the first', () => {
  assert.deepEqual(joinCookies(['cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'cookie', 'c=3']), [
    'cookie',
    'a=1; b=2; c=3',
    'x',
    'y',
  ]);
});
