// Files that the configuration names and that have to be there before the gateway starts.

import { stat } from 'node:fs/promises';
import type { PolicyProblem } from '../../policy/problem.ts';

/** A file that the configuration names, with the place where it does. */
export interface FileReference {
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

export async function missingFiles(
  references: readonly FileReference[],
  file: string,
): Promise<readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  for (const { path, line, column } of references) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) continue;
    const message = `there is no file ${path}; correct the path, which counts from the folder of this file`;
    problems.push({ file, line, column, message, severity: 'error' });
  }
  return problems;
}
