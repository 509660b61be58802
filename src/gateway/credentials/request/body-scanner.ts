// Finds a placeholder in a body that streams by, where it is a whole value: a string of JSON, a value of a form, or all
// of a plain text. What is held back is never longer than the longest match.

import { Buffer } from 'node:buffer';
import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import { decodeParameter } from '../../../http/query-parameter.ts';
import { defaultLimits } from '../../../protocol/limits.ts';

export type BodyForm = 'json' | 'form' | 'text';

/** Bytes to send on in their order, and how many at the end of the buffer have to wait for what follows. */
interface Scanned {
  readonly parts: readonly Uint8Array[];
  readonly waiting: number;
}

/** Scans a buffer that begins where the last one left off. `isEnd`: nothing follows, and nothing may wait. */
interface Scanner {
  scan(buffer: Buffer, isEnd: boolean): Scanned;
  /** How often the placeholder was replaced. */
  readonly found: number;
}

export interface Replacement {
  readonly placeholder: string;
  readonly secret: string;
}

export function createScanner(form: BodyForm, replacement: Replacement): Scanner {
  switch (form) {
    case 'json':
      return new JsonScanner(replacement);
    case 'form':
      return new FormScanner(replacement);
    case 'text':
      return new TextScanner(replacement);
  }
}

/** The scanner as a stream. */
export class ScanTransform extends Transform {
  readonly #scanner: Scanner;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(scanner: Scanner) {
    super();
    this.#scanner = scanner;
  }

  override _transform(chunk: Buffer, _encoding: string, callback: TransformCallback): void {
    this.#scan(chunk, false);
    callback();
  }

  override _flush(callback: TransformCallback): void {
    this.#scan(Buffer.alloc(0), true);
    callback();
  }

  #scan(chunk: Buffer, isEnd: boolean): void {
    const buffer = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    const { parts, waiting } = this.#scanner.scan(buffer, isEnd);
    this.#waiting = Buffer.from(buffer.subarray(buffer.length - waiting));
    for (const part of parts) if (part.length > 0) this.push(part);
  }
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Strings that are the placeholder as a whole; a name, which a colon follows, is none. */
class JsonScanner implements Scanner {
  readonly #token: Buffer;
  readonly #value: Buffer;
  #isInside = false;
  found = 0;

  constructor({ placeholder, secret }: Replacement) {
    this.#token = Buffer.from(`"${placeholder}"`);
    this.#value = Buffer.from(JSON.stringify(secret));
  }

  scan(buffer: Buffer, isEnd: boolean): Scanned {
    const parts: Uint8Array[] = [];
    let from = 0;
    let at = 0;
    while (at < buffer.length) {
      if (this.#isInside) {
        const next = this.#endOfString(buffer, at);
        // An escape that ends the buffer waits for its second half.
        if (next === undefined && !isEnd) return { parts: [...parts, buffer.subarray(from, -1)], waiting: 1 };
        at = next ?? buffer.length;
        continue;
      }
      const start = buffer.indexOf(quote, at);
      if (start === -1) break;
      const match = this.#matches(buffer, start, isEnd);
      if (match === 'unknown')
        return { parts: [...parts, buffer.subarray(from, start)], waiting: buffer.length - start };
      if (match === 'yes') {
        this.found += 1;
        parts.push(buffer.subarray(from, start), this.#value);
        from = at = start + this.#token.length;
      } else {
        this.#isInside = true;
        at = start + 1;
      }
    }
    return { parts: [...parts, buffer.subarray(from)], waiting: 0 };
  }

  /** Behind the closing quote, or the end of the buffer; undefined if a backslash is its last byte. */
  #endOfString(buffer: Buffer, start: number): number | undefined {
    for (let at = start; at < buffer.length; at += 1) {
      const byte = buffer[at];
      if (byte === quote) {
        this.#isInside = false;
        return at + 1;
      }
      if (byte === backslash) {
        at += 1;
        if (at >= buffer.length) return undefined;
      }
    }
    return buffer.length;
  }

  #matches(buffer: Buffer, start: number, isEnd: boolean): 'yes' | 'no' | 'unknown' {
    const length = this.#token.length;
    const seen = buffer.subarray(start, start + length);
    if (!seen.equals(this.#token.subarray(0, seen.length))) return 'no';
    if (seen.length < length) return isEnd ? 'no' : 'unknown';
    let next = start + length;
    while (next < buffer.length && isSpace(buffer[next])) next += 1;
    if (next - start - length > defaultLimits.placeholderSpacesMax) return 'no';
    if (next === buffer.length) return isEnd ? 'yes' : 'unknown';
    return buffer[next] === colon ? 'no' : 'yes';
  }
}

const ampersand = 0x26;
const equals = 0x3d;

/** Values that are the placeholder as a whole once they are decoded. */
class FormScanner implements Scanner {
  readonly #placeholder: string;
  readonly #value: Buffer;
  #place: 'name' | 'value' | 'other' = 'name';
  found = 0;

  constructor({ placeholder, secret }: Replacement) {
    this.#placeholder = placeholder;
    this.#value = Buffer.from(encodeURIComponent(secret));
  }

  scan(buffer: Buffer, isEnd: boolean): Scanned {
    const parts: Uint8Array[] = [];
    let from = 0;
    let at = 0;
    while (at < buffer.length) {
      const ampersandAt = buffer.indexOf(ampersand, at);
      const end = ampersandAt === -1 ? buffer.length : ampersandAt;
      if (this.#place === 'name') {
        const equalsAt = buffer.subarray(at, end).indexOf(equals);
        if (equalsAt !== -1) {
          this.#place = 'value';
          at += equalsAt + 1;
          continue;
        }
      } else if (this.#place === 'value') {
        const couldMatch = end - at <= this.#placeholder.length * 3;
        if (couldMatch && ampersandAt === -1 && !isEnd)
          return { parts: [...parts, buffer.subarray(from, at)], waiting: end - at };
        if (couldMatch && this.#isPlaceholder(buffer.subarray(at, end))) {
          this.found += 1;
          parts.push(buffer.subarray(from, at), this.#value);
          from = end;
        }
        this.#place = 'other';
      }
      if (ampersandAt === -1) break;
      this.#place = 'name';
      at = ampersandAt + 1;
    }
    return { parts: [...parts, buffer.subarray(from)], waiting: 0 };
  }

  #isPlaceholder(bytes: Buffer): boolean {
    return decodeParameter(bytes.toString('latin1')) === this.#placeholder;
  }
}

/** The text as a whole, but for white space around it. */
class TextScanner implements Scanner {
  readonly #placeholder: string;
  readonly #value: Buffer;
  #isOver = false;
  found = 0;

  constructor({ placeholder, secret }: Replacement) {
    this.#placeholder = placeholder;
    this.#value = Buffer.from(secret);
  }

  scan(buffer: Buffer, isEnd: boolean): Scanned {
    const isLong = buffer.length > this.#placeholder.length + defaultLimits.placeholderMarginBytesMax;
    if (!this.#isOver && !isLong && !isEnd) return { parts: [], waiting: buffer.length };
    const start = buffer.indexOf(this.#placeholder);
    const end = start + this.#placeholder.length;
    const isWhole =
      !this.#isOver &&
      !isLong &&
      start !== -1 &&
      buffer.subarray(0, start).every(isSpace) &&
      buffer.subarray(end).every(isSpace);
    this.#isOver = true;
    if (!isWhole) return { parts: [buffer], waiting: 0 };
    this.found += 1;
    return { parts: [buffer.subarray(0, start), this.#value, buffer.subarray(end)], waiting: 0 };
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
