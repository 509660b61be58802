// Searches a text that comes in pieces by one table, and marks what was found: with as many steps for each octet whatever it is.

import type { Automaton } from './automaton.ts';
import type { SearchTable } from './search-table.ts';

const markerByte = 0x2a;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const backslash = 0x5c;
const escapedOctets: ReadonlySet<number | undefined> = new Set([0x6e, 0x72]);

/** What was marked in a text, from the first octet to behind the last. */
export interface Marked {
  readonly start: number;
  readonly end: number;
}

export class SecretSearch {
  readonly table: SearchTable;
  readonly #place: Place = { plainRow: 0, base64Row: 0, escaped: 0 };

  constructor(table: SearchTable) {
    this.table = table;
  }

  /**
   * Searches the chunk, whose copy begins at `offset` of `text`, and marks there what ends in it; what began in earlier chunks is
   * marked as far back as `text` goes.
   */
  run(chunk: Uint8Array, text: Uint8Array, offset: number): readonly Marked[] {
    const { plain, base64 } = this.table;
    const found: Marked[] = [];
    for (let at = 0; at < chunk.length;) {
      at = pass(this.table, this.#place, chunk, at);
      const { plainRow, base64Row } = this.#place;
      const end = offset + at;
      if (plainRow >= plain.finalRow) found.push({ start: mark(text, end, lengthAt(plain, plainRow)), end });
      if (base64Row >= base64.finalRow)
        found.push({ start: markBase64(text, end, lengthAt(base64, base64Row)), end });
    }
    return found;
  }
}

/** Where an automaton stands: the rows of its states, and 256 behind a backslash. */
interface Place {
  plainRow: number;
  base64Row: number;
  escaped: number;
}

/** From `start` on to behind the next octet with which a form ends, or to the end. A value that is there shows anyway, by its marker. */
function pass(
  { classes, plain, base64 }: SearchTable,
  place: Place,
  chunk: Uint8Array,
  start: number,
): number {
  const { next: plainNext, finalRow: plainFinal } = plain;
  const { next: base64Next, finalRow: base64Final } = base64;
  let { plainRow, base64Row, escaped } = place;
  const end = chunk.length;
  let at = start;
  // Typed arrays, asked for what they have: octets are below 256, and rows and classes come out of the tables themselves.
  while (at < end) {
    const octet = chunk[at] as number;
    const both = classes[escaped + octet] as number;
    plainRow = plainNext[plainRow + (both & 0xff)] as number;
    base64Row = base64Next[base64Row + (both >> 8)] as number;
    escaped = octet === backslash ? 0x100 : 0;
    at += 1;
    if (plainRow >= plainFinal || base64Row >= base64Final) break;
  }
  place.plainRow = plainRow;
  place.base64Row = base64Row;
  place.escaped = escaped;
  return at;
}

function lengthAt({ lengths, width }: Automaton, row: number): number {
  return lengths[row / width] ?? 0;
}

function mark(text: Uint8Array, end: number, length: number): number {
  const start = Math.max(0, end - length);
  text.fill(markerByte, start, end);
  return start;
}

/** Line ends and backslashes, which are what JSON writes for them, stay. */
function markBase64(text: Uint8Array, end: number, length: number): number {
  let at = end;
  for (let left = length; left > 0 && at > 0;) {
    at -= 1;
    const octet = text[at];
    if (octet === lineFeed || octet === carriageReturn || octet === backslash) continue;
    if (text[at - 1] === backslash && escapedOctets.has(octet)) continue;
    text[at] = markerByte;
    left -= 1;
  }
  return at;
}
