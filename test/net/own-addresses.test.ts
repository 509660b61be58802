import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import test from 'node:test';

import { OwnAddresses, checkConnected } from '../../src/net/own-addresses.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

test('the list is made anew once it is a second old, and has what the interfaces have', () => {
  let nowMs = 0;
  let made = 0;
  const own = new OwnAddresses(
    () => new Set([`192.0.2.${(made += 1)}`]),
    () => nowMs,
  );
  const seen = [0, 1, defaultLimits.ownAddressesAgeMsMax - 1, defaultLimits.ownAddressesAgeMsMax].map(
    (atMs) => {
      nowMs = atMs;
      return [...own.get()].join();
    },
  );
  assert.deepEqual(seen, ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']);
  const quad = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .find(({ family }) => family === 'IPv4');
  if (quad !== undefined) assert.ok(new OwnAddresses().get().has(quad.address));
});

test('a connection with the same address at both ends needs a rule for this one, in any spelling; loopback and others do not', () => {
  const network = ['192.0.2.0/24', '127.0.0.0/8', '2001:db8::/32'];
  for (const [local, dialled, opened, allowed] of [
    ['192.0.2.1', '192.0.2.1', network, false],
    ['::ffff:192.0.2.1', '192.0.2.1', network, false],
    ['192.0.2.1', '::ffff:192.0.2.1', network, false],
    ['2001:db8::1', '2001:DB8:0::1', network, false],
    ['192.0.2.1', '192.0.2.1', ['192.0.2.1'], true],
    ['192.0.2.2', '192.0.2.1', network, true],
    ['127.0.0.1', '127.0.0.1', network, true],
    [undefined, '192.0.2.1', network, true],
  ] as const)
    assert.equal(
      checkConnected({ localAddress: local }, dialled, opened).allowed,
      allowed,
      `${local} ${dialled}`,
    );
});
