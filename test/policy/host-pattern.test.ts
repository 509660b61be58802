import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  formatHostPattern,
  hostCovers,
  hostsOverlap,
  type HostPattern,
  parseHostPattern,
} from '../../src/policy/host-pattern.ts';

function host(text: string, effect: 'allow' | 'deny' = 'allow'): HostPattern {
  const pattern = parseHostPattern(text, effect);
  if (typeof pattern === 'string') assert.fail(pattern);
  return pattern;
}

describe('a host is read into one canonical form', () => {
  const rows: readonly [string, string][] = [
    ['Registry.Example.COM', 'registry.example.com'],
    ['*.Example.com', '*.example.com'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['192.0.2.1', '192.0.2.1'],
    ['[2001:DB8::0:1]', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['*', '*'],
  ];
  for (const [text, expected] of rows)
    test(text, () => assert.equal(formatHostPattern(host(text)), expected));
});

describe('what is no host is refused', () => {
  const rows = [
    '',
    '.',
    'a..b',
    '-a.example.com',
    'a-.example.com',
    'a.example.com.',
    'a b.example.com',
    '*.',
    '*a.example.com',
    '**.example.com',
    'a.*.com',
    '127.1',
    '010.0.0.1',
    '1.2.3.4.5',
    '0x7f000001',
    '256.1.1.1',
    'example.1',
    '[::1',
    '[1.2.3.4]x',
    'fe80::1%eth0',
    'a\u0000.example.com',
    `${'a'.repeat(64)}.example.com`,
    `${'a.'.repeat(127)}com`,
    'user@example.com',
    'ｅxample.com',
  ];
  for (const text of rows) {
    test(JSON.stringify(text).slice(0, 60), () =>
      assert.equal(typeof parseHostPattern(text, 'allow'), 'string'),
    );
  }
});

describe('covering', () => {
  const rows: readonly [string, string, boolean][] = [
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['*.example.com', '*.a.example.com', true],
    ['*.example.com', '*.example.com', true],
    ['*.a.example.com', '*.example.com', false],
    ['a.example.com', 'a.example.com', true],
    ['a.example.com', '*.example.com', false],
    ['*', '*.example.com', true],
    ['*', '192.0.2.1', false],
    ['*.example.com', '*', false],
  ];
  for (const [outer, inner, expected] of rows) {
    test(`${outer} ${expected ? 'covers' : 'does not cover'} ${inner}`, () => {
      assert.equal(hostCovers(host(outer), host(inner)), expected);
    });
  }
  test('the star of a deny covers addresses, and the star of an allow', () => {
    assert.equal(hostCovers(host('*', 'deny'), host('192.0.2.1')), true);
    assert.equal(hostCovers(host('*', 'deny'), host('*')), true);
    assert.equal(hostCovers(host('*'), host('*', 'deny')), false);
  });
  test('two patterns overlap if either covers the other', () => {
    assert.equal(hostsOverlap(host('a.example.com'), host('*.example.com')), true);
    assert.equal(hostsOverlap(host('*.a.example.com'), host('*.b.example.com')), false);
  });
});
