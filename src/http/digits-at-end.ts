// The number that a text ends with, found in one way back through it.

/** Where the digits begin that the text ends with; its length if it ends with none. */
export function digitsAtEnd(text: string): number {
  let at = text.length;
  while (at > 0 && isDigit(text.charCodeAt(at - 1))) at -= 1;
  return at;
}

/** The text in front of a mark and digits that end it, and the digits; undefined if it does not end so. */
export function splitNumber(
  text: string,
  mark: ':' | '.',
): { readonly before: string; readonly digits: string } | undefined {
  const at = digitsAtEnd(text);
  if (at === text.length || text[at - 1] !== mark) return undefined;
  return { before: text.slice(0, at - 1), digits: text.slice(at) };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
