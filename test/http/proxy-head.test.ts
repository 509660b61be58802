import assert from 'node:assert/strict';
import test from 'node:test';

import { parseProxyHead } from '../../src/http/proxy-head.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

const parse = (text: string) => parseProxyHead(Buffer.from(text, 'latin1'), defaultLimits);

function refused(text: string, code = 'request_malformed', message = /./): void {
  assert.throws(() => parse(text), { code, message }, JSON.stringify(text));
}

test('CONNECT gives its authority and where the tunnel begins', () => {
  const head = 'CONNECT Allowed.test:443 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl\r\n\r\n';
  assert.deepEqual(parse(`${head}\x16\x03\x01`), {
    state: 'connect',
    authority: { host: 'allowed.test', port: 443 },
    headBytes: head.length,
  });
  assert.deepEqual(parse('CONNECT [::1]:80 HTTP/1.0\r\n\r\n'), {
    state: 'connect',
    authority: { host: '::1', port: 80 },
    headBytes: 29,
  });
});

test('every prefix of a head is incomplete, and the whole gives the same as at once', () => {
  const head = 'CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n';
  for (let length = 0; length < head.length; length++) {
    assert.deepEqual(parse(head.slice(0, length)), { state: 'incomplete' }, String(length));
  }
  assert.equal(parse(head).state, 'connect');
});

test('any other request is handed on from its first line', () => {
  assert.deepEqual(parse('GET http://allowed.test/ HTTP/1.1\r\nHo'), {
    state: 'forward',
    method: 'GET',
    target: 'http://allowed.test/',
  });
  assert.deepEqual(parse('GET /healthz HTTP/1.0\r\n'), {
    state: 'forward',
    method: 'GET',
    target: '/healthz',
  });
});

test('a CONNECT target that is not a strict authority is refused', () => {
  const targets = [
    'allowed.test',
    'allowed.test:0443',
    'allowed.test:443:80',
    'a@b.test:443',
    '[evil.test]:443',
    '127.1:80',
    '/etc',
    'allowed.test:443%0d%0aX:%20b',
    'http://allowed.test/',
  ];
  for (const target of targets) refused(`CONNECT ${target} HTTP/1.1\r\n\r\n`, 'authority_malformed');
});

test('a CONNECT with a body is refused', () => {
  refused('CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nEARLY');
  refused('CONNECT a.test:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal(parse('CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 0\r\n\r\n').state, 'connect');
});

test('bare line ends, folded lines and broken fields are refused', () => {
  refused('CONNECT a.test:443 HTTP/1.1\nHost: x\n\n');
  refused('CONNECT a.test:443 HTTP/1.1\rX');
  refused('CONNECT a.test:443 HTTP/1.1\r\nHost: x\n\r\n\r\n');
  refused('CONNECT a.test:443 HTTP/1.1\r\nHost: x\r\n y\r\n\r\n');
  refused('CONNECT a.test:443 HTTP/1.1\r\nnonsense\r\n\r\n');
  refused('CONNECT a.test:443 HTTP/1.1\r\nX : y\r\n\r\n');
  refused('CONNECT a.test:443 HTTP/1.1\r\nX: a\0b\r\n\r\n');
  refused('CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
});

test('HTTP/0.9, other versions and odd request lines are refused', () => {
  for (const line of [
    'GET /',
    'GET / HTTP/2.0',
    'GET / HTTP/1.2',
    'GET / http/1.1',
    'PRI * HTTP/2.0',
    'GET  / HTTP/1.1',
    'GET / HTTP/1.1 ',
    'get / HTTP/1.1',
    'GeT / HTTP/1.1',
    'GET\t/ HTTP/1.1',
    'GET /a b HTTP/1.1',
  ]) {
    refused(`${line}\r\n\r\n`);
  }
  refused('\r\n\r\nGET / HTTP/1.1\r\n');
  refused('\nGET / HTTP/1.1\r\n');
});

test('one empty line before the first request is ignored (RFC 9112 §2.2)', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  const head = '\r\nCONNECT a.test:443 HTTP/1.1\r\n\r\n';
  const parsed = parseProxyHead(bytes(`${head}tunnel`), defaultLimits);
  assert.equal(parsed.state, 'connect');
  assert.equal(parsed.state === 'connect' && parsed.headBytes, head.length);
  assert.equal(parseProxyHead(bytes('\r\nGET http://a.test/ HTTP/1.1\r\n'), defaultLimits).state, 'forward');
  for (const start of ['\r', '\r\n', '\r\nGET'])
    assert.equal(parseProxyHead(bytes(start), defaultLimits).state, 'incomplete');
});

test('another protocol is told at its first byte, and what to do', () => {
  refused('\x16', 'request_malformed', /TLS/);
  refused('\x05\x01\x00', 'request_malformed', /SOCKS/);
  refused('\x00');
  refused('ssh');
});

test('heads have limits', () => {
  refused(
    `CONNECT a.test:443 HTTP/1.1\r\nX: ${'x'.repeat(defaultLimits.connectHeadBytesMax)}`,
    'head_too_large',
  );
  refused('A'.repeat(defaultLimits.headBytesMax + 1), 'head_too_large');
  refused(
    `CONNECT a.test:443 HTTP/1.1\r\n${'a: b\r\n'.repeat(defaultLimits.headersCountMax + 1)}\r\n`,
    'head_too_large',
  );
});

test('the hops of a CONNECT are those of all its Via fields, in order', () => {
  const text = 'CONNECT a.test:443 HTTP/1.1\r\nVia: 1.1 one\r\nHost: a.test\r\nvia: 1.0 two\r\n\r\n';
  const head = parse(text);
  assert.equal(head.state === 'connect' ? head.via : '', '1.1 one, 1.0 two');
});
