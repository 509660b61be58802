import assert from 'node:assert/strict';
import test from 'node:test';

import {
  checkAddress,
  cidrContains,
  classifyAddress,
  plainAddress,
  type AddressClass,
} from '../../src/net/address-guard.ts';

function classes(class_: AddressClass, ...addresses: readonly string[]): void {
  for (const address of addresses) assert.equal(classifyAddress(address), class_, address);
}

test('addresses of the internet are public, and the one documentation range that mirrors of registries response from', () => {
  classes(
    'public',
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '198.17.0.1',
    '198.20.0.1',
  );
  classes(
    'public',
    '192.0.1.255',
    '192.0.3.0',
    '198.51.101.1',
    '203.0.113.80',
    '2001:db9::1',
    '3ffe::1',
    '2606:4700::1111',
    '2a00::1',
  );
});

test('every range of IPv4 that is not the internet has its class', () => {
  classes(
    'private',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.127.255.255',
  );
  classes('loopback', '127.0.0.1', '127.255.255.254');
  classes('link-local', '169.254.0.1', '169.254.255.255');
  classes('unspecified', '0.0.0.0', '0.1.2.3');
  classes('multicast', '224.0.0.1', '239.255.255.255');
  classes('broadcast', '255.255.255.255');
  classes(
    'reserved',
    '192.0.0.8',
    '192.0.2.1',
    '198.51.100.7',
    '198.18.0.1',
    '198.19.255.255',
    '192.88.99.1',
    '240.0.0.1',
    '255.255.255.254',
  );
});

test('every range of IPv6 that is not the internet has its class', () => {
  classes('loopback', '::1');
  classes('unspecified', '::');
  classes('private', 'fc00::1', 'fdff::1', 'fec0::1');
  classes('link-local', 'fe80::1', 'febf::1');
  classes('multicast', 'ff02::1');
  classes(
    'reserved',
    '100::1',
    '4000::1',
    '5f00::1',
    '2001:10::1',
    '2001:db8::1',
    '3fff::1',
    '3fff:fff::1',
    'nonsense',
    '',
    '127.1',
  );
});

test('metadata services are told, wherever their address stands', () => {
  classes(
    'metadata',
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
  );
  classes('metadata', 'fd00:ec2::254', 'fd20:ce::254', 'fe80::a9fe:a9fe');
});

test('an IPv6 form that carries a forbidden IPv4 address is as forbidden', () => {
  const forms: readonly (readonly [string, AddressClass])[] = [
    ['::ffff:169.254.169.254', 'metadata'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['::169.254.169.254', 'metadata'],
    ['::ffff:0:169.254.169.254', 'metadata'],
    ['0:0:0:0:0:ffff:7f00:1', 'loopback'],
    ['::ffff:0.0.0.0', 'unspecified'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['64:ff9b:1::a9fe:a9fe', 'metadata'],
    ['64:ff9b:1:a9fe:a9:fe00::', 'metadata'],
    ['64:ff9b:1:7f00:0:100::', 'loopback'],
    ['2002:a9fe:a9fe::1', 'metadata'],
    ['2002:7f00:1::1', 'loopback'],
    ['2001:0:4136:e378:8000:63bf:5601:5601', 'metadata'],
    ['2001:0:a9fe:a9fe:8000:63bf:3fff:fdd2', 'metadata'],
    ['2001:0:4136:e378:8000:63bf:f5ff:fffe', 'private'],
    ['fe80::5efe:169.254.169.254', 'metadata'],
    ['2606:4700::200:5efe:10.0.0.1', 'private'],
  ];
  for (const [address, class_] of forms) assert.equal(classifyAddress(address), class_, address);
});

test('transition forms are not dialled even around a public address, but NAT64 of a public one is', () => {
  classes(
    'reserved',
    '::8.8.8.8',
    '::ffff:0:8.8.8.8',
    '2002:808:808::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '64:ff9b:1::808:808',
  );
  classes('public', '64:ff9b::808:808', '::ffff:8.8.8.8');
});

test('a private address is dialled only if a range of the rule holds it', () => {
  assert.deepEqual(checkAddress('203.0.113.1', []), { allowed: true });
  assert.equal(checkAddress('10.1.2.3', []).allowed, false);
  assert.equal(checkAddress('10.1.2.3', ['10.0.0.0/8']).allowed, true);
  assert.equal(checkAddress('::ffff:10.1.2.3', ['10.0.0.0/8']).allowed, true);
  assert.equal(checkAddress('11.1.2.3', ['10.0.0.0/8']).allowed, true, 'public anyway');
  assert.equal(checkAddress('192.168.0.1', ['10.0.0.0/8']).allowed, false);
  assert.equal(checkAddress('127.0.0.1', ['127.0.0.0/8']).allowed, true);
  assert.equal(checkAddress('fd00::5', ['10.0.0.0/8', 'fd00::/64']).allowed, true);
});

test('an opened IPv4 range does not open an IPv6 form of it, except the mapped one', () => {
  for (const address of ['64:ff9b::10.0.0.1', '::10.0.0.1', '2002:a00:1::1']) {
    assert.equal(checkAddress(address, ['10.0.0.0/8']).allowed, false, address);
  }
});

test('metadata, multicast, broadcast and unspecified addresses are never opened', () => {
  const everything = ['0.0.0.0/0', '::/0'];
  for (const address of [
    '169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    'fd00:ec2::254',
    '168.63.129.16',
    '0.0.0.0',
    '::',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ]) {
    assert.equal(checkAddress(address, [...everything, address]).allowed, false, address);
  }
});

test('an address of the gateway itself needs a range of its own, public or not', () => {
  const own = new Set(['10.0.0.5', '203.0.113.5', '127.0.0.1', '2001:db8::5']);
  assert.equal(checkAddress('10.0.0.5', ['10.0.0.0/8'], own).allowed, false);
  assert.equal(checkAddress('10.0.0.6', ['10.0.0.0/8'], own).allowed, true);
  assert.equal(checkAddress('10.0.0.5', ['10.0.0.0/8', '10.0.0.5/32'], own).allowed, true);
  assert.equal(checkAddress('203.0.113.5', [], own).allowed, false);
  assert.equal(checkAddress('::ffff:203.0.113.5', [], own).allowed, false);
  assert.equal(checkAddress('2001:db8::5', ['2001:db8::5'], own).allowed, true);
  assert.equal(checkAddress('127.0.0.1', ['127.0.0.0/8'], own).allowed, true);
});

test('ranges are read strictly, and a broken one holds nothing', () => {
  assert.equal(cidrContains('10.0.0.0/9', '10.127.255.255'), true);
  assert.equal(cidrContains('10.0.0.0/9', '10.128.0.0'), false);
  assert.equal(cidrContains('10.0.0.1', '10.0.0.1'), true);
  assert.equal(cidrContains('fd00::/8', 'fdff::1'), true);
  assert.equal(cidrContains('::/0', '10.0.0.1'), false);
  for (const broken of [
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10/8',
    'fd00::/129',
    'x/8',
    '10.0.0.0/8/8',
  ]) {
    assert.equal(cidrContains(broken, '10.0.0.0'), false, broken);
  }
});

test('an address is dialled in one spelling', () => {
  assert.equal(plainAddress('::ffff:a00:1'), '10.0.0.1');
  assert.equal(plainAddress('2001:DB8:0::1'), '2001:db8::1');
  assert.equal(plainAddress('192.0.2.1'), '192.0.2.1');
});
