// How an origin reads a path, piece by piece: what `readPath` does with a whole one.

import type { PathReading } from '../../http/path-reading.ts';
import { encodeOctet, isUnreserved } from '../../http/percent-octet.ts';
import { hexDigit, type PathToken, staysReserved } from './path-token.ts';

/** What an encoded percent sign may begin, as far as it came: nothing, the sign, or the sign and one digit. */
type Pending = '' | '%25' | `%25${string}`;

interface Decoded {
  readonly pending: Pending;
  readonly out: string;
}

/** Octets that are decoded where an origin decodes; the others stay encoded in every reading. */
function standsPlain(octet: number): boolean {
  return staysReserved(octet) || isUnreserved(octet);
}

/** One piece more. `pending` is what the piece before has left. */
export function decodeStep(
  pending: Pending,
  token: PathToken,
  { octets, slashes }: Pick<PathReading, 'octets' | 'slashes'>,
): Decoded {
  const digit = hexDigit(token);
  if (pending === '%25' && digit !== undefined) return { pending: `%25${token.text}`, out: '' };
  if (pending.length > 3 && digit !== undefined) {
    const octet = Number.parseInt(pending.slice(3), 16) * 16 + digit;
    const isPlain = octet === slash ? slashes > 1 : octets > 0;
    return {
      pending: '',
      out: isPlain && standsPlain(octet) ? String.fromCharCode(octet) : encodeOctet(octet),
    };
  }
  const fresh = decodeFirst(token, { octets, slashes });
  return { pending: fresh.pending, out: `${pending}${fresh.out}` };
}

function decodeFirst(
  { text, octet, isEncoded }: PathToken,
  { octets, slashes }: Pick<PathReading, 'octets' | 'slashes'>,
): Decoded {
  if (!isEncoded) return { pending: '', out: text };
  if (octet === percent) {
    const goesOn = octets > 1 || slashes > 1;
    return goesOn ? { pending: '%25', out: '' } : { pending: '', out: text };
  }
  const isPlain = octet === slash ? slashes > 0 : octets > 0;
  return { pending: '', out: isPlain && standsPlain(octet) ? String.fromCharCode(octet) : text };
}

const percent = 0x25;
const slash = 0x2f;

/** What one reading has seen of a path. */
export interface ReadingState {
  readonly pending: Pending;
  readonly isCutBefore: boolean;
  readonly isEnded: boolean;
  readonly isCutAfter: boolean;
  readonly isBehindSlash: boolean;
}

export const readingStart: ReadingState = {
  pending: '',
  isCutBefore: false,
  isEnded: false,
  isCutAfter: false,
  isBehindSlash: false,
};

/** The state behind the piece, and the characters that the reading has of it. */
export function readingStep(
  state: ReadingState,
  token: PathToken,
  reading: PathReading,
): { readonly state: ReadingState; readonly out: string } {
  let { isCutBefore } = state;
  if (reading.parameters === 'cutBefore' && !token.isEncoded) {
    if (token.text === ';') isCutBefore = true;
    else if (token.text === '/') isCutBefore = false;
  }
  if (isCutBefore) {
    // What waits for a digit sees none before the next slash.
    const { state: next, out } = afterDecoding({ ...state, pending: '' }, state.pending, reading);
    return { state: { ...next, isCutBefore }, out };
  }
  const { pending, out: text } = decodeStep(state.pending, token, reading);
  const { state: next, out } = afterDecoding({ ...state, pending }, text, reading);
  return { state: { ...next, isCutBefore }, out };
}

/** What is left where the path ends. */
export function readingEnd(state: ReadingState, reading: PathReading): string {
  return afterDecoding({ ...state, pending: '' }, state.pending, reading).out;
}

function afterDecoding(
  state: ReadingState,
  text: string,
  { endsAtMark, parameters, mergesSlashes }: PathReading,
): { readonly state: ReadingState; readonly out: string } {
  let { isEnded, isCutAfter, isBehindSlash } = state;
  let out = '';
  for (const char of text) {
    if (endsAtMark && (char === '?' || char === '#')) isEnded = true;
    if (isEnded) break;
    if (parameters === 'cutAfter') {
      if (char === ';') isCutAfter = true;
      else if (char === '/') isCutAfter = false;
      if (isCutAfter) continue;
    }
    if (mergesSlashes) {
      const isSecond = char === '/' && isBehindSlash;
      isBehindSlash = char === '/';
      if (isSecond) continue;
    }
    out += char;
  }
  return { state: { ...state, isEnded, isCutAfter, isBehindSlash }, out };
}
