// A request's body on its way out, searched. A constant number of octets waits for what follows them; what else leaves when depends on
// lengths and on borders that the body itself sets, never on what is searched for: the workload may own the origin, too.

import { Buffer } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Borders } from '../scrub/borders.ts';
import type { LeakMatch, LeakSearch } from './leak-search.ts';
import { isLetterOrDigit } from './leak-table.ts';
import { PercentDecoder } from './percent-decoder.ts';
import { QuietTimer } from './quiet-timer.ts';

const { leakWindowBytes } = defaultLimits;
/** As many octets of a piece are decoded with the next one, at most. */
const openBytes = 2;
const asterisk = 0x2a;

/** Told what was found; `isKept`: asterisks can stand in its place. Gives the error with which the body ends, if it does. */
export type OnLeak = (match: LeakMatch, isKept: boolean) => ProxyError | undefined;

export interface BodyGuardOptions {
  readonly search: LeakSearch;
  /** Nothing waits where nothing is stopped. */
  readonly isWaiting: boolean;
  readonly borders: Borders;
  /** Of a form: what is read where percent signs are decoded is searched too. */
  readonly decoded?: LeakSearch | undefined;
  readonly onLeak: OnLeak;
}

/** Octets to be replaced, of all that came; `isLoose`: letters and digits alone. */
interface Replaced {
  readonly start: number;
  readonly end: number;
  readonly isLoose: boolean;
}

export class BodyGuard extends Transform {
  readonly #options: BodyGuardOptions;
  readonly #decoder = new PercentDecoder();
  #held: Buffer = Buffer.alloc(0);
  /** Octets that left. */
  #left = 0;
  #replaced: Replaced[] = [];
  /** Octets that came. */
  #came = 0;
  /** What was found as it stands, where of all that came it ended: in the last piece, and in octets before it that were not decoded yet. */
  #plain: readonly LeakMatch[] = [];
  readonly #quiet = new QuietTimer(() => {
    if (!this.destroyed && !this.writableEnded) this.#letGo(this.#held, this.#held.length);
  });

  constructor(options: BodyGuardOptions) {
    super();
    this.#options = options;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      const fault = this.#options.isWaiting ? this.#search(chunk) : this.#pass(chunk);
      done(fault);
    } catch (error) {
      done(asProxyError(error));
    }
  }

  override _flush(done: TransformCallback): void {
    this.#letGo(this.#held, this.#held.length);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#quiet[Symbol.dispose]();
    done(error);
  }

  #pass(chunk: Buffer): ProxyError | undefined {
    const found = this.#options.search.run(chunk);
    for (const match of [...found, ...this.#onlyDecoded(chunk, found)]) {
      const fault = this.#options.onLeak(match, false);
      if (fault !== undefined) return fault;
    }
    this.push(chunk);
    return undefined;
  }

  /** What is read where it is decoded, and does not end where the same was found as it stands. */
  #onlyDecoded(chunk: Buffer, found: readonly LeakMatch[]): readonly LeakMatch[] {
    const { decoded } = this.#options;
    if (decoded === undefined) return [];
    const before = this.#came;
    this.#came += chunk.length;
    const plain = this.#plain.filter(({ end }) => end >= before - openBytes);
    this.#plain = [...plain, ...found.map((one) => ({ ...one, end: before + one.end }))];
    const { text, ends } = this.#decoder.push(chunk);
    const matches = decoded.run(text);
    if (matches.length === 0) return matches;
    const lengths = new Map<string, number>();
    for (const one of this.#plain)
      lengths.set(placeOf(one, one.end), Math.max(one.length, lengths.get(placeOf(one, one.end)) ?? 0));
    return matches.filter((match) => {
      const end = before + (ends[match.end - 1] ?? 0);
      return (lengths.get(placeOf(match, end)) ?? 0) < match.length;
    });
  }

  #search(chunk: Buffer): ProxyError | undefined {
    const from = this.#held.length;
    const text = Buffer.concat([this.#held, chunk]);
    const found = this.#options.search.run(chunk);
    for (const match of found) {
      const start = startOf(text, from + match.end, match);
      const fault = this.#options.onLeak(match, start !== undefined);
      if (fault !== undefined) return fault;
      const end = this.#left + from + match.end;
      if (start !== undefined) this.#replace({ start: this.#left + start, end, isLoose: match.isLoose });
    }
    for (const match of this.#onlyDecoded(chunk, found)) {
      const fault = this.#options.onLeak(match, false);
      if (fault !== undefined) return fault;
    }
    const border = this.#options.borders.last(text, from);
    this.#letGo(text, border + Math.max(0, text.length - border - leakWindowBytes));
    this.#quiet.restart();
    return undefined;
  }

  /** Those that overlap become one, so that each octet is replaced once. */
  #replace({ start, end, isLoose }: Replaced): void {
    const last = this.#replaced.at(-1);
    if (last === undefined || last.isLoose !== isLoose || start > last.end)
      this.#replaced.push({ start, end, isLoose });
    else this.#replaced[this.#replaced.length - 1] = { start: Math.min(start, last.start), end, isLoose };
  }

  #letGo(text: Buffer, length: number): void {
    const going = text.subarray(0, length);
    const end = this.#left + length;
    for (const one of this.#replaced) replace(going, this.#left, one);
    this.#replaced = this.#replaced.filter((one) => one.end > end);
    this.#left = end;
    // A copy, so that the few octets that wait do not keep the whole.
    this.#held = Buffer.from(text.subarray(length));
    if (length > 0) this.push(going);
  }
}

function placeOf({ kind, name }: LeakMatch, end: number): string {
  return `${kind} ${name} ${end}`;
}

/** Where it begins; undefined: not in what is there. */
function startOf(text: Buffer, end: number, { length, isLoose }: LeakMatch): number | undefined {
  if (!isLoose) return end >= length ? end - length : undefined;
  let at = end;
  for (let left = length; left > 0; at -= 1) {
    if (at === 0) return undefined;
    if (isCounted(text[at - 1] ?? 0)) left -= 1;
  }
  return at;
}

function isCounted(octet: number): boolean {
  return isLetterOrDigit(octet) || (octet >= 0x41 && octet <= 0x5a);
}

function replace(text: Buffer, before: number, { start, end, isLoose }: Replaced): void {
  for (let at = Math.max(0, start - before); at < Math.min(text.length, end - before); at += 1)
    if (!isLoose || isCounted(text[at] ?? 0)) text[at] = asterisk;
}
