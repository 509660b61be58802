import assert from 'node:assert/strict';
import test from 'node:test';

import type { Destination } from '../../src/http/destination.ts';
import {
  validateProxyRequest,
  validateRequest,
  type RequestInput,
} from '../../src/http/request-validation.ts';
import { defaultLimits as limits } from '../../src/protocol/limits.ts';

const destination: Destination = { scheme: 'https', host: 'allowed.test', port: 443 };
const base: RequestInput = {
  method: 'GET',
  target: '/',
  rawHeaders: ['Host', 'allowed.test'],
  httpVersion: '1.1',
  limits,
};

const validate = (changes: Partial<RequestInput>, to: Destination = destination) =>
  validateRequest({ ...base, ...changes, destination: to });
const withFields = (...raw: string[]) =>
  validate({ method: 'POST', rawHeaders: ['Host', 'allowed.test', ...raw] });
const withHost = (...hosts: string[]) => validate({ rawHeaders: hosts.flatMap((host) => ['Host', host]) });
const http2 = (raw: readonly string[], changes: Partial<RequestInput> = {}, to: Destination = destination) =>
  validate({ httpVersion: '2', rawHeaders: raw, ...changes }, to);
const proxied = (target: string, ...raw: string[]) =>
  validateProxyRequest({ ...base, target, rawHeaders: raw });

function refused(code: string, run: () => unknown, message?: RegExp): void {
  assert.throws(run, message === undefined ? { code } : { code, message });
}

test('a plain request has its canonical parts and the destination of the stream', () => {
  const { head, ...facts } = validate({
    target: '/a/%7Eb/../c?d=e',
    rawHeaders: ['HOST', 'Allowed.TEST.:443', 'Accept', '*/*'],
  });
  assert.deepEqual(
    { ...head, headers: head.headers.toRaw() },
    {
      method: 'GET',
      destination,
      path: '/a/c',
      query: '?d=e',
      headers: ['Accept', '*/*'],
      httpVersion: '1.1',
    },
  );
  assert.deepEqual(facts, {
    framing: { kind: 'none' },
    upgrade: undefined,
    expectContinue: false,
    trailersAccepted: false,
  });
});

test('a Host other than the destination is a mismatch that names both', () => {
  refused('authority_mismatch', () => withHost('evil.test'), /evil\.test.*allowed\.test/);
  refused('authority_mismatch', () => withHost('allowed.test:8443'));
  refused('authority_mismatch', () => withHost('evilallowed.test'));
  refused('authority_mismatch', () => withHost('127.0.0.1'));
  refused('authority_mismatch', () => validate({}, { scheme: 'https', host: '203.0.113.66', port: 443 }));
});

test('Host may leave out the port of the stream, since it is written anew', () => {
  const to = { ...destination, port: 8443 };
  assert.equal(validate({ rawHeaders: ['Host', 'allowed.test:8443'] }, to).head.destination.port, 8443);
  assert.equal(validate({}, to).head.destination.port, 8443);
});

test('two Hosts are refused in both orders, and even if they are equal', () => {
  for (const hosts of [
    ['allowed.test', 'evil.test'],
    ['evil.test', 'allowed.test'],
    ['allowed.test', 'allowed.test'],
  ]) {
    refused('request_malformed', () => withHost(...hosts));
  }
});

test('a Host with anything but an authority is refused', () => {
  for (const host of [
    'allowed.test@evil.test',
    'allowed.test/evil.test',
    'allowed.test#.evil.test',
    'allowed.test,evil.test',
    'allowed.test\\evil.test',
    '[allowed.test]',
    'allowed.test:443:80',
    '%61llowed.test',
  ]) {
    refused('authority_malformed', () => withHost(host));
  }
});

test('Host is required, except in HTTP/1.0, where the destination stands for it', () => {
  refused('request_malformed', () => withHost());
  refused('request_malformed', () => withHost(''));
  refused('request_malformed', () => validate({ rawHeaders: ['Host', ' '], httpVersion: '1.0' }));
  assert.equal(validate({ rawHeaders: [], httpVersion: '1.0' }).head.destination.host, 'allowed.test');
});

test('an absolute target inside a stream has to name the very destination of it', () => {
  assert.equal(validate({ target: 'https://ALLOWED.test:443/x/../y' }).head.path, '/y');
  refused('authority_mismatch', () => validate({ target: 'http://evil.test/x' }));
  refused('authority_mismatch', () => validate({ target: 'http://allowed.test/x' }));
  refused('authority_mismatch', () => validate({ target: 'https://allowed.test:444/' }));
  refused('authority_mismatch', () =>
    validate({ target: 'https://allowed.test/', rawHeaders: ['Host', 'evil.test'] }),
  );
  refused('request_malformed', () => validate({ target: 'ftp://allowed.test/' }));
});

test('a target is a path, or * for OPTIONS', () => {
  assert.equal(validate({ method: 'OPTIONS', target: '*' }).head.path, '*');
  for (const target of ['*', 'allowed.test:443', '', 'x']) {
    refused('request_malformed', () => validate({ target }));
  }
  assert.equal(validate({ method: 'OPTIONS', target: 'https://allowed.test' }).head.path, '*');
  assert.equal(validate({ target: 'https://allowed.test' }).head.path, '/');
});

