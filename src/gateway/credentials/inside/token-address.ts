// An address with tokens in its query or its fragment, as a redirect hands them out, and the same address with something else in their place.

import { decodedText, encodeText } from './token-form.ts';
import { type FoundToken, jsonWebTokenPattern, type TokenKind, tokenKindInAddress } from './token-members.ts';

/** A text between the parameters as it is, or a parameter whose value is a token. */
interface AddressPart {
  readonly text: string;
  readonly token?: FoundToken;
}

export interface TokenAddress {
  readonly parts: readonly AddressPart[];
  readonly tokens: readonly FoundToken[];
  /** A parameter of it that is a token by its name cannot be read: it goes nowhere. */
  readonly isUnreadable: boolean;
}

/** Undefined: it is no address with parameters. */
export function readAddress(text: string): TokenAddress | undefined {
  return /^(?:[A-Za-z][A-Za-z0-9+.-]{0,63}:|\/|\?|#)/.test(text) ? readReference(text) : undefined;
}

/** Of a text that is an address, however it begins (RFC 3986 §4.1). Undefined: it has no parameters. */
export function readReference(text: string): TokenAddress | undefined {
  if (!/[?#]/.test(text)) return undefined;
  const parts: AddressPart[] = [];
  const tokens: FoundToken[] = [];
  let isUnreadable = false;
  // Where a parameter can begin for some reader: a fragment can hold a path with a query of its own.
  for (const piece of text.split(/(?<=[?#&;])/)) {
    const end = /[?#&;]$/.test(piece) ? piece.length - 1 : piece.length;
    const equals = piece.indexOf('=');
    const name = equals < 0 || parts.length === 0 ? undefined : decodedText(piece.slice(0, equals));
    const value = equals < 0 ? '' : piece.slice(equals + 1, end);
    const plain = decodedText(value);
    const kind = kindOf(name, plain);
    if (kind === undefined || value === '') {
      // What hides its name from this reader may show it to another.
      if (equals >= 0 && parts.length > 0 && name === undefined) isUnreadable = true;
      parts.push({ text: piece });
      continue;
    }
    if (plain === undefined || !/^[\x21-\x7e]{8,}$/.test(plain)) {
      isUnreadable = true;
      continue;
    }
    const token = { kind, value: plain };
    tokens.push(token);
    parts.push({ text: piece.slice(0, equals + 1) }, { text: '', token }, { text: piece.slice(end) });
  }
  return { parts, tokens, isUnreadable };
}

function kindOf(name: string | undefined, value: string | undefined): TokenKind | undefined {
  const named = name === undefined ? undefined : tokenKindInAddress(name);
  return named ?? (value !== undefined && jsonWebTokenPattern.test(value) ? 'other' : undefined);
}

export function writeAddress({ parts }: TokenAddress, placeholderOf: (token: string) => string): string {
  return parts
    .map(({ text, token }) => (token === undefined ? text : encodeText(placeholderOf(token.value))))
    .join('');
}
