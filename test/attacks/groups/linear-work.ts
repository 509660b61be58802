// Inputs that would make a reader slow: pieces that hostile inputs are made of, in generated orders, at four times the size. Four times the
// octets cost about four times the processor; a square would cost sixteen times.

import fc from 'fast-check';

import { requestCases } from '../../support/growth/request-cases.ts';
import { streamCases } from '../../support/growth/stream-cases.ts';
import { packageCases } from '../../support/growth/package-cases.ts';
import { textCases } from '../../support/growth/text-cases.ts';
import { tried, type GrowthCases } from '../../support/growth/growth-case.ts';
import type { Attack, AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

/** Enough of it that the clock of the processor tells it apart. */
const busyUs = 400;
const size = 2048;
/** Between what is linear (4) and what is a square (16). */
const growthMax = 9;
/** Again where other work on the machine was in the way. */
const attempts = 12;

interface Tried {
  readonly name: string;
  readonly order: readonly number[];
}

function costOf(read: (text: string) => unknown, text: string): number {
  const start = process.threadCpuUsage();
  let [times, usedUs] = [0, 0];
  while (usedUs < busyUs) {
    tried(() => read(text));
    times += 1;
    const { user, system } = process.threadCpuUsage(start);
    usedUs = user + system;
  }
  return usedUs / times;
}

function growth(read: (text: string) => unknown, unit: string, again = attempts): Finding {
  const text = (length: number): string => unit.repeat(Math.ceil(length / unit.length));
  let least = Infinity;
  for (let attempt = 0; attempt < again && least > growthMax; attempt += 1)
    least = Math.min(least, costOf(read, text(4 * size)) / costOf(read, text(size)));
  return least > growthMax
    ? `${least.toFixed(1)} times the work for ${JSON.stringify(unit.slice(0, 40))}`
    : undefined;
}

/** Readers as they were and are written elsewhere. */
const slow: readonly ((text: string) => unknown)[] = [
  (text) => /[ \t]*;[ \t]*charset/.test(`${' '.repeat(text.length)}x`),
  (text) => `${'\t'.repeat(text.length)}x`.replace(/\s+$/, ''),
];

function search(seed: number, cases: GrowthCases): Attack {
  const names = Object.keys(cases);
  return searched<Tried>({
    seed,
    inputs: fc.record({
      name: fc.constantFrom(...names),
      order: fc.array(fc.nat(20), { minLength: 2, maxLength: 5 }),
    }),
    runs: 50,
    ours: ({ name, order }) => {
      const found = cases[name];
      if (found === undefined) return 'there is no such case';
      const { pieces, read } = found;
      return growth(read, order.map((one) => pieces[one % pieces.length] ?? '').join(''));
    },
    naive: ({ order }) => growth(slow[(order[0] ?? 0) % slow.length] ?? String, 'a', 1),
  });
}

export const linearWork: AttackTable = {
  'LIN-01': search(2701, requestCases),
  'LIN-02': search(2702, { ...textCases, ...packageCases }),
  'LIN-03': search(2703, streamCases),
};
