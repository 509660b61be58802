import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkList } from '../../../src/gateway/admission/networks.ts';

test('an address is in the networks that hold it, in whatever form a socket gives it', () => {
  const isIn = networkList(['10.0.0.0/8', '192.0.2.1', 'fd00::/8'])!;
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', 'fd12::1'])
    assert.ok(isIn(address), address);
  for (const address of ['11.0.0.1', '192.0.2.2', 'fe80::1', '', 'a name'])
    assert.ok(!isIn(address), address);
  assert.equal(networkList([])!('10.0.0.1'), false);
});

test('what is no network is told', () => {
  for (const network of ['10.0.0.0/33', 'fd00::/129', '10.0.0/8', 'host', '10.0.0.0/08', '10.0.0.0/-1', ''])
    assert.equal(networkList([network]), undefined, network);
});
