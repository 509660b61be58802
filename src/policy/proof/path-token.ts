// The pieces of which canonical paths are made: a character that stands plain, or an octet that stands encoded.

import { isUnreserved } from '../../http/percent-octet.ts';

export interface PathToken {
  readonly text: string;
  readonly octet: number;
  readonly isEncoded: boolean;
}

/** RFC 3986 §3.3, and the slash. Letters first, so that a path that is made up looks like one. */
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~!$&'()*+,;=:@-";

/** All of them: whatever canonical path there is, it is a sequence of these. */
export const pathTokens: readonly PathToken[] = [
  ...[...plain].map((text) => ({ text, octet: text.charCodeAt(0), isEncoded: false })),
  ...Array.from({ length: 256 }, (_, octet) => octet)
    .filter(staysEncoded)
    .map((octet) => ({
      text: `%${octet.toString(16).toUpperCase().padStart(2, '0')}`,
      octet,
      isEncoded: true,
    })),
];

/** What no canonical path has plain, and none is refused for. */
function staysEncoded(octet: number): boolean {
  const isControl = octet < 0x20 || octet === 0x7f;
  return !isControl && octet !== 0x5c && !isUnreserved(octet);
}

/** The value of a hex digit that stands plain; undefined for everything else. */
export function hexDigit({ text, isEncoded }: PathToken): number | undefined {
  return !isEncoded && /^[0-9A-Fa-f]$/.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** Pieces of which nothing tells one from another, for patterns that name these characters: one of each, in their order. */
export function distinctTokens(named: ReadonlySet<string>): readonly PathToken[] {
  const kept = new Map<string, PathToken>();
  for (const token of pathTokens) {
    const key = keyOf(token, named);
    if (!kept.has(key)) kept.set(key, token);
  }
  return [...kept.values()];
}

function keyOf(token: PathToken, named: ReadonlySet<string>): string {
  const { text, octet, isEncoded } = token;
  const ofPattern = (char: string): string => (named.has(char) ? char : 'other');
  if (!isEncoded) {
    if ('/.;'.includes(text)) return text;
    return `${ofPattern(text)} ${String(hexDigit(token) ?? '')}`;
  }
  const characters = Array.from(text.slice(1), ofPattern).join(' ');
  if (octet >= 0x80) return `${characters} ${String(utf8Range(octet))}`;
  if ([0x25, 0x2f, 0x3b, 0x3f, 0x23].includes(octet)) return text;
  return `${characters} ${staysReserved(octet) ? ofPattern(String.fromCharCode(octet)) : 'never plain'}`;
}

/** Octets that a well-formed text tells apart (RFC 3629 §4): where each range begins. */
const utf8Borders = [0x80, 0x90, 0xa0, 0xc0, 0xc2, 0xe0, 0xe1, 0xed, 0xee, 0xf0, 0xf1, 0xf4, 0xf5];

function utf8Range(octet: number): number {
  return utf8Borders.findLastIndex((border) => octet >= border);
}

/** Octets that stand plain as well as encoded, so that both are one to an origin that decodes. */
export function staysReserved(octet: number): boolean {
  return "!$&'()*+,;=:@/?#".includes(String.fromCharCode(octet));
}
