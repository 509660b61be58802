// By what other gateways reach this one: written in the file, or in a variable where one file serves several.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import { peerHostOf, type PeersSettings } from '../../../src/gateway/config/peers-settings.ts';

function peersOf(text: string): PeersSettings {
  const result = parseGatewayConfig({ file: 'gateway.yaml', text }, '/');
  assert.ok('config' in result, JSON.stringify(result));
  assert.ok(result.config.peers !== undefined);
  return result.config.peers;
}

const listening = 'peers: { listen: { address: 0.0.0.0, port: 8444 }, host: ';

test('a variable gives the address by which others reach this gateway', () => {
  const peers = peersOf(`${listening}{ env: POD_IP } }`);
  assert.equal(peerHostOf(peers, { POD_IP: '10.1.2.3' }), '10.1.2.3');
  assert.equal(peerHostOf(peers, { POD_IP: 'fd00:0:0::12' }), 'fd00::12');
  assert.equal(peerHostOf(peers, { POD_IP: 'Gateway-0.pods' }), 'gateway-0.pods');
  assert.equal(peerHostOf(peersOf(`${listening}gateway-0.pods }`), {}), 'gateway-0.pods');
});

test('a variable that is not set, or has something else, is refused with its name and not with its value', () => {
  const peers = peersOf(`${listening}{ env: POD_IP } }`);
  const refused = (message: RegExp) => ({ code: 'config_invalid', message });
  assert.throws(() => peerHostOf(peers, {}), refused(/^peers\.host: the environment variable POD_IP is not/));
  for (const value of ['10.1.2.3:8444', 'two words', 'a@b', '[fd00::1]', 'https://gateway.test', '1.2.3'])
    assert.throws(
      () => peerHostOf(peers, { POD_IP: value }),
      (error: Error) => {
        assert.match(error.message, /POD_IP has neither a name nor an address/);
        assert.ok(!error.message.includes(value), error.message);
        return true;
      },
    );
});

test('a host that is neither text nor a variable is refused where the file is read', () => {
  for (const host of ['{ file: a }', '{ env: A, file: b }', '{}', '[a]', '""']) {
    const result = parseGatewayConfig({ file: 'gateway.yaml', text: `${listening}${host} }` }, '/');
    assert.ok('problems' in result, host);
  }
});
