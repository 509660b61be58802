import assert from 'node:assert/strict';
import test from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';
import { endToEnd, forwardable } from '../../src/http/hop-by-hop.ts';

function kept(...raw: string[]): readonly string[] {
  const list = HeaderList.fromRaw(raw);
  return list.filter(endToEnd(list, 'request_malformed')).toRaw();
}

function forwarded(...raw: string[]): readonly string[] {
  const list = HeaderList.fromRaw(raw);
  return list.filter(forwardable(list)).toRaw();
}

test('fields of one hop are removed in every spelling, proxy credentials too', () => {
  const hop = [
    'Connection',
    'KEEP-ALIVE',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
  ];
  const proxy = [
    'Proxy-Authorization',
    'proxy-connection',
    'PROXY-Authenticate',
    'Proxy-Anything',
    'Proxy',
    'Max-Forwards',
  ];
  assert.deepEqual(kept(...[...hop, ...proxy].flatMap((name) => [name, 'upgrade'])), []);
  assert.deepEqual(kept('Accept', '*/*', 'Cookie', 'a=b'), ['Accept', '*/*', 'Cookie', 'a=b']);
});

test('what Connection lists goes with it', () => {
  assert.deepEqual(kept('Connection', 'close, X-Hop', 'x-hop', '1', 'X-Stays', '2'), ['X-Stays', '2']);
});

test('Connection cannot take away a field that decides what the message means', () => {
  for (const name of [
    'authorization',
    'Host',
    'content-length',
    'Transfer-Encoding',
    'cookie',
    'sec-websocket-key',
    'x-amz-date',
  ]) {
    assert.throws(() => kept('Connection', `close, ${name}`), { code: 'request_malformed' }, name);
  }
});

test('claims of another host, path or way are removed, with dashes or underscores', () => {
  const names = [
    'Forwarded',
    'X-Forwarded-Host',
    'X-Forwarded-For',
    'X_Forwarded_Host',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Host',
    'X-HTTP-Host-Override',
    'X-Real-IP',
  ];
  const claims = names.flatMap((name) => [name, '/admin']);
  assert.deepEqual(forwarded(...claims, 'X-Custom', '1'), ['X-Custom', '1']);
});

test('of a request that is forwarded all of them go, the fields that most requests have stay, and Connection still takes what it lists', () => {
  const usual = [
    'Accept',
    '*/*',
    'Range',
    'bytes=0-1',
    'User-Agent',
    'a',
    'If-None-Match',
    '"a"',
    'X-Other',
    '1',
  ];
  assert.deepEqual(
    forwarded(...usual, 'TE', 'trailers', 'Proxy-Authorization', 'a', 'Forwarded', 'for=a'),
    usual,
  );
  assert.deepEqual(forwarded('Connection', 'accept, x-hop', ...usual, 'X-Hop', '1'), usual.slice(2));
  assert.throws(() => forwarded('Connection', 'cookie', ...usual), { code: 'request_malformed' });
});
