import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import test from 'node:test';

import fc from 'fast-check';

import { canonicalAddress, formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../src/http/ip-address.ts';

test('IPv4 has one spelling: four decimal numbers without leading zeros', () => {
  assert.equal(parseIpv4('192.0.2.255'), 0xc00002ff);
  for (const text of [
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '0x1.2.3.4',
    '1.2.3.4 ',
    '+1.2.3.4',
    '1..2.3',
    '',
  ]) {
    assert.equal(parseIpv4(text), undefined, text);
  }
});

test('an IPv6 address comes out as RFC 5952 writes it', () => {
  const table: readonly (readonly [string, string])[] = [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::0001', '::1'],
    ['1::', '1::'],
    ['0:0:0:0:0:ffff:7f00:1', '::ffff:127.0.0.1'],
    ['::FFFF:127.0.0.1', '::ffff:127.0.0.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['::7f00:1', '::7f00:1'],
  ];
  for (const [text, expected] of table) assert.equal(canonicalAddress(text), expected, text);
});

test('what is not exactly an IPv6 address is none', () => {
  const broken = [
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1%eth0',
    '[::1]',
    '1.2.3.4',
  ];
  const brokenQuads = [
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '::01.2.3.4',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1:2:3:4:5:6:7:8',
  ];
  for (const text of [...broken, ...brokenQuads, ' ::1', '']) assert.equal(parseIpv6(text), undefined, text);
});

test('parsing gives back what formatting wrote, and the runtime reads it too', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(groups, (value) => {
      const text = formatIpv6(value);
      assert.deepEqual(parseIpv6(text), value);
      assert.ok(isIPv6(text), text);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (quad) => parseIpv4(formatIpv4(quad)) === quad),
  );
});
