// Which files of a run are run once more, alone, and what the run has come to then.

import type { Counts, FileOutcome } from './run-test-file.ts';

export interface NamedOutcome extends FileOutcome {
  readonly name: string;
}

/**
 * So many files at most. A machine that was starved for a moment fails one test or two of ten thousand, which alone they pass; where
 * more fail, something is broken.
 */
export const repeatsMax = 3;

/** The names of those to run again: none where more failed than a busy machine explains, or where nothing else ran beside them. */
export function repeatable(outcomes: readonly NamedOutcome[]): readonly string[] {
  const failed = outcomes.filter(({ counts }) => counts.failed > 0);
  return outcomes.length === 1 || failed.length > repeatsMax ? [] : failed.map(({ name }) => name);
}

export interface RunSum {
  readonly counts: Counts;
  readonly failures: string[];
  /** What failed the first time in files that passed the second time. */
  readonly unsteady: string[];
}

/** Sums a run; what was run again counts as it did then, and what had failed before is told in any case. */
export function sumOutcomes(outcomes: readonly NamedOutcome[], repeats: readonly NamedOutcome[]): RunSum {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const unsteady: string[] = [];
  for (const first of outcomes) {
    const second = repeats.find(({ name }) => name === first.name);
    const last = second ?? first;
    counts.passed += last.counts.passed;
    counts.failed += last.counts.failed;
    counts.skipped += last.counts.skipped;
    failures.push(...last.failures);
    if (second !== undefined) (second.counts.failed === 0 ? unsteady : failures).push(...first.failures);
  }
  return { counts, failures, unsteady };
}
