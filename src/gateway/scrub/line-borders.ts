// Borders of text: line ends, and the empty lines behind events.

import type { Borders } from './borders.ts';
import { base64LineBytesMin } from './search-table.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Line ends. One behind a long run of Base64 may be inside of it, and is none. */
export const lineBorders: Borders = {
  last: (text, from) => {
    for (let at = text.lastIndexOf(lineFeed); at >= from; at = text.lastIndexOf(lineFeed, at - 1)) {
      if (!endsInBase64(text, at)) return at + 1;
      if (at === 0) break;
    }
    return 0;
  },
};

function endsInBase64(text: Uint8Array, lineFeedAt: number): boolean {
  const end = text[lineFeedAt - 1] === carriageReturn ? lineFeedAt - 1 : lineFeedAt;
  const start = end - base64LineBytesMin;
  if (start < 0) return false;
  for (let at = start; at < end; at += 1) if (!isBase64(text[at] ?? 0)) return false;
  return true;
}

/** Of either alphabet, or the marker of what was: whether a line end is a border must not follow from what was found. */
function isBase64(octet: number): boolean {
  return (
    (octet >= 0x61 && octet <= 0x7a) ||
    (octet >= 0x41 && octet <= 0x5a) ||
    (octet >= 0x30 && octet <= 0x39) ||
    octet === 0x2b ||
    octet === 0x2f ||
    octet === 0x2d ||
    octet === 0x5f ||
    octet === 0x2a
  );
}

/** The empty line behind an event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventBorders implements Borders {
  #isLineStart = true;
  /** The last octet was the CR of such an end. */
  #afterReturn: 'no' | 'line' | 'border' = 'no';

  last(text: Uint8Array, from: number): number {
    let border = 0;
    for (let at = from; at < text.length; at += 1) {
      const octet = text[at];
      if (octet === lineFeed && this.#afterReturn !== 'no') {
        // The second half of CRLF.
        if (this.#afterReturn === 'border') border = at + 1;
        this.#afterReturn = 'no';
      } else if (octet === lineFeed || octet === carriageReturn) {
        if (this.#isLineStart) border = at + 1;
        if (octet === carriageReturn) this.#afterReturn = this.#isLineStart ? 'border' : 'line';
        else this.#afterReturn = 'no';
        this.#isLineStart = true;
      } else {
        this.#isLineStart = false;
        this.#afterReturn = 'no';
      }
    }
    return border;
  }
}
