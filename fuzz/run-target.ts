// The frame of a fuzz target: seeded inputs, a bounded number of runs, and one input again with `--repro`.
// node fuzz/<target>.ts [--seed N] [--runs N] [--repro '<JSON string>']; exits 1 on the first input that fails.

import { parseArgs } from 'node:util';

/** One number in [0, below) after the other, the same for the same seed (mulberry32). */
export type Random = (below: number) => number;

export interface FuzzTarget {
  readonly name: string;
  generate(random: Random): string;
  /** Throws if a property does not hold for the input. Gives whether the input got past the first refusal. */
  check(input: string): boolean | Promise<boolean>;
}

/** A sequence of pieces, now and then with a character that nobody expects. */
export function pieces(random: Random, vocabulary: readonly string[], countMax: number): string {
  let text = '';
  for (let count = random(countMax + 1); count > 0; count--) {
    text +=
      random(12) === 0
        ? String.fromCharCode(random(random(4) === 0 ? 0x10000 : 0x100))
        : pick(random, vocabulary);
  }
  return text;
}

/** One of the words; an empty vocabulary gives nothing. */
export function pick(random: Random, words: readonly string[]): string {
  return words[random(words.length)] ?? '';
}

/** Runs the target as the command line says, and sets the exit code. */
export async function runTarget(target: FuzzTarget): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '20000' },
      repro: { type: 'string' },
    },
  });
  if (values.repro !== undefined) {
    const input: unknown = JSON.parse(values.repro);
    if (typeof input !== 'string') throw new TypeError('--repro takes a JSON string');
    console.log((await target.check(input)) ? 'accepted' : 'refused', 'and every property holds');
    return;
  }
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(Number(values.seed)) || !Number.isSafeInteger(runs) || runs < 1)
    throw new TypeError('--seed and --runs take whole numbers');
  const random = randomFrom(Number(values.seed));
  let accepted = 0;
  for (let run = 1; run <= runs; run++) {
    const input = target.generate(random);
    try {
      if (await target.check(input)) accepted += 1;
    } catch (error) {
      const repro = JSON.stringify(await shrink(target, input)).replaceAll("'", String.raw`\u0027`);
      console.error(`${target.name}: run ${run} of seed ${values.seed} fails\n  --repro '${repro}'\n`, error);
      process.exitCode = 1;
      return;
    }
  }
  console.log(`${target.name}: ${values.runs} runs of seed ${values.seed}, ${accepted} accepted, 0 failed`);
  // Inputs that are all refused at the door test nothing behind it.
  if (accepted === 0) process.exitCode = 1;
}

/** Takes out parts as long as the rest still fails. */
async function shrink(target: FuzzTarget, failing: string): Promise<string> {
  let text = failing;
  for (let size = Math.ceil(text.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < text.length;) {
      const shorter = text.slice(0, at) + text.slice(at + size);
      if (await fails(target, shorter)) text = shorter;
      else at += size;
    }
  }
  return text;
}

async function fails(target: FuzzTarget, input: string): Promise<boolean> {
  try {
    await target.check(input);
    return false;
  } catch {
    return true;
  }
}

/** The generator of a seed. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
