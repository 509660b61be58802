// What a suite of conformance is: cases that somebody else wrote, each with what came of it, and the deviations that are expected.

/** What came of one case. An exclusion is by a rule that is stated, never by the case's number. */
export type CaseResult =
  | { readonly id: string; readonly state: 'passed' }
  | { readonly id: string; readonly state: 'failed'; readonly why: string }
  | { readonly id: string; readonly state: 'excluded'; readonly rule: string };

export interface Deviations {
  /** Why these cases may fail. */
  readonly reason: string;
  readonly cases: readonly string[];
}

export interface Verdict {
  readonly passed: number;
  readonly deviations: number;
  readonly excluded: number;
  /** What makes the suite fail, a line each. */
  readonly faults: readonly string[];
}

/**
 * Holds results against the deviations that are expected. A failure that nobody expected is a fault, and so is an expected one that
 * passes or was not run: lists do not rot. @param isWhole whether all cases of the suite are there, so that one that lacks is a fault
 */
export function judge(
  results: readonly CaseResult[],
  deviations: readonly Deviations[],
  isWhole: boolean,
): Verdict {
  const expected = new Map(
    deviations.flatMap(({ reason, cases }) => cases.map((id) => [id, reason] as const)),
  );
  const faults: string[] = [];
  const counts = { passed: 0, deviations: 0, excluded: 0 };
  if (results.every(({ state }) => state === 'excluded')) faults.push('no case was run');
  const seen = new Set<string>();
  for (const result of results) {
    if (seen.has(result.id)) faults.push(`${result.id}: the case is there twice`);
    seen.add(result.id);
    const reason = expected.get(result.id);
    expected.delete(result.id);
    if (result.state === 'excluded') {
      counts.excluded += 1;
      if (reason !== undefined)
        faults.push(`${result.id}: an expected deviation is excluded (${result.rule})`);
    } else if (result.state === 'passed') {
      counts.passed += 1;
      if (reason !== undefined)
        faults.push(`${result.id}: passes, though a deviation is expected: ${reason}`);
    } else if (reason === undefined) faults.push(`${result.id}: ${result.why}`);
    else counts.deviations += 1;
  }
  if (isWhole)
    for (const id of expected.keys())
      faults.push(`${id}: a deviation is expected of a case that is not there`);
  return { ...counts, faults };
}

/** One suite, as the command runs it. */
export interface Suite {
  readonly name: string;
  /** What it holds against what, in a few words for the table. */
  readonly about: string;
  readonly deviations: readonly Deviations[];
  /** Runs all cases. `work` is an empty folder. */
  run(work: string): Promise<SuiteRun>;
}

export type SuiteRun =
  | { readonly results: readonly CaseResult[]; readonly from: string }
  /** Why it could not be run. */
  | { readonly absent: string };
