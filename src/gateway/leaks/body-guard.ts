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

const { leakWindowBytes, leakQuietMs } = defaultLimits;
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
  #quiet: NodeJS.Timeout | undefined;

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
    clearTimeout(this.#quiet);
    done(error);
  }

  #pass(chunk: Buffer): ProxyError | undefined {
    const found = this.#options.search.run(chunk);
    const more = this.#inDecoded(chunk).filter(({ name }) => !found.some((one) => one.name === name));
    for (const match of [...found, ...more]) {
      const fault = this.#options.onLeak(match, false);
      if (fault !== undefined) return fault;
    }
    this.push(chunk);
    return undefined;
  }

  #inDecoded(chunk: Buffer): readonly LeakMatch[] {
    return this.#options.decoded?.run(this.#decoder.push(chunk)) ?? [];
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
      if (start !== undefined)
        this.#replaced.push({ start: this.#left + start, end, isLoose: match.isLoose });
    }
    for (const match of this.#inDecoded(chunk)) {
      // What stands there as it is was found already.
      const fault = found.some(({ name }) => name === match.name)
        ? undefined
        : this.#options.onLeak(match, false);
      if (fault !== undefined) return fault;
    }
    const border = this.#options.borders.last(text, from);
    this.#letGo(text, border + Math.max(0, text.length - border - leakWindowBytes));
    this.#awaitQuiet();
    return undefined;
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

  #awaitQuiet(): void {
    if (this.#quiet !== undefined) this.#quiet.refresh();
    else
      this.#quiet = setTimeout(() => {
        if (!this.destroyed && !this.writableEnded) this.#letGo(this.#held, this.#held.length);
      }, leakQuietMs).unref();
  }
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
