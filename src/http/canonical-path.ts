// The path of a request target in canonical form, octet by octet: what it costs must not depend on what it is made of.

import { codesText, writeEncoded } from './codes-text.ts';
import { hiddenFault } from './path-reading.ts';
import { isUnreserved, octetAt } from './percent-octet.ts';
import { Utf8Check } from './utf8-check.ts';

/** Octets that stand in a path as they are; RFC 3986 §3.3. */
const isPlain = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~!$&'()*+,;=:@-")
  isPlain[char.charCodeAt(0)] = 1;

const percent = 0x25;
const dot = 0x2e;
const slash = 0x2f;
const semicolon = 0x3b;
const backslash = 0x5c;

/** Nothing to decode or to encode: most paths. */
const allPlain = /^[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/;

/** A canonical path, or why it is refused. `path` is ASCII and octets above it, without a query, and begins with a slash. */
export function canonicalPath(path: string): { readonly path: string } | { readonly fault: string } {
  const isCanonical = allPlain.test(path) && !path.includes('/.');
  const canonical = isCanonical ? { path } : new PathWriter(path).write();
  if ('fault' in canonical) return canonical;
  const fault = hiddenFault(canonical.path);
  return fault === undefined ? canonical : { fault };
}

class PathWriter {
  readonly #path: string;
  readonly #out: Uint8Array;
  /** Where the segments that stay begin, at their slashes. */
  readonly #starts: number[] = [];
  readonly #utf8 = new Utf8Check();
  #length = 0;
  #fault: string | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#out = new Uint8Array(3 * path.length);
  }

  write(): { readonly path: string } | { readonly fault: string } {
    const path = this.#path;
    let at = 0;
    while (at < path.length && this.#fault === undefined) at = this.#segment(at);
    if (this.#fault !== undefined) return { fault: this.#fault };
    return { path: this.#length === 0 ? '/' : codesText(this.#out, this.#length) };
  }

  /** Reads from a slash to the next one, or to the end, and gives where that is. */
  #segment(from: number): number {
    const path = this.#path;
    const start = this.#length;
    this.#out[this.#length++] = slash;
    let at = from + 1;
    while (at < path.length && this.#fault === undefined) {
      const octet = path.charCodeAt(at);
      if (octet === slash) break;
      at = octet === percent ? this.#encoded(at) : this.#raw(octet, at);
    }
    if (!this.#utf8.ended()) this.#fault ??= 'its encoded bytes are not well-formed UTF-8';
    this.#fault ??= hiddenDots(this.#out, start + 1, this.#length);
    if (this.#fault === undefined) this.#placeSegment(start, at >= path.length);
    return at;
  }

  #raw(octet: number, at: number): number {
    this.#utf8.octet(octet);
    if (octet === backslash) this.#fault = 'a backslash is a separator to some origins';
    else if (isPlain[octet] === 1) this.#out[this.#length++] = octet;
    else this.#length = writeEncoded(this.#out, this.#length, octet);
    return at + 1;
  }

  #encoded(at: number): number {
    const octet = octetAt(this.#path, at + 1);
    if (octet === undefined) {
      this.#fault = 'a percent sign has to be followed by two hex digits';
      return at + 1;
    }
    this.#utf8.octet(octet);
    if (octet < 0x20 || octet === 0x7f) this.#fault = 'it has an encoded control character';
    else if (octet === backslash) this.#fault = 'an encoded backslash is a separator to some origins';
    else if (isUnreserved(octet)) this.#out[this.#length++] = octet;
    else this.#length = writeEncoded(this.#out, this.#length, octet);
    return at + 3;
  }

  /** RFC 3986 §5.2.4. A dot segment at the end leaves the slash behind it. */
  #placeSegment(start: number, isLast: boolean): void {
    const length = this.#length - start - 1;
    const isDots =
      this.#out[start + 1] === dot && (length === 1 || (length === 2 && this.#out[start + 2] === dot));
    if (!isDots) {
      this.#starts.push(start);
      return;
    }
    this.#length = start;
    if (length === 2) {
      const removed = this.#starts.pop();
      if (removed !== undefined) {
        if (this.#length === removed + 1) this.#fault = '".." stands behind an empty segment';
        this.#length = removed;
      }
    }
    if (!isLast) return;
    this.#starts.push(this.#length);
    this.#out[this.#length++] = slash;
  }
}

/**
 * Dot segments that only some origins see: behind an encoded slash (`%2F`) or before a path parameter (`;`, `%3B`). The
 * octets of one segment in canonical form.
 */
function hiddenDots(octets: Uint8Array, from: number, to: number): string | undefined {
  let isFirst = true;
  for (let start = from; ; isFirst = false) {
    const piece = readPiece(octets, start, to);
    const isDots = piece.dots === piece.name && (piece.name === 1 || piece.name === 2);
    const isOnly = isFirst && piece.end === to;
    if (isDots && !(isOnly && start + piece.name === to)) return 'a dot segment is hidden in it';
    if (piece.name === 0 && !isOnly) return 'an encoded slash stands beside an empty name';
    if (piece.end === to) return undefined;
    start = piece.end + 3;
  }
}

/** Up to the next encoded slash: how long the name before parameters is, how many dots begin it, and where it ends. */
function readPiece(
  octets: Uint8Array,
  start: number,
  to: number,
): { readonly name: number; readonly dots: number; readonly end: number } {
  let name = -1;
  let dots = 0;
  let at = start;
  for (; at < to; at++) {
    const octet = octets[at];
    if (octet === dot && at === start + dots) dots++;
    const code = octet === percent ? ((octets[at + 1] ?? 0) << 8) + (octets[at + 2] ?? 0) : 0;
    if (code === encodedSlash) break;
    if (name < 0 && (octet === semicolon || code === encodedSemicolon)) name = at - start;
  }
  return { name: name < 0 ? at - start : name, dots, end: at };
}

/** `2F` and `3B`. */
const encodedSlash = 0x3246;
const encodedSemicolon = 0x3342;
