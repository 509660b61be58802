import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceKey } from '../../../src/gateway/admission/source-key.ts';

for (const [address, expected] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:ffff:1:2:3', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, ''],
] as const) {
  test(`${address} counts as ${expected}`, () => assert.equal(sourceKey(address), expected));
}
