// What readers of the request path cost grows as their input does: four times the octets cost about four times the work.
// Measured is processor time of this thread at sizes n and 4n, as a ratio with a wide margin; a square gives 16. Every exported function
// or class that takes a text, octets or fields is read by some case, or is on a list that says why not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { calledFunctions } from './support/growth/called-functions.ts';
import { exportedReaders } from './support/growth/exported-readers.ts';
import { notOfPeers } from './support/growth/not-of-peers.ts';
import type { GrowthCases } from './support/growth/growth-case.ts';
import { requestCases } from './support/growth/request-cases.ts';
import { streamCases } from './support/growth/stream-cases.ts';
import { textCases } from './support/growth/text-cases.ts';

/** Texts of one piece, and for readers of short texts of two that alternate: what is wrong there often needs both. */
const inPairs: GrowthCases = { ...requestCases, ...textCases };
const cases: GrowthCases = { ...inPairs, ...streamCases };

/** What is read may be refused: the work counts. */
function tried(read: () => unknown): void {
  try {
    read();
  } catch {
    // Refused.
  }
}

test('every exported reader has a case, or a reason why no peer chooses how much it reads', async () => {
  const called = await calledFunctions(() => {
    for (const { pieces, read } of Object.values(cases))
      for (const piece of pieces) tried(() => read(piece.repeat(64)));
  });
  const readers = exportedReaders();
  assert.ok(readers.length > 200, `only ${readers.length} readers were seen`);
  const reasons = new Map(
    Object.entries(notOfPeers).flatMap(([reason, names]) => names.map((name) => [name, reason])),
  );
  const isCalled = ({ file, functions }: (typeof readers)[number]): boolean =>
    functions.some((name) => called.has(`${file} ${name}`));
  assert.deepEqual(
    readers.filter((one) => !isCalled(one) && !reasons.has(one.key)).map(({ key }) => key),
    [],
    'without a case in test/support/growth, or a line in not-of-peers.ts',
  );
  const known = new Map(readers.map((one) => [one.key, one]));
  assert.deepEqual(
    [...reasons.keys()].filter((key) => !known.has(key)),
    [],
    'reasons that there is nothing for',
  );
});

/** Enough of it that the clock of the processor tells it apart. */
const busyUs = 400;

/** Of one reading. */
function costOf(read: (text: string) => unknown, text: string): number {
  let times = 0;
  const start = process.threadCpuUsage();
  let usedUs = 0;
  while (usedUs < busyUs) {
    tried(() => read(text));
    times += 1;
    const { user, system } = process.threadCpuUsage(start);
    usedUs = user + system;
  }
  return usedUs / times;
}

/** The first that is below is the last. */
const attempts = 8;
const size = 4096;
/** Between what is linear (4) and what is a square (16). */
const growthMax = 9;

describe('work grows as the input does', () => {
  for (const [name, { pieces, read }] of Object.entries(cases)) {
    test(name, () => {
      // Each in front of an end that nothing fits.
      const pairs = name in inPairs ? pieces.flatMap((one) => pieces.map((other) => one + other)) : [];
      const texts = [...pieces, ...pairs.filter((pair) => !pieces.includes(pair))];
      for (const piece of texts) {
        const text = (length: number): string => piece.repeat(Math.ceil(length / piece.length));
        const grows = (): number => costOf(read, text(4 * size)) / costOf(read, text(size));
        // Again where other work on the machine was in the way.
        const least = Array.from({ length: attempts }, () => grows).reduce(
          (sum, one) => (sum > growthMax ? Math.min(sum, one()) : sum),
          Infinity,
        );
        assert.ok(
          least <= growthMax,
          `${JSON.stringify(piece)} costs ${least.toFixed(1)} times as much at four times the size`,
        );
      }
    });
  }
});
