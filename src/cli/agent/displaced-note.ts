// What `run` and `agent` say of the user's variables that gave way.

import { displacedVariable } from '../../agent/environment.ts';

/** One line with the names alone, for the values may be secret; nothing where there are none. */
export function displacedNote(names: readonly string[]): string {
  if (names.length === 0) return '';
  const values = names.length === 1 ? 'the value' : 'the values';
  return `upstreamproxy: ${values} of ${names.join(', ')} in this environment gave way to those of the session\n`;
}

/** The names for `upstreamproxy doctor`, which runs in the environment of the session and sees no other. */
export function displacedNames(names: readonly string[]): Readonly<Record<string, string>> {
  return names.length === 0 ? {} : { [displacedVariable]: names.join(',') };
}
