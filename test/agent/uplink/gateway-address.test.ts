import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLoopback, parseGatewayUrl } from '../../../src/agent/uplink/gateway-address.ts';

describe('a gateway URL', () => {
  test('gives host, port and what stands in requests', () => {
    assert.deepEqual(parseGatewayUrl('https://Gateway.Example.com/prefix/'), {
      host: 'gateway.example.com',
      port: 443,
      secure: true,
      hostField: 'gateway.example.com',
      baseUrl: 'https://gateway.example.com/prefix',
      origin: 'https://gateway.example.com',
      prefix: '/prefix',
    });
  });
  test('may name an IPv6 address and a port', () => {
    const { host, port, hostField } = parseGatewayUrl('https://[::1]:8443');
    assert.deepEqual({ host, port, hostField }, { host: '::1', port: 8443, hostField: '[::1]:8443' });
  });
  test('may be plain only on loopback and only when asked for', () => {
    assert.equal(parseGatewayUrl('http://127.0.0.1:80', true).secure, false);
    for (const [url, allowed] of [
      ['http://127.0.0.1', false],
      ['http://example.com', true],
      ['http://127.0.0.1.example.com', true],
      ['http://10.0.0.1', true],
    ] as const) {
      assert.throws(() => parseGatewayUrl(url, allowed), { code: 'config_invalid', message: /https/ }, url);
    }
  });
  for (const url of [
    'gateway.example.com',
    'ftp://example.com',
    'https://',
    'https://a/?q',
    'https://a/#f',
    '',
  ]) {
    test(`${JSON.stringify(url)} is refused`, () => {
      assert.throws(() => parseGatewayUrl(url), { code: 'config_invalid' });
    });
  }
  test('with a password is refused, and the password not repeated', () => {
    assert.throws(
      () => parseGatewayUrl('https://user:hunter2@example.com'),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });
});

test('loopback is 127.0.0.0/8, ::1 and localhost', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    assert.equal(isLoopback(host), true, host);
  for (const host of ['128.0.0.1', '::2', 'localhost.example.com', '127.evil.test']) {
    assert.equal(isLoopback(host), false, host);
  }
});
