// What readers of the request path cost grows as their input does: four times the octets cost about four times the work.
// Measured is processor time of this thread at sizes n and 4n, as a ratio with a wide margin; a square gives 16. That every reader has a case
// is held by test/linear-expressions.test.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { growthCases, inPairs } from './support/growth/growth-cases.ts';
import { tried } from './support/growth/growth-case.ts';

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
  for (const [name, { pieces, read }] of Object.entries(growthCases)) {
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
