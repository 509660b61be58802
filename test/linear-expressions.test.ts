// Nothing that a peer's input could make slow: each regular expression is proven linear, and each exported function or class that takes a
// text, octets or fields is read by a case of test/request-path-growth.test.ts, or is on a list that says why no peer chooses its input.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseSync } from 'oxc-parser';

import { calledFunctions } from './support/growth/called-functions.ts';
import { exportedReaders } from './support/growth/exported-readers.ts';
import { tried } from './support/growth/growth-case.ts';
import { growthCases } from './support/growth/growth-cases.ts';
import { notOfPeers } from './support/growth/not-of-peers.ts';
import { unprovenReason } from './support/expression-analysis.ts';

const root = new URL('..', import.meta.url);

/** Why an expression that is not proven linear may stay. There is none, and what an operator writes is no reason. */
const exceptions: Readonly<Record<string, string>> = {};

interface Found {
  readonly key: string;
  readonly reason: string | undefined;
}

function expressionsOf(file: string): readonly Found[] {
  const { program } = parseSync(file, readFileSync(new URL(file, root), 'utf8'));
  const found: Found[] = [];
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (typeof node !== 'object' || node === null) return;
    if ('regex' in node) {
      // oxc's form of a literal.
      const { pattern, flags } = node.regex as { pattern: string; flags: string };
      found.push({ key: `${file} /${pattern}/${flags}`, reason: unprovenReason(pattern, flags) });
    }
    for (const value of Object.values(node)) walk(value);
  };
  walk(program);
  return found;
}

const files = globSync('src/{http,gateway,net,protocol,policy,intercept,cli}/**/*.ts', {
  cwd: root.pathname,
}).toSorted();

test('every regular expression on the way of a request is proven linear, or says why it is none of a peer', () => {
  const all = files.flatMap(expressionsOf);
  assert.ok(all.length > 150, `only ${all.length} expressions were seen`);
  const unproven = all.filter(({ key, reason }) => reason !== undefined && exceptions[key] === undefined);
  assert.deepEqual(
    unproven.map(({ key, reason }) => `${key}: ${reason}`),
    [],
  );
  const known = new Set(all.filter(({ reason }) => reason !== undefined).map(({ key }) => key));
  assert.deepEqual(
    Object.keys(exceptions).filter((key) => !known.has(key)),
    [],
    'exceptions that there is nothing for',
  );
});

test('every exported reader has a case, or a reason why no peer chooses how much it reads', async () => {
  const called = await calledFunctions(() => {
    for (const { pieces, read } of Object.values(growthCases))
      for (const piece of pieces) tried(() => read(piece.repeat(64)));
  });
  const readers = exportedReaders();
  assert.ok(readers.length > 200, `only ${readers.length} readers were seen`);
  const reasons = Object.values(notOfPeers).flat();
  const isOf = (reason: string, key: string): boolean =>
    reason.endsWith('/') ? key.startsWith(reason) : key === reason;
  const without = readers.filter(
    ({ key, file, functions }) =>
      !functions.some((name) => called.has(`${file} ${name}`)) &&
      !reasons.some((reason) => isOf(reason, key)),
  );
  assert.deepEqual(
    without.map(({ key }) => key),
    [],
    'without a case in test/support/growth, or a line in not-of-peers.ts',
  );
  assert.deepEqual(
    reasons.filter((reason) => !readers.some(({ key }) => isOf(reason, key))),
    [],
    'reasons that there is nothing for',
  );
});

test('expressions that are made of texts are these', () => {
  const made = files.filter((file) => /\bRegExp\(/.test(readFileSync(new URL(file, root), 'utf8')));
  // Of texts of the source: sequences of UTF-8, and paths that the gateway itself serves.
  assert.deepEqual(made, ['src/gateway/exchange/doctor-response.ts']);
});

test('the analysis finds what is slow, and takes what is not', () => {
  const slow = [
    '(a+)+$',
    '^(?:a|a)*$',
    '^a*a*$',
    '\\s+$',
    '^[\\t ]+|[\\t ]+$',
    '^(?:a|ab)*c$',
    'x*y',
    '^a.*b.*c$',
    '^(?:a|b|ab)*c$',
    '[ \\t]*;[ \\t]*charset',
    '"[^"]*"',
    '^(.*),(.*)$',
    '(?=.*a)b',
    '(a)\\1*',
  ];
  for (const source of slow) assert.notEqual(unprovenReason(source, ''), undefined, source);
  assert.notEqual(unprovenReason('^[a-z]*[B-Z]*!', 'i'), undefined);
  const linear = [
    '^\\d+(?:\\.\\d+)*$',
    'a+',
    '^([^/]*)\\/(.*)$',
    '[^\\x20-\\x7e]',
    '^a{3,9}b{2}$',
    '%(?![0-9A-F]{2})',
    'a|b|c',
  ];
  for (const source of linear) assert.equal(unprovenReason(source, ''), undefined, source);
});
