// Foreign text inside a message for a person: bounded, and without a byte that a terminal or a log would act on.

const lengthMax = 100;

/** The text in double quotes, at most 100 characters of it, everything but printable ASCII escaped. */
export function printable(text: string): string {
  const shown = text.slice(0, lengthMax).replace(/[^\x20-\x7e]|["\\]/g, escapeCharacter);
  return text.length > lengthMax ? `"${shown}…"` : `"${shown}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
