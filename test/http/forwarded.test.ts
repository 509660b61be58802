import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { senderAddress } from '../../src/http/forwarded.ts';

const isTrusted = (address: string): boolean => address.startsWith('10.') || address === 'fd00::1';
const sender = (peer: string, fields: { forwarded?: string[]; xForwardedFor?: string[] }): string =>
  senderAddress(peer, { forwarded: [], xForwardedFor: [], ...fields }, isTrusted);

for (const [what, peer, fields, expected] of [
  [
    'a peer that is no proxy is the sender, whatever it says',
    '192.0.2.1',
    { xForwardedFor: ['198.51.100.1'] },
    '192.0.2.1',
  ],
  ['a trusted proxy that says nothing is the sender', '10.0.0.1', {}, '10.0.0.1'],
  [
    'the last address counts, not what the client wrote before it',
    '10.0.0.1',
    { xForwardedFor: ['8.8.8.8, 192.0.2.7'] },
    '192.0.2.7',
  ],
  [
    'proxies behind each other are passed over',
    '10.0.0.1',
    { xForwardedFor: ['8.8.8.8, 192.0.2.7, 10.0.0.2'] },
    '192.0.2.7',
  ],
  ['several lines are one list', '10.0.0.1', { xForwardedFor: ['8.8.8.8', '192.0.2.7'] }, '192.0.2.7'],
  [
    'ports and brackets are no part of it',
    '10.0.0.1',
    { xForwardedFor: ['[2001:DB8::1]:443'] },
    '2001:db8::1',
  ],
  ['an IPv6 address without brackets', '10.0.0.1', { xForwardedFor: ['2001:db8::1'] }, '2001:db8::1'],
  [
    'Forwarded is read the same way',
    '10.0.0.1',
    { forwarded: ['for=8.8.8.8, for="[2001:db8::9]:80";proto=https'] },
    '2001:db8::9',
  ],
  [
    'a quoted comma or semicolon separates nothing',
    '10.0.0.1',
    { forwarded: ['for=192.0.2.9;by="a, for=1.2.3.4;"'] },
    '192.0.2.9',
  ],
  [
    'a name instead of an address ends at the proxy that wrote it',
    '10.0.0.1',
    { forwarded: ['for=8.8.8.8, for=_hidden, for=10.0.0.5'] },
    '10.0.0.5',
  ],
  ['unknown ends at the peer', '10.0.0.1', { xForwardedFor: ['unknown'] }, '10.0.0.1'],
  [
    'two fields that could disagree are both left alone',
    '10.0.0.1',
    { forwarded: ['for=192.0.2.1'], xForwardedFor: ['192.0.2.2'] },
    '10.0.0.1',
  ],
] as const) {
  test(what, () => {
    assert.equal(sender(peer, fields as { forwarded?: string[]; xForwardedFor?: string[] }), expected);
  });
}

test('what stands left of the first address that no trusted proxy has changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (claimed) => {
      assert.equal(sender('10.0.0.1', { xForwardedFor: [`${claimed}, 192.0.2.7`] }), '192.0.2.7');
    }),
    { seed: 20261126, numRuns: 500 },
  );
});
