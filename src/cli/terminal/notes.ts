// Lines about what a command does, beside what it was asked for.

import type { CommonValues } from '../definition/command-definition.ts';
import { harmlessText } from './text-table.ts';

/** One line on standard error. */
export function note(text: string): void {
  process.stderr.write(`upstreamproxy: ${harmlessText(text)}\n`);
}

/** Only for who asked to see more. */
export function noteVerbose(
  { verbose = false }: { readonly verbose?: boolean | undefined },
  text: string,
): void {
  if (verbose) note(text);
}

/** What was done, on standard output, unless nobody wants to know. `text` is harmless, and ends with a line break. */
export function tellDone({ quiet }: Pick<CommonValues, 'quiet'>, text: string): void {
  if (!quiet) process.stdout.write(text);
}
