// What the runner of GitHub Actions gives a step, and how a step speaks to it: variables, files, and lines of output.

import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A fault for the person who reads the log: one annotation, no stack. */
export class ActionError extends Error {}

/** `job end` has told what it is. */
export const needsLookText =
  'the job fails because fail-on-denial is true: see the other errors, and the summary of the job';

/** Throws for a variable that every runner sets. */
export function required(variables: Variables, name: string): string {
  const value = variables[name];
  if (value === undefined || value === '')
    throw new ActionError(`${name} is not set: this program is a step of GitHub Actions`);
  return value;
}

/** Appends one value to a file of the runner. Nobody who chose the value can know the line that ends it. */
export function appendValue(file: string, name: string, value: string): void {
  const end = `end-${randomBytes(16).toString('hex')}`;
  appendFileSync(file, `${name}<<${end}\n${value}\n${end}\n`);
}

/** A workflow command; the text cannot end its line. */
export function command(name: string, text: string, title?: string): string {
  const given =
    title === undefined ? '' : ` title=${escaped(title).replaceAll(':', '%3A').replaceAll(',', '%2C')}`;
  return `::${name}${given}::${escaped(text)}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** The step fails, with an annotation that says why. */
export function fail(error: unknown): void {
  const text = error instanceof ActionError ? error.message : String((error as Error).stack ?? error);
  process.stdout.write(command('error', text, 'upstreamproxy'));
  process.exitCode = 1;
}