test('TRACE, CONNECT and their like are never forwarded', () => {
  for (const method of ['TRACE', 'TRACK', 'DEBUG', 'CONNECT', 'PRI'])
    refused('method_refused', () => validate({ method }));
});

test('a method is an upper-case token', () => {
  for (const method of [
    'get',
    'Get',
    'post',
    'GET ',
    '',
    'GET /admin HTTP/1.1\r\nX:',
    'GÉT',
    'A'.repeat(33),
    '1GET',
  ]) {
    refused('request_malformed', () => validate({ method }));
  }
  for (const method of ['PROPFIND', 'M-SEARCH', 'QUERY', 'VERSION-CONTROL'])
    assert.equal(validate({ method }).head.method, method);
});

test('a field that asks for another method is refused, also with underscores', () => {
  for (const name of [
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'x_http_method_override',
  ]) {
    refused('request_malformed', () => withFields(name, 'DELETE'));
  }
  assert.equal(withFields('X-HTTP-Method-Override', 'post').head.method, 'POST');
});

test('framing comes out as a fact, and its fields do not', () => {
  const request = withFields('Content-Length', '5', 'Content-Type', 'a/b');
  assert.deepEqual(request.framing, { kind: 'length', length: 5 });
  assert.deepEqual(request.head.headers.toRaw(), ['Content-Type', 'a/b']);
  assert.deepEqual(withFields('Transfer-Encoding', 'chunked').head.headers.size, 0);
  refused('request_malformed', () => withFields('Content-Length', '6', 'Transfer-Encoding', 'chunked'));
});

test('fields of one hop and claims of another way do not reach the origin', () => {
  const raw = [
    'Proxy-Authorization',
    'Bearer x',
    'Proxy-Connection',
    'keep-alive',
    'Connection',
    'x-a',
    'X-A',
    '1',
    'X-Forwarded-Host',
    'evil.test',
    'X-Original-URL',
    '/admin',
    'TE',
    'trailers',
    'Upgrade',
    'h2c',
    'HTTP2-Settings',
    'x',
  ];
  const request = withFields(...raw, 'Accept', '*/*');
  assert.deepEqual(request.head.headers.toRaw(), ['Accept', '*/*']);
  assert.equal(request.trailersAccepted, true);
  assert.equal(request.upgrade, undefined);
  refused('request_malformed', () => withFields('Authorization', 'x', 'Connection', 'authorization'));
});

test('a field that exists once cannot come twice', () => {
  refused('request_malformed', () => withFields('Authorization', 'a', 'AUTHORIZATION', 'b'));
  refused('request_malformed', () => withFields('Content-Type', 'a', 'content-type', 'b'));
});

test('100-continue is a fact, and any other expectation is refused', () => {
  const request = withFields('Expect', '100-Continue', 'Content-Length', '1');
  assert.equal(request.expectContinue, true);
  assert.equal(request.head.headers.has('expect'), false);
  refused('expectation_failed', () => withFields('Expect', '200-ok'));
  refused('request_malformed', () => withFields('Expect', '100-continue', 'Expect', '100-continue'));
});

test('a WebSocket handshake keeps its fields, and a body in it is refused', () => {
  const fields = [
    'Connection',
    'Upgrade',
    'Upgrade',
    'websocket',
    'Sec-WebSocket-Version',
    '13',
    'Sec-WebSocket-Key',
    'AQIDBAUGBwgJCgsMDQ4PEA==',
  ];
  const rawHeaders = ['Host', 'allowed.test', ...fields];
  const request = validate({ rawHeaders });
  assert.equal(request.upgrade, 'websocket');
  assert.deepEqual(request.head.headers.toRaw(), fields.slice(4));
  refused('request_malformed', () => validate({ rawHeaders: [...rawHeaders, 'Content-Length', '1'] }));
  refused('request_malformed', () =>
    validate({ rawHeaders: [...rawHeaders, 'Sec-WebSocket-Key', 'AQIDBAUGBwgJCgsMDQ4PEA=='] }),
  );
  assert.equal(withFields('Sec-WebSocket-Key', 'x').head.headers.size, 0);
});

test('the head has limits on bytes and on fields, the target included', () => {
  refused('head_too_large', () => validate({ target: `/${'a'.repeat(limits.headBytesMax)}` }));
  refused('head_too_large', () => withFields('X', 'x'.repeat(limits.headBytesMax)));
  refused('head_too_large', () =>
    withFields(...Array.from({ length: limits.headersCountMax }, () => ['a', 'b']).flat()),
  );
});

test('control characters and broken names are refused', () => {
  for (const [name, value] of [
    ['X', 'a\0b'],
    ['X\0', 'a'],
    ['X', '\x01'],
    ['', 'x'],
    ['X ', 'a'],
    ['X', 'y\r\nHost: evil.test'],
    ['X', 'a\n b'],
  ]) {
    refused('request_malformed', () => withFields(name!, value!));
  }
});

