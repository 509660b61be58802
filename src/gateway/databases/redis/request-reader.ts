// What a client of Redis sends, read as it comes: where commands begin and end, and what their arguments are. Holds lines alone.

import { headLineBytesMax, headNumber, inlineBytesMax, octet } from './resp.ts';

/** Told of commands in order. Places are octets of the piece that is read. */
export interface RequestListener {
  begins(at: number): void;
  /** It has so many arguments, its name among them. */
  counted(count: number): void;
  /** The next one has so many octets, which follow in pieces. */
  argument(length: number): void;
  bytes(piece: Uint8Array): void;
  argumentEnds(): void;
  ends(at: number): void;
  /** It came as a line of words, which has ended; none: it was empty. */
  line(words: readonly string[]): void;
}

type Step = (chunk: Uint8Array, at: number) => number | undefined;

export class RequestReader {
  readonly #listener: RequestListener;
  /** Takes octets from there on and says how far it came; undefined: no command is so. */
  #step: Step;
  #line: number[] = [];
  #argumentsLeft = 0;
  #bytesLeft = 0;

  constructor(listener: RequestListener) {
    this.#listener = listener;
    this.#step = this.#start;
  }

  /** Between two commands. */
  get isBetween(): boolean {
    return this.#step === this.#start;
  }

  /** False: what came is none. Nothing may be taken behind that. */
  take(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      const next = this.#step(chunk, at);
      if (next === undefined) return false;
      at = next;
    }
    return true;
  }

  readonly #start: Step = (chunk, at) => {
    this.#listener.begins(at);
    this.#line = [];
    this.#step = chunk[at] === octet.star ? this.#count : this.#inline;
    return chunk[at] === octet.star ? at + 1 : at;
  };

  readonly #count: Step = (chunk, at) => {
    const next = this.#lineUpTo(chunk, at, headLineBytesMax);
    if (next === undefined || !this.#isLineWhole()) return next;
    const count = this.#number(0);
    if (count === undefined) return undefined;
    this.#argumentsLeft = Math.max(count, 0);
    this.#listener.counted(this.#argumentsLeft);
    return this.#next(next);
  };

  readonly #length: Step = (chunk, at) => {
    const next = this.#lineUpTo(chunk, at, headLineBytesMax);
    if (next === undefined || !this.#isLineWhole()) return next;
    const length = this.#line[0] === octet.dollar ? this.#number(1) : undefined;
    if (length === undefined || length < 0) return undefined;
    this.#bytesLeft = length;
    this.#listener.argument(length);
    this.#line = [];
    this.#step = this.#bytes;
    return next;
  };

  readonly #bytes: Step = (chunk, at) => {
    const end = Math.min(chunk.length, at + this.#bytesLeft);
    if (end > at) this.#listener.bytes(chunk.subarray(at, end));
    this.#bytesLeft -= end - at;
    if (this.#bytesLeft === 0) this.#step = this.#end;
    return end;
  };

  /** A server skips two octets there, whatever they are. */
  readonly #end: Step = (chunk, at) => {
    this.#line.push(chunk[at] ?? 0);
    if (this.#line[0] !== octet.return) return undefined;
    if (this.#line.length < 2) return at + 1;
    if (this.#line[1] !== octet.newline) return undefined;
    this.#listener.argumentEnds();
    this.#argumentsLeft -= 1;
    return this.#next(at + 1);
  };

  readonly #inline: Step = (chunk, at) => {
    const next = this.#lineUpTo(chunk, at, inlineBytesMax);
    if (next === undefined || !this.#isLineWhole()) return next;
    const text = Buffer.from(this.#line).toString('latin1');
    // Servers have quotes and escapes of their own in such a line; nothing but a person at a keyboard writes them.
    if (/["'\\\0]/.test(text)) return undefined;
    this.#listener.line(text.split(/[ \t\n\v\f\r]+/).filter((word) => word !== ''));
    this.#argumentsLeft = 0;
    return this.#next(next);
  };

  #next(at: number): number {
    this.#line = [];
    if (this.#argumentsLeft > 0) this.#step = this.#length;
    else {
      this.#step = this.#start;
      this.#listener.ends(at);
    }
    return at;
  }

  /** Behind the end of the line, or of what there is; undefined: it is too long. */
  #lineUpTo(chunk: Uint8Array, start: number, bytesMax: number): number | undefined {
    for (let at = start; at < chunk.length; at += 1) {
      if (this.#line.length >= bytesMax) return undefined;
      const one = chunk[at] ?? 0;
      this.#line.push(one);
      if (one === octet.newline) return at + 1;
    }
    return chunk.length;
  }

  #isLineWhole(): boolean {
    return this.#line.at(-1) === octet.newline;
  }

  #number(from: number): number | undefined {
    if (this.#line.at(-2) !== octet.return) return undefined;
    return headNumber(String.fromCharCode(...this.#line.slice(from, -2)));
  }
}
