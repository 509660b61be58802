import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PathPattern } from '../../src/policy/path-pattern.ts';

function pattern(source: string): PathPattern {
  const parsed = PathPattern.parse(source);
  if (typeof parsed === 'string') assert.fail(parsed);
  return parsed;
}

const rows: readonly [string, string, boolean][] = [
  ['/', '/', true],
  ['/', '/a', false],
  ['/a', '/a', true],
  ['/a', '/a/', false],
  ['/a', '/A', false],
  ['/*', '/', true],
  ['/*', '/a/b', true],
  ['/a/*', '/a', false],
  ['/a/*', '/a/', true],
  ['/a/*?', '/a', true],
  ['/a/**', '/a', true],
  ['/:x', '/', false],
  ['/:x', '/a', true],
  ['/:x', '/a/b', false],
  ['/a/:x?', '/a', true],
  ['/a/:x?', '/a/b', true],
  ['/a/:x?', '/a/', false],
  ['/a/:x+', '/a/b/c', true],
  ['/a/:x+', '/a', false],
  ['/a/:x*', '/a', true],
  ['/a/:x*', '/a/b/c', true],
  ['/a/:x*', '/a//c', false],
  ['/a{/b}?', '/a', true],
  ['/a{/b}?', '/a/b', true],
  ['/a{/b}?', '/a/b/b', false],
  ['/a{/b}*', '/a/b/b', true],
  ['/a{/b}+/c', '/a/c', false],
  ['/a{/:n.0}*/z', '/a/v1.0/v2.0/z', true],
  ['/*/b/*/d', '/a/b/c/d', true],
  ['/*/b/*/d', '/a/b/d', false],
  ['/*.tgz', '/a/b.tgz', true],
  ['/*.tgz', '/a/b.tar', false],
  ['/@:scope%2f:name', '/@acme%2Ftool', true],
  ['/a\\:b', '/a:b', true],
  ['/c++', '/c++', true],
  ['/%7euser', '/~user', true],
  ['/a b', '/a%20b', true],
  ['/größe', '/gr%C3%B6%C3%9Fe', true],
  ['/\\{x\\}', '/%7Bx%7D', true],
];

describe('a pattern matches the whole canonical path', () => {
  for (const [source, path, expected] of rows) {
    test(`${source} ${expected ? 'matches' : 'does not match'} ${path}`, () => {
      assert.equal(pattern(source).matches(path), expected);
    });
  }
});

test('patterns mean what URLPattern means by them, on short paths and long ones', () => {
  // More characters than sets of states are remembered.
  const long = 'ab~'.repeat(30);
  const piece = fc.constantFrom(
    '/',
    '/a',
    '/b',
    'a',
    '~',
    '/:x',
    '/*',
    '*',
    '{/a}?',
    '{/b}*',
    '{/a}+',
    '/:y?',
    '/:z+',
    '/:w*',
    '/*?',
    '{/:v~a}?',
    `/${long}`,
    `{/${long}}?`,
    `/*${long}`,
  );
  const source = fc.array(piece, { maxLength: 5 }).map((pieces) => `/${pieces.join('')}`);
  const path = fc
    .array(fc.constantFrom('/', 'a', 'b', '~a', '/a', '/b', `/${long}`, `${long}b`), { maxLength: 8 })
    .map((parts) => `/${parts.join('')}`);
  let compared = 0;
  fc.assert(
    fc.property(source, fc.array(path, { minLength: 1, maxLength: 8 }), (text, paths) => {
      const parsed = PathPattern.parse(text);
      if (typeof parsed === 'string') return;
      let reference: URLPattern;
      try {
        reference = new URLPattern({ pathname: text });
      } catch {
        return;
      }
      for (const one of paths) {
        // Paths with dot segments are not canonical; a URL would change them.
        if (new URL(`https://example.com${one}`).pathname !== one) continue;
        compared += 1;
        assert.equal(parsed.matches(one), reference.test({ pathname: one }), `${text} on ${one}`);
      }
    }),
    { numRuns: 2000, seed: 1 },
  );
  assert.ok(compared > 2000, `only ${compared} comparisons`);
});

test('the time for a hostile path grows with its length, not with its square', () => {
  const hostile = pattern('/*/a/*/a/*/a/*/b/:x');
  // Of this thread's processor, so that other work on the machine does not count.
  const timeFor = (length: number): number => {
    const path = `${'/a'.repeat(length / 2)}/b/`;
    const start = process.threadCpuUsage();
    assert.equal(hostile.matches(path), false);
    const { user, system } = process.threadCpuUsage(start);
    return (user + system) / 1000;
  };
  timeFor(4000);
  const shortMs = Math.min(timeFor(4000), timeFor(4000), timeFor(4000));
  const longMs = Math.min(timeFor(64_000), timeFor(64_000));
  // Sixteen times the length: a quadratic matcher would need 256 times as long.
  assert.ok(longMs < shortMs * 100 + 20, `${longMs} ms for 64,000 bytes, ${shortMs} ms for 4,000`);
});

describe('covering', () => {
  const cases: readonly [string, string, boolean][] = [
    ['/*', '/a/:x', true],
    ['/a/*', '/a/b/*', true],
    ['/a/*', '/a', false],
    ['/a/:x', '/a/b', true],
    ['/a/:x', '/a/*', false],
    ['/a/:x', '/a/:x', true],
  ];
  for (const [outer, inner, expected] of cases) {
    test(`${outer} ${expected ? 'covers' : 'is not known to cover'} ${inner}`, () => {
      assert.equal(pattern(outer).covers(pattern(inner)), expected);
    });
  }
});