const pseudo = [':method', 'GET', ':scheme', 'https', ':authority', 'allowed.test', ':path', '/'];

test('an HTTP/2 request is judged by :authority on each stream', () => {
  const { head } = http2([...pseudo, 'accept', '*/*']);
  assert.deepEqual([head.httpVersion, head.path, head.headers.toRaw()], ['2', '/', ['accept', '*/*']]);
  refused('authority_mismatch', () =>
    http2([':method', 'GET', ':scheme', 'https', ':authority', 'evil.test', ':path', '/']),
  );
  refused('authority_malformed', () => http2([':authority', 'u@allowed.test']));
});

test(':authority and host have to agree, and one of them has to be there', () => {
  refused('authority_mismatch', () => http2([...pseudo, 'host', 'evil.test']));
  refused('authority_mismatch', () => http2([':authority', 'evil.test', 'host', 'allowed.test']));
  refused('authority_mismatch', () => http2(['host', 'evil.test']));
  assert.equal(http2([...pseudo, 'host', 'allowed.test']).head.headers.size, 0);
  assert.equal(http2(['host', 'allowed.test']).head.destination.host, 'allowed.test');
  refused('request_malformed', () => http2([]));
});

test('odd pseudo-header fields are refused', () => {
  refused('request_malformed', () => http2([':scheme', 'http', ':authority', 'allowed.test']));
  refused('request_malformed', () => http2([':authority', 'allowed.test', ':path', '/admin']));
  refused('request_malformed', () => http2([':authority', 'allowed.test', ':path', '/', ':path', '/']));
  refused('request_malformed', () => http2(['host', 'allowed.test'], { target: 'https://allowed.test/' }));
  for (const target of ['', 'x', '/a b', '/a\r\nHost: evil.test']) {
    if (target !== '')
      refused('request_malformed', () => http2([':authority', 'allowed.test', ':path', target], { target }));
  }
});

test('an HTTP/2 message cannot frame or split a message of HTTP/1.1', () => {
  for (const [name, value] of [
    ['transfer-encoding', 'chunked'],
    ['connection', 'x'],
    ['foo', 'bar\r\nHost: evil.test'],
    ['host: evil', 'x'],
    ['Foo', 'x'],
    ['upgrade', 'websocket'],
  ]) {
    refused('request_malformed', () => http2([...pseudo, name!, value!]));
  }
  refused('request_malformed', () => http2([...pseudo, 'content-length', '3'], { ended: true }));
});

test('cookies of HTTP/2 become one field', () => {
  assert.deepEqual(http2([...pseudo, 'cookie', 'a=1', 'cookie', 'b=2']).head.headers.toRaw(), [
    'cookie',
    'a=1; b=2',
  ]);
});

test('an extended CONNECT is the GET of a WebSocket; other protocols are refused', () => {
  const connect = (protocol: string) =>
    http2(
      [
        ':method',
        'CONNECT',
        ':protocol',
        protocol,
        ':scheme',
        'https',
        ':authority',
        'allowed.test',
        ':path',
        '/ws',
        'sec-websocket-version',
        '13',
      ],
      {
        method: 'CONNECT',
        target: '/ws',
      },
    );
  assert.deepEqual([connect('websocket').head.method, connect('websocket').upgrade], ['GET', 'websocket']);
  refused('method_refused', () => connect('connect-udp'));
  refused('method_refused', () => http2(pseudo.with(1, 'CONNECT'), { method: 'CONNECT' }));
});

test('a proxy client names the destination by its absolute target alone', () => {
  const { head } = proxied(
    'http://Allowed.test/x?y',
    'Host',
    'allowed.test',
    'Proxy-Connection',
    'keep-alive',
  );
  assert.deepEqual(head.destination, { scheme: 'http', host: 'allowed.test', port: 80 });
  assert.deepEqual([head.path, head.query, head.headers.size], ['/x', '?y', 0]);
  assert.deepEqual(proxied('https://allowed.test', 'Host', 'allowed.test:443').head.destination, destination);
});

test('a proxy client whose Host disagrees with its target is refused, both ways around', () => {
  refused('authority_mismatch', () => proxied('http://allowed.test/', 'Host', 'evil.test'));
  refused('authority_mismatch', () => proxied('http://evil.test/', 'Host', 'allowed.test'));
  refused('authority_mismatch', () => proxied('http://203.0.113.66/', 'Host', 'api.allowed.test'));
  refused('request_malformed', () => proxied('http://allowed.test/'));
  assert.equal(
    validateProxyRequest({ ...base, target: 'http://allowed.test/', rawHeaders: [], httpVersion: '1.0' }).head
      .path,
    '/',
  );
});

test('a proxy client cannot send a path, user information, a fragment or another scheme', () => {
  for (const target of [
    '/',
    '*',
    'allowed.test:443',
    '//allowed.test/',
    'ftp://allowed.test/',
    'file:///etc/passwd',
    'http://allowed.test/#x',
  ]) {
    refused('request_malformed', () => proxied(target, 'Host', 'allowed.test'));
  }
  refused('authority_malformed', () => proxied('http://u:p@allowed.test/', 'Host', 'allowed.test'));
});
