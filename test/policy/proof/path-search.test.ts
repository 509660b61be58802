// The machines beside the functions that they stand for, and the search beside trying every path.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalPath } from '../../../src/http/canonical-path.ts';
import { readingsFor, readPath } from '../../../src/http/path-reading.ts';
import { unmeasured } from '../../../src/policy/matching-work.ts';
import { pathsMatch, PathReadings } from '../../../src/policy/path-matching.ts';
import { PathPattern } from '../../../src/policy/path-pattern.ts';
import { canonicalMachine, mayEnd } from '../../../src/policy/proof/canonical-machine.ts';
import type { Machine } from '../../../src/policy/proof/machine.ts';
import { isGoal, type PathGoal } from '../../../src/policy/proof/path-goal.ts';
import { searchPath } from '../../../src/policy/proof/path-search.ts';
import { type PathToken, pathTokens } from '../../../src/policy/proof/path-token.ts';
import { readingEnd, readingStart, readingStep } from '../../../src/policy/proof/reading-step.ts';

/** `npm run test:decisions` tries many more. */
const runs = Number(process.env['DECISIONS_RUNS'] ?? 12);

const byText = new Map(pathTokens.map((token) => [token.text, token]));
const tokensOf = (...texts: readonly string[]): readonly PathToken[] =>
  texts.map((text) => byText.get(text) ?? assert.fail(text));

/** What is read in several ways, and what is cut by it, oftener than all others. */
const traps = tokensOf(
  '/',
  '/',
  '.',
  '.',
  ';',
  'a',
  'B',
  '2',
  'F',
  '5',
  'C',
  '0',
  '3',
  '7',
  '%25',
  '%2F',
  '%3B',
  '%3F',
  '%23',
  '%40',
);
const anyToken = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...traps) },
  { weight: 1, arbitrary: fc.constantFrom(...pathTokens) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...tokensOf('%C3', '%A9', '%E0', '%A0', '%ED', '%9F', '%F0', '%90', '%80')),
  },
);
const anyPieces = fc.array(anyToken, { maxLength: 14 }).map((pieces) => tokensOf('/').concat(pieces));
const textOf = (pieces: readonly PathToken[]): string => pieces.map(({ text }) => text).join('');

function run<State>(machine: Machine<State>, pieces: readonly PathToken[]): State | undefined {
  return pieces.reduce<State | undefined>(
    (state, piece) => (state === undefined ? undefined : machine.step(state, piece)),
    machine.start,
  );
}

test('the canonical machine takes what canonicalPath gives back as it is', () => {
  let taken = 0;
  fc.assert(
    fc.property(anyPieces, (pieces) => {
      const path = textOf(pieces);
      const canonical = canonicalPath(path);
      const state = run(canonicalMachine, pieces);
      const isTaken = state !== undefined && mayEnd(state);
      if (isTaken) taken += 1;
      assert.equal(isTaken, 'path' in canonical && canonical.path === path, path);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(taken > 1000);
});

test('what a reading gives piece by piece is what readPath gives', () => {
  const all = readingsFor(0xff);
  fc.assert(
    fc.property(anyPieces, fc.constantFrom(...all), (pieces, reading) => {
      let state = readingStart;
      let text = '';
      for (const piece of pieces) {
        const step = readingStep(state, piece, reading);
        state = step.state;
        text += step.out;
      }
      assert.equal(text + readingEnd(state, reading), readPath(textOf(pieces), reading));
    }),
    { numRuns: 30_000 },
  );
});

const pattern = (source: string): PathPattern => {
  const parsed = PathPattern.parse(source);
  return typeof parsed === 'string' ? assert.fail(parsed) : parsed;
};
const somePatterns = [
  '/*',
  '/a',
  '/a/*',
  '/:x',
  '/a/:x',
  '/a%2Fb',
  '/a/b',
  '/*/b',
  '/a;b',
  '/{a/}?b',
  '/:x*',
  '/*2',
  '/@a/*',
  '/a/:x/b',
];
const anyCondition = fc.option(
  fc.array(fc.constantFrom(...somePatterns).map(pattern), { minLength: 1, maxLength: 2 }),
  { nil: undefined },
);
const anyRules = fc.record({
  allows: fc.array(anyCondition, { maxLength: 2 }),
  denies: fc.array(anyCondition, { maxLength: 2 }),
  isOpen: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
});
const anyGoal: fc.Arbitrary<PathGoal> = fc
  .record({ question: anyCondition, first: anyRules, second: anyRules, kind: fc.nat(2) })
  .map(({ question, first, second, kind }) => {
    if (kind === 0) return { question: undefined, allowing: [first], refusing: second };
    return { question, allowing: kind === 1 ? [first] : [first, second] };
  });

/** All canonical paths of few pieces. */
const smallPaths: readonly string[] = (() => {
  const pieces = ['/', 'a', 'b', ';', '%2F', '%40', '2'];
  let texts = ['/'];
  const all = new Set(texts);
  for (let length = 1; length < 6; length++) {
    texts = texts.flatMap((text) => pieces.map((piece) => text + piece));
    for (const text of texts) all.add(text);
  }
  return [...all].filter((text) => {
    const canonical = canonicalPath(text);
    return 'path' in canonical && canonical.path === text;
  });
})();

/** By what decides about requests, which looks at the readings that a path has. */
function isWanted({ question, allowing, refusing }: PathGoal, path: string): boolean {
  const readings = new PathReadings(path);
  const any = (patterns: readonly PathPattern[] | undefined): boolean =>
    patterns === undefined || pathsMatch('deny', patterns, readings, unmeasured);
  const all = (patterns: readonly PathPattern[] | undefined): boolean =>
    patterns === undefined || pathsMatch('allow', patterns, readings, unmeasured);
  const isAllowed = ({ allows, denies, isOpen }: PathGoal['allowing'][number]): boolean =>
    !denies.some(any) && (isOpen || allows.some(all));
  if (!any(question) || (refusing !== undefined && isAllowed(refusing))) return false;
  return allowing.every(isAllowed);
}

test('all readings together say of a path what those say that it has', () => {
  fc.assert(
    fc.property(anyGoal, anyPieces, (goal, pieces) => {
      const path = textOf(pieces);
      const canonical = canonicalPath(path);
      if ('path' in canonical && canonical.path === path)
        assert.equal(isGoal(goal, path), isWanted(goal, path), path);
    }),
    { numRuns: 5000 },
  );
});

test('the search finds a path where there is one, and one that is as asked', () => {
  const outcomes = { found: 0, none: 0, 'too-many': 0 };
  fc.assert(
    fc.property(anyGoal, (goal) => {
      const { result } = searchPath(goal, 2_000_000);
      outcomes[result.kind] += 1;
      if (result.kind === 'found') assert.ok(isWanted(goal, result.path), result.path);
      else {
        const missed = smallPaths.find((path) => isWanted(goal, path));
        assert.equal(missed, undefined, `${result.kind}: ${missed ?? ''}`);
      }
    }),
    { numRuns: runs },
  );
  // Of a few runs shares say nothing.
  if (runs <= 100) return;
  assert.ok(outcomes.found > 50 && outcomes.none > 50, JSON.stringify(outcomes));
  // Where several rules of a bound can each fail in a reading of its own, all readings are looked at together.
  assert.ok(outcomes['too-many'] <= runs / 50, JSON.stringify(outcomes));
});
