// Rows of text in equal columns, for people. What strangers wrote cannot act on the terminal.

const cellMax = 120;

/** Gives a cell its colour or link, which take no room. `row` 0 is the first one. */
export type Decorate = (cell: string, at: { readonly row: number; readonly column: number }) => string;

/** Every line ends with a line break. A cell is harmless before it is decorated. */
export function textTable(rows: readonly (readonly string[])[], decorate: Decorate = (cell) => cell): string {
  const clean = rows.map((row) => row.map(printableText));
  const columns = Math.max(0, ...clean.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...clean.map((row) => row[at]?.length ?? 0)),
  );
  return clean
    .map((cells, row) => `${lineOf(cells, widths, (cell, column) => decorate(cell, { row, column }))}\n`)
    .join('');
}

function lineOf(
  cells: readonly string[],
  widths: readonly number[],
  decorate: (cell: string, column: number) => string,
): string {
  const padded = cells.map((cell, at) => {
    const room = ' '.repeat(Math.max(0, (widths[at] ?? 0) - cell.length));
    return (cell === '' ? '' : decorate(cell, at)) + room;
  });
  return padded.join('  ').trimEnd();
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
