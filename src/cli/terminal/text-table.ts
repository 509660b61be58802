// Rows of text in equal columns, for people. What strangers wrote cannot act on the terminal.

const cellMax = 120;

/** Every line ends with a line break. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printableText));
  const columns = Math.max(0, ...clean.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...clean.map((row) => row[at]?.length ?? 0)),
  );
  return clean
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** ASCII without control characters, bounded; everything else by its code point. */
export function printableText(text: string): string {
  const ascii = asciiText(text);
  return ascii.length > cellMax ? `${ascii.slice(0, cellMax - 1)}~` : ascii;
}

/** The same of any length. */
export function asciiText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** Letters of every language; what controls a terminal, a line or the direction of text, by its code point. */
export function harmlessText(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** A line of JSON in ASCII: the terminal sees no control character, the parser the same text. */
export function jsonLine(value: unknown): string {
  const ascii = JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${ascii}\n`;
}

/** On standard error, where the output is as long as it was allowed to be: what is older is easily taken for absent. */
export function noteFullList(length: number, limit: number): void {
  if (length < limit) return;
  process.stderr.write(`upstreamproxy: no more than ${limit} are shown, the newest; see --number\n`);
}
