import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinearPattern } from '../../src/policy/linear-pattern.ts';
import { MatchingWork, unmeasured } from '../../src/policy/matching-work.ts';
import { seeded } from '../support/seeded.ts';

function parsed(source: string): LinearPattern {
  const pattern = LinearPattern.parse(source);
  assert.ok(typeof pattern !== 'string', `${source} ${String(pattern)}`);
  return pattern;
}

const texts = [
  '',
  'a',
  'b',
  'ab',
  'aab',
  'abab',
  'a\n',
  '\na',
  'aé',
  '😀',
  'x-1',
  '2024-01-31',
  'acme/app',
  'acme/../evil',
  '\u2028',
  '-',
];

test('it matches what the engine of ECMA-262 matches', () => {
  for (const source of [
    '',
    'a',
    '^a',
    'a$',
    '^a$',
    '^$',
    'a|b',
    '^(?:a|b)+$',
    '(a)(b)',
    '^(a*)*$',
    '(?:a|ab)(?:b|$)',
    'a?b',
    'a{2}',
    '^a{1,2}b$',
    'a{0,}',
    '(?:a|b){3,}',
    '.',
    '^.$',
    '[ab]',
    '[^a]',
    '[a-c]+$',
    '^[-a]$',
    '[^]',
    '[]',
    '\\d{4}-\\d{2}',
    '\\w',
    '\\W',
    '\\s',
    '\\S',
    '[\\d-]',
    '\\.',
    '^[\\w/-]+$',
    '\\u{1F600}',
    '\\x61',
    '^acme/[^/]+$',
    'a+?b',
    '(?:a{0,2}){2}b',
    '^(?:|a)b',
    '(?:^a|b$)',
    '[\\]\\\\]',
    '\\/',
  ]) {
    const own = parsed(source);
    const engine = new RegExp(source, 'u');
    for (const text of texts)
      assert.equal(own.isIn(text, unmeasured), engine.test(text), `${source} on ${JSON.stringify(text)}`);
  }
});

test('and of expressions that are made up', () => {
  const random = seeded(42);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const make = (depth: number): string => {
    if (depth === 0) return pick(['a', 'b', '.', '[ab]', '[^a]', '\\w', '^', '$', '']);
    const one = (): string => make(depth - 1);
    return pick([
      () => one() + one(),
      () => `(?:${one()}|${one()})`,
      () => `(${one()})${pick(['*', '+', '?', '{2}', '{1,3}', '{0,1}?'])}`,
      () => one(),
    ])();
  };
  for (let i = 0; i < 2000; i += 1) {
    const source = make(4);
    const own = parsed(source);
    const engine = new RegExp(source, 'u');
    for (let j = 0; j < 5; j += 1) {
      const text = Array.from({ length: Math.floor(random() * 8) }, () => pick(['a', 'b', 'c', '\n'])).join(
        '',
      );
      assert.equal(own.isIn(text, unmeasured), engine.test(text), `${source} on ${JSON.stringify(text)}`);
    }
  }
});

test('what it cannot do in linear time, or does not know, is refused by name', () => {
  for (const [source, told] of [
    ['(?=a)', /looks around/],
    ['(?<!a)b', /looks around/],
    ['(?<x>a)', /names a group/],
    ['(a)\\1', /\\1/],
    ['\\p{L}', /\\p/],
    ['\\bword', /\\b/],
    ['a**', /repeats a repetition/],
    ['*a', /stands for nothing/],
    ['a{x}', /no repetition/],
    ['a{3,2}', /wrong order/],
    ['(a', /does not end/],
    ['a)', /too many/],
    ['[z-a]', /wrong order/],
    ['[\\d-z]', /class of characters at an end/],
    ['[a', /too early/],
    ['\\ud800', /surrogate/],
    ['\\u{110000}', /broken/],
    ['^*', /repeats a "\^"/],
    ['(?:a{1000}){1000}', /schemaPatternStatesMax/],
    [`${'(?:'.repeat(5)}${'){1000}'.repeat(5)}`, /schemaPatternStatesMax/],
    ['a'.repeat(1001), /schemaPatternCharactersMax/],
    ['('.repeat(65) + ')'.repeat(65), /too many groups/],
  ] as const) {
    const problem = LinearPattern.parse(source);
    assert.ok(typeof problem === 'string', source);
    assert.match(problem, told);
  }
});

test('its work is in proportion to the text, and it ends where that is spent', () => {
  const pattern = parsed('^(?:a|a|aa)+$');
  const stepsOf = (length: number): number => {
    const work = new MatchingWork(1e9);
    assert.equal(pattern.isIn(`${'a'.repeat(length)}b`, work), false);
    return work.steps;
  };
  assert.ok(stepsOf(20_000) < 2.1 * stepsOf(10_000));
  const work = new MatchingWork(100);
  assert.equal(pattern.isIn('a'.repeat(100_000), work), false);
  assert.ok(work.isSpent && work.steps < 200);
});

test('whether it is about all of a text', () => {
  for (const source of ['^a$', '^(?:a|b)$', '^a\\|b$', '^a$|^b$', '(?:^a$)'])
    assert.equal(parsed(source).isAnchored, true, source);
  for (const source of ['a', '^a', 'a$', '^a|b$', '^a\\$'])
    assert.equal(parsed(source).isAnchored, false, source);
});
