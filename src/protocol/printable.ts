// Text of the other side, as a person may see it.

const charactersMax = 500;

/** The text on one line, without control characters, of a length that a person reads. */
export function printable(text: string): string {
  return text
    .replace(/\p{C}+/gu, ' ')
    .slice(0, charactersMax)
    .toWellFormed();
}
