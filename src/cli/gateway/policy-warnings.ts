// What `policy check` and `gateway --check` say of files: what the reader found, and rules whose time is over.

import { splitNumber } from '../../http/digits-at-end.ts';
import type { PolicySource } from '../../gateway/policies/policy-source.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import { asProxyError } from '../../protocol/error.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { harmlessText } from '../terminal/text-table.ts';

/** One finding, as `--json` prints it. Its place is as exact as it is known. */
export type CheckProblem = Pick<PolicyProblem, 'message' | 'severity'> &
  Partial<Pick<PolicyProblem, 'file' | 'line' | 'column'>>;

export function policyWarnings(source: PolicySource, nowMs: number): readonly CheckProblem[] {
  const { current, state } = source;
  const rules = current instanceof CompiledPolicy ? current.rules : [];
  const expired = rules.flatMap(({ expiresMs, reference: { name, place = 'policy' } }): CheckProblem[] => {
    if (expiresMs === undefined || expiresMs > nowMs) return [];
    const when = new Date(expiresMs).toISOString();
    const message = `the rule ${name} expired at ${when} and does nothing; remove it, or give it more time`;
    const found = splitNumber(place, ':');
    const line = found === undefined ? {} : { line: Number(found.digits) };
    return [{ severity: 'warning', message, file: found?.before ?? place, ...line }];
  });
  return [...state.warnings, ...expired];
}

/** The form of `formatProblem`, with as much of the place as there is, for standard output. */
export function problemText({ file, line, column, severity, message }: CheckProblem): string {
  const look = severity === 'error' ? 'bad' : 'doubtful';
  const told = `${painted(standardOutput(), look, `${severity}:`)} ${harmlessText(message)}`;
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return place === '' ? told : `${harmlessText(place)}: ${told}`;
}

/** What is wrong with the files that were to be read. Throws again what is no fault of theirs. */
export function problemsOf(thrown: unknown): readonly CheckProblem[] {
  if (thrown instanceof InvalidFilesError) return thrown.problems;
  const { code, message } = asProxyError(thrown);
  if (code !== 'config_invalid') throw thrown;
  return [{ severity: 'error', message }];
}
