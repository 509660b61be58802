import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestKey, unknownKeyMessage } from '../../src/policy/nearest-key.ts';

const known = ['hosts', 'methods', 'paths', 'requestsPerSecond'];

test('a mistyped word finds the word that was meant', () => {
  const rows: readonly [string, string | undefined][] = [
    ['host', 'hosts'],
    ['hsots', 'hosts'],
    ['METHODS', 'methods'],
    ['requests-per-second', 'requestsPerSecond'],
    ['banana', undefined],
    ['', undefined],
    ['x'.repeat(10_000), undefined],
  ];
  for (const [word, expected] of rows) assert.equal(nearestKey(word, known), expected, word.slice(0, 20));
});

test('the message names the key that was meant, a synonym, or all keys', () => {
  assert.equal(unknownKeyMessage('pathes', known), 'unknown key "pathes"; write "paths"');
  assert.equal(
    unknownKeyMessage('domain', known, { domain: 'hosts' }),
    'unknown key "domain"; write "hosts"',
  );
  assert.equal(
    unknownKeyMessage('constructor', known, {}),
    'unknown key "constructor"; the keys here are hosts, methods, paths, requestsPerSecond',
  );
});
