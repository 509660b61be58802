import assert from 'node:assert/strict';
import test from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';
import { websocketUpgrade } from '../../src/http/websocket-upgrade.ts';

const handshake = {
  Connection: 'keep-alive, Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEA==',
};

function upgrade(
  changes: Readonly<Record<string, string>>,
  method = 'GET',
  httpVersion: '1.0' | '1.1' | '2' = '1.1',
  protocol?: string,
) {
  const fields = new HeaderList(Object.entries({ ...handshake, ...changes }));
  return websocketUpgrade({ method, fields, httpVersion, protocol });
}

test('a well-formed handshake is an upgrade to websocket', () => {
  assert.equal(upgrade({}), 'websocket');
  assert.equal(upgrade({ Upgrade: 'WebSocket' }), 'websocket');
});

test('every other protocol is no upgrade', () => {
  for (const Upgrade of [
    'h2c',
    'TLS/1.0',
    'tcp',
    'SPDY/3.1',
    'websocket, h2c',
    'IRC/6.9',
    'websocket/13',
    '',
  ]) {
    assert.equal(upgrade({ Upgrade }), undefined, Upgrade);
  }
  assert.equal(upgrade({ Connection: 'keep-alive' }), undefined);
});

test('a handshake that breaks its own rules is refused', () => {
  for (const key of ['', 'short', 'AQIDBAUGBwgJCgsMDQ4PEA=', 'AQIDBAUGBwgJCgsMDQ4PEA==AA']) {
    assert.throws(() => upgrade({ 'Sec-WebSocket-Key': key }), { code: 'request_malformed' }, key);
  }
  assert.throws(() => upgrade({ 'Sec-WebSocket-Version': '8' }), { code: 'upgrade_required' });
  assert.throws(() => upgrade({}, 'POST'), { code: 'request_malformed' });
  assert.throws(() => upgrade({}, 'GET', '1.0'), { code: 'request_malformed' });
});

test('over HTTP/2 the protocol of the extended CONNECT decides', () => {
  assert.equal(upgrade({}, 'GET', '2', 'websocket'), 'websocket');
  assert.equal(upgrade({}, 'GET', '2'), undefined);
  // 426 has no fields there that say what would do.
  assert.throws(() => upgrade({ 'Sec-WebSocket-Version': '8' }, 'GET', '2', 'websocket'), {
    code: 'request_malformed',
  });
});
