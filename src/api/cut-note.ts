// How a path is shown of which an event has only the beginning, so that nobody takes it for the whole, not even by copying it.

const opening = '[cut: ';

/** What stands behind the beginning of a text that was so long. */
export function cutNote(bytes: number): string {
  return `${opening}${bytes} bytes in all]`;
}

/** Whether a text was copied from where such a note stands. */
export function hasCutNote(text: string): boolean {
  return text.includes(opening);
}
