// A problem in a policy or configuration file: where it is, what is wrong, and what to write instead.

import { ProxyError } from '../protocol/error.ts';

/** One finding. `message` says what is wrong and what to write instead; `line` and `column` count from 1. */
export interface PolicyProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** A place in a text, counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** `file:line:column: severity: message`, the form that editors and terminals make clickable. */
export function formatProblem(problem: PolicyProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.severity}: ${problem.message}`;
}

/** `config_invalid`, with every problem on a line of its message and as a value. */
export class InvalidFilesError extends ProxyError {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super('config_invalid', problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** Errors before warnings, then by file and position. */
export function sortProblems(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  const rank = ({ severity }: PolicyProblem): number => (severity === 'error' ? 0 : 1);
  return problems.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      files.indexOf(a.file) - files.indexOf(b.file) ||
      a.line - b.line ||
      a.column - b.column,
  );
}
