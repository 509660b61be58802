import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GitPattern } from '../../src/policy/git-pattern.ts';

function pattern(source: string): GitPattern {
  const parsed = GitPattern.parseRepository(source);
  if (typeof parsed === 'string') assert.fail(parsed);
  return parsed;
}

describe('a pattern matches', () => {
  const rows: readonly [pattern: string, matching: readonly string[], other: readonly string[]][] = [
    ['acme/app', ['acme/app'], ['acme/App', 'acme/app/x', 'acme', 'x/acme/app']],
    ['acme/*', ['acme/app'], ['acme/', 'acme', 'acme/a/b', 'other/app']],
    ['acme/**', ['acme/app', 'acme/a/b'], ['acme', 'acme/', 'acme//b', 'acmes/app']],
    ['**', ['a', 'a/b'], ['', '/a']],
    ['acme/lib-*', ['acme/lib-', 'acme/lib-a'], ['acme/lib', 'acme/lib-a/b']],
    ['a*b*c', ['abc', 'axbxc', 'abcbc', 'abbcc'], ['ab', 'acb', 'abcx']],
    ['*-x-*', ['a-x-b', '-x-', '-x-x-'], ['a-x', 'x-']],
  ];
  for (const [source, matching, other] of rows) {
    test(source, () => {
      for (const name of matching) assert.ok(pattern(source).matches(name), name);
      for (const name of other) assert.ok(!pattern(source).matches(name), name);
    });
  }
});

test('names in another case match only where that is asked', () => {
  assert.ok(pattern('Acme/app').matchesAnyCase('ACME/App'));
  assert.ok(!pattern('Acme/app').matches('ACME/App'));
});

describe('a pattern covers another', () => {
  const rows: readonly [outer: string, inner: string, covers: boolean][] = [
    ['acme/app', 'acme/app', true],
    ['acme/*', 'acme/app', true],
    ['acme/*', 'acme/lib-*', true],
    ['acme/**', 'acme/*', true],
    ['acme/**', 'acme/a/**', true],
    ['acme/**', 'acme/**', true],
    ['**', 'acme/**', true],
    ['acme/lib-*', 'acme/lib-a', true],
    ['acme/*', 'acme/**', false],
    ['acme/**', 'acme', false],
    ['acme/**', '**', false],
    ['acme/lib-*', 'acme/*', false],
    ['acme/app', 'acme/*', false],
    ['acme/*', 'acme/a/b', false],
  ];
  for (const [outer, inner, covers] of rows) {
    test(`${outer}, ${inner}: ${String(covers)}`, () => {
      assert.equal(pattern(outer).covers(pattern(inner)), covers);
    });
  }
});

test('a hostile name costs little', () => {
  const one = pattern(`${'*a'.repeat(60)}*b`);
  const name = 'a'.repeat(8000);
  const begin = process.threadCpuUsage();
  assert.equal(one.matches(name), false);
  assert.ok(process.threadCpuUsage(begin).user < 2_000_000);
});

describe('a pattern that is none says what to write', () => {
  const rows: readonly [kind: 'parseRepository' | 'parseRef', source: string, message: RegExp][] = [
    ['parseRepository', 'https://git.example.com/acme/app', /is a URL/],
    ['parseRepository', '/acme/app', /slash/],
    ['parseRepository', 'acme/app.git', /leave it out/],
    ['parseRepository', 'acme//app', /empty segment/],
    ['parseRepository', 'acme/**/x', /before its end/],
    ['parseRepository', 'acme/ä', /percent-encode/],
    ['parseRef', 'main', /write refs\/heads\/main/],
    ['parseRef', 'refs/heads/../x', /dots/],
    ['parseRef', `refs/${'a'.repeat(300)}`, /at most/],
  ];
  for (const [kind, source, message] of rows) {
    test(source.slice(0, 40), () => {
      const parsed = GitPattern[kind](source);
      assert.match(typeof parsed === 'string' ? parsed : 'a pattern', message);
    });
  }
});
