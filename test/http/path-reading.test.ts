import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { hiddenFault, pathFeatures, readingsFor, readPath } from '../../src/http/path-reading.ts';
import { canonicalTarget } from '../../src/http/request-target.ts';

function readings(path: string): readonly string[] {
  return [...new Set(readingsFor(pathFeatures(path)).map((reading) => readPath(path, reading)))];
}

/** The path in canonical form, or undefined where it is refused. */
function canonical(target: string): string | undefined {
  try {
    return canonicalTarget(target).path;
  } catch {
    return undefined;
  }
}

const rows: readonly [path: string, readings: readonly string[]][] = [
  ['/a/b', ['/a/b']],
  ['/a%20b/%C3%A9', ['/a%20b/%C3%A9']],
  ['/100%25', ['/100%25']],
  ['/%40evil', ['/%40evil', '/@evil']],
  ['/%2561dmin', ['/%2561dmin', '/admin']],
  ['/%2540evil', ['/%2540evil', '/@evil']],
  ['/a%2Fb', ['/a%2Fb', '/a/b']],
  ['/%40a%2Fb', ['/%40a%2Fb', '/%40a/b', '/@a%2Fb', '/@a/b']],
  ['/a%252Fb', ['/a%252Fb', '/a/b', '/a%2Fb']],
  ['/a//b', ['/a//b', '/a/b']],
  ['/a;v=1/b', ['/a;v=1/b', '/a/b']],
  ['/a%3Bv/b', ['/a%3Bv/b', '/a;v/b', '/a/b']],
  ['/a;x%3By/b', ['/a;x%3By/b', '/a/b', '/a;x;y/b']],
  ['/a%3Fb', ['/a%3Fb', '/a?b', '/a']],
  [
    '/a%2F%253Bv/b',
    ['/a%2F%253Bv/b', '/a/%253Bv/b', '/a/;v/b', '/a//b', '/a/b', '/a%2F;v/b', '/a%2F/b', '/a%2F%253Bv/b'],
  ],
  ['/a;x%2Fb', ['/a;x%2Fb', '/a', '/a;x/b', '/a/b']],
  ['/a;x%252Fb', ['/a;x%252Fb', '/a', '/a;x%2Fb', '/a;x/b', '/a/b']],
  ['/a;x%3Fy/b', ['/a;x%3Fy/b', '/a/b', '/a;x?y/b', '/a;x', '/a']],
  ['/a/;x/b', ['/a/;x/b', '/a//b', '/a/b']],
  ['/a%2520b', ['/a%2520b', '/a%20b']],
  ['/%25C3%25A9', ['/%25C3%25A9', '/%C3%A9']],
];
for (const [path, expected] of rows) {
  test(`${path} is read as ${expected.length} paths`, () => {
    assert.deepEqual(new Set(readings(path)), new Set(expected));
    assert.equal(canonical(path), path);
  });
}

test('every octet that may stand plain or encoded gives both readings, encoded once and twice', () => {
  for (let octet = 0; octet < 0x80; octet++) {
    const char = String.fromCharCode(octet);
    const hex = octet.toString(16).toUpperCase().padStart(2, '0');
    for (const form of [`%${hex}`, `%25${hex}`, `%25${hex.toLowerCase()}`]) {
      const path = canonical(`/a${form}b/c`);
      if (octet < 0x20 || octet === 0x7f || char === '\\') {
        assert.equal(path, undefined, form);
        continue;
      }
      if (path === undefined) assert.fail(form);
      const plain = /[\w.~!$&'()*+,;=:@/?#-]/.test(char) ? char : `%${hex}`;
      assert.ok(readings(path).includes(`/a${plain}b/c`), `${form}: ${readings(path).join(' ')}`);
    }
  }
});

const piece = fc.oneof(
  fc.constantFrom('/', '//', '.', '..', ';', ';v=1', 'a', 'admin', '%25', '@', '%2e', '?'),
  fc
    .tuple(fc.nat(0x7f), fc.constantFrom('%', '%25', '%2525'))
    .map(([octet, sign]) => `${sign}${octet.toString(16).padStart(2, '0')}`),
);
const target = fc.array(piece, { maxLength: 10 }).map((pieces) => `/${pieces.join('')}`);

test('no reading has a dot segment, a backslash or a control octet, and no two make one text of two', () => {
  fc.assert(
    fc.property(target, (text) => {
      const path = canonical(text);
      if (path === undefined) return;
      assert.equal(hiddenFault(path), undefined);
      for (const reading of readings(path)) {
        assert.doesNotMatch(reading, /(?:^|\/)\.\.?(?:[;?#/]|$)|%[01]|%7F|%5C|\\/, path);
        assert.match(reading, /^\/(?:[\w.~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*$/, path);
      }
    }),
    { numRuns: 3000, seed: 13 },
  );
});

test('the readings of a path are as many as a small table has, and what nothing makes ambiguous has one', () => {
  for (let features = 0; features < 256; features++) {
    const all = readingsFor(features);
    assert.ok(all.length <= 72, `${all.length} readings`);
    assert.equal(new Set(all.map(({ key }) => key)).size, all.length, 'each has a key of its own');
  }
  assert.equal(readingsFor(pathFeatures('/repos/acme/app/issues/17')).length, 1);
});

test('a reading that is left out for a path is one of those that are there', () => {
  const pieces = [
    '/',
    '/',
    'a',
    '.',
    ';',
    '%25',
    '2',
    'F',
    '3',
    'B',
    '%2F',
    '%3B',
    '%3F',
    '%23',
    '%40',
    '%253B',
    '%252F',
    '%2F%253B',
  ];
  let seen = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 11 }), (rest) => {
      const path = `/${rest.join('')}`;
      if (canonical(path) !== path) return;
      seen += 1;
      const there = new Set(readings(path));
      for (const reading of readingsFor(0xff)) assert.ok(there.has(readPath(path, reading)), path);
    }),
    { numRuns: 10_000, seed: 29 },
  );
  assert.ok(seen > 1000);
});
