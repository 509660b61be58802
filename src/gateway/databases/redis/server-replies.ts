// What a server of Redis sends, response by response: it goes on as it is, but for what stands in the place of our own words. Holds the
// beginning of one error at most.

import { headLineBytesMax, headNumber, octet } from './resp.ts';

/** Longer errors than those to a stand-in are the server's own. */
const errorBytesMax = 512;

export interface TakenReplies {
  readonly pieces: readonly Uint8Array[];
  /** It does not speak as it must: nothing behind it can be followed. */
  readonly isBroken?: true;
}

/** In place of an error; undefined: it goes on. Nothing goes on behind the last one. */
export type InPlaceOf = (
  line: Uint8Array,
) => { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined;

/** Of a value that is a line, one with a length and octets, and one that has others in it: how many for each that it counts. */
const lines: ReadonlySet<number> = new Set([...'+-:_#,('].map((type) => type.charCodeAt(0)));
const blobs: ReadonlySet<number> = new Set([...'$!='].map((type) => type.charCodeAt(0)));
const counted: ReadonlyMap<number, number> = new Map([
  [0x2a, 1],
  [0x7e, 1],
  [0x3e, 1],
  [0x25, 2],
]);
/** Attributes, behind which comes the value that they are of. */
const attributes = 0x7c;

export class ServerReplies {
  readonly #inPlaceOf: InPlaceOf;
  /** Values that are to come until the response is whole. */
  #valuesLeft = 0;
  #bytesLeft = 0;
  #state: 'value' | 'head' | 'line' | 'error' | 'bytes' | 'over' = 'value';
  #type = 0;
  #head: number[] = [];
  #error: Uint8Array[] = [];
  #errorBytes = 0;

  constructor(inPlaceOf: InPlaceOf) {
    this.#inPlaceOf = inPlaceOf;
  }

  take(chunk: Uint8Array): TakenReplies {
    const pieces: Uint8Array[] = [];
    let runFrom = 0;
    const pass = (end: number): void => {
      if (runFrom < end) pieces.push(chunk.subarray(runFrom, end));
      runFrom = end;
    };
    for (let at = 0; at < chunk.length;) {
      if (this.#state === 'over') return { pieces };
      if (this.#state === 'value' && this.#valuesLeft === 0 && chunk[at] === octet.minus) {
        pass(at);
        this.#state = 'error';
      }
      if (this.#state === 'error') {
        const end = lineEnd(chunk, at);
        pieces.push(...this.#errorUpTo(chunk.subarray(at, end)));
        at = end;
        runFrom = end;
        continue;
      }
      const next = this.#step(chunk, at);
      if (next === undefined) {
        pass(at);
        this.#state = 'over';
        return { pieces, isBroken: true };
      }
      at = next;
    }
    pass(chunk.length);
    return { pieces };
  }

  /** What is held of an error at the end. */
  end(): readonly Uint8Array[] {
    return this.#error;
  }

  #errorUpTo(part: Uint8Array): readonly Uint8Array[] {
    // A copy: the chunk need not be kept for it.
    this.#error.push(part.slice());
    this.#errorBytes += part.length;
    const isWhole = part.at(-1) === octet.newline;
    if (!isWhole && this.#errorBytes <= errorBytesMax) return [];
    const held = Buffer.concat(this.#error);
    this.#error = [];
    this.#errorBytes = 0;
    this.#state = isWhole ? 'value' : 'line';
    // The rest of one that goes on is a line as others; it is the response.
    if (!isWhole) {
      this.#valuesLeft = 1;
      return [held];
    }
    const own = held.length > errorBytesMax ? undefined : this.#inPlaceOf(held);
    if (own === undefined) return [held];
    if (own.isLast) this.#state = 'over';
    return [own.bytes];
  }

  #step(chunk: Uint8Array, at: number): number | undefined {
    switch (this.#state) {
      case 'value':
        return this.#value(chunk[at] ?? 0, at);
      case 'head':
        return this.#headUpTo(chunk, at);
      case 'line': {
        const end = lineEnd(chunk, at);
        if (chunk[end - 1] === octet.newline) this.#valueEnds();
        return end;
      }
      case 'bytes': {
        const passed = Math.min(this.#bytesLeft, chunk.length - at);
        this.#bytesLeft -= passed;
        if (this.#bytesLeft === 0) this.#valueEnds();
        return at + passed;
      }
      case 'error':
      case 'over':
        return undefined;
    }
  }

  #value(type: number, at: number): number | undefined {
    if (this.#valuesLeft === 0) this.#valuesLeft = 1;
    this.#type = type;
    this.#head = [];
    if (lines.has(type)) this.#state = 'line';
    else if (blobs.has(type) || counted.has(type) || type === attributes) this.#state = 'head';
    else return undefined;
    return at + 1;
  }

  #headUpTo(chunk: Uint8Array, start: number): number | undefined {
    for (let at = start; at < chunk.length; at += 1) {
      const one = chunk[at] ?? 0;
      if (one === octet.newline) return this.#headIs(at + 1);
      if (this.#head.length >= headLineBytesMax) return undefined;
      this.#head.push(one);
    }
    return chunk.length;
  }

  #headIs(next: number): number | undefined {
    if (this.#head.at(-1) !== octet.return) return undefined;
    const number = headNumber(String.fromCharCode(...this.#head.slice(0, -1)));
    if (number === undefined) return undefined;
    this.#state = 'value';
    if (blobs.has(this.#type)) {
      if (number === -1) this.#valueEnds();
      else {
        this.#bytesLeft = number + 2;
        this.#state = 'bytes';
      }
      return next;
    }
    const count = Math.max(number, 0);
    if (this.#type === attributes) this.#valuesLeft += 2 * count;
    else this.#valuesLeft += count * (counted.get(this.#type) ?? 1) - 1;
    return this.#valuesLeft > Number.MAX_SAFE_INTEGER / 4 ? undefined : next;
  }

  #valueEnds(): void {
    this.#valuesLeft -= 1;
    this.#state = 'value';
  }
}

/** Behind the next end of a line, or of all that there is. */
function lineEnd(chunk: Uint8Array, at: number): number {
  const newline = chunk.indexOf(octet.newline, at);
  return newline === -1 ? chunk.length : newline + 1;
}
