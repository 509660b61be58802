// What `run` and `agent` say of the user's variables that gave way.

/** One line with the names alone, for the values may be secret; nothing where there are none. */
export function displacedNote(names: readonly string[]): string {
  if (names.length === 0) return '';
  const values = names.length === 1 ? 'the value' : 'the values';
  return `upstreamproxy: ${values} of ${names.join(', ')} in this environment gave way to those of the session\n`;
}
