// An encoded body on its way out: it goes on as it came, and what it decodes to is searched before.

import { Buffer } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { codingMemory } from '../scrub/coding-memory.ts';
import type { OnLeak } from './body-guard.ts';
import type { LeakSearch } from './leak-search.ts';

const { leakWindowBytes, leakExpansionMax } = defaultLimits;
const freeBytes = 1024 * 1024;

const openers: ReadonlyMap<string, (windowLog: number) => Transform> = new Map([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['br', () => createBrotliDecompress()],
  ['zstd', (log: number) => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: log } })],
]);

/** Whether bodies of this coding can be searched. */
export function isSearchableCoding(coding: string): boolean {
  return openers.has(coding);
}

export interface CodedBodyGuardOptions {
  readonly coding: string;
  readonly search: LeakSearch;
  readonly onLeak: OnLeak;
  /** Told once what the decoder will hold. @throws ProxyError limit_exceeded */
  readonly hold: (octets: number) => void;
  /** What it cannot decode: the error with which the body ends, or undefined where it goes on unsearched. */
  readonly onUnsearchable: (why: string) => ProxyError | undefined;
}

export class CodedBodyGuard extends Transform {
  readonly #options: CodedBodyGuardOptions;
  #decoder: Transform | undefined;
  /** What tells how large the decoder is has not come whole. */
  #start: Buffer = Buffer.alloc(0);
  #held: Buffer = Buffer.alloc(0);
  #isUnsearched = false;
  #fault: ProxyError | undefined;
  #isBroken = false;
  #rawBytes = 0;
  #decodedBytes = 0;

  constructor(options: CodedBodyGuardOptions) {
    super();
    this.#options = options;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#rawBytes += chunk.length;
    this.#take(chunk).then(
      () => {
        const all = Buffer.concat([this.#held, chunk]);
        const spare = this.#isUnsearched ? all.length : Math.max(0, all.length - leakWindowBytes);
        this.#held = Buffer.from(all.subarray(spare));
        if (spare > 0) this.push(all.subarray(0, spare));
        done();
      },
      (error: unknown) => {
        done(asProxyError(error));
      },
    );
  }

  override _flush(done: TransformCallback): void {
    this.#end().then(
      () => {
        if (this.#held.length > 0) this.push(this.#held);
        done();
      },
      (error: unknown) => {
        done(asProxyError(error));
      },
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder?.destroy();
    done(error);
  }

  /** Resolves when all that the chunk decodes to was searched. @throws ProxyError */
  async #take(chunk: Buffer): Promise<void> {
    if (this.#isUnsearched) return;
    const isOpen = this.#decoder !== undefined;
    if (!isOpen) this.#start = Buffer.concat([this.#start, chunk]);
    const decoder = this.#decoder ?? this.#open();
    if (decoder === undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stop = (): void => resolve(undefined);
    decoder.once('close', stop);
    decoder.write(isOpen ? chunk : this.#start, stop);
    await promise;
    decoder.off('close', stop);
    this.#searchAll(decoder);
    // Behind its end Node takes nothing more and does not say so: what stands there was not seen.
    if (bytesTaken(decoder) !== this.#rawBytes) this.#isBroken = true;
    this.#check();
  }

  async #end(): Promise<void> {
    if (this.#isUnsearched) return;
    const decoder = this.#decoder;
    if (decoder === undefined) {
      if (this.#start.length > 0) this.#unsearchable('it ends in its first octets');
      return;
    }
    if (!decoder.destroyed) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      decoder.once('close', () => resolve(undefined));
      decoder.end();
      await promise;
    }
    this.#check();
  }

  #open(): Transform | undefined {
    const { coding, hold } = this.#options;
    const memory = codingMemory(coding, this.#start);
    if (memory === 'incomplete') return undefined;
    if (memory === 'excessive') {
      this.#unsearchable('its window is too large');
      return undefined;
    }
    hold(memory.octets);
    const decoder = openers.get(coding)?.(memory.windowLog);
    decoder?.on('readable', () => this.#searchAll(decoder));
    decoder?.on('error', () => {
      this.#isBroken = true;
    });
    return (this.#decoder = decoder);
  }

  #searchAll(decoder: Transform): void {
    for (let piece = readPiece(decoder); piece !== undefined; piece = readPiece(decoder)) {
      this.#decodedBytes += piece.length;
      if (this.#fault !== undefined || this.#isBroken) continue;
      for (const match of this.#options.search.run(piece)) this.#fault ??= this.#options.onLeak(match, false);
      if (this.#decodedBytes <= freeBytes + leakExpansionMax * this.#rawBytes) continue;
      this.#isBroken = true;
      decoder.destroy();
    }
  }

  #check(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#isBroken) this.#unsearchable('it does not decode, or to far more than it is');
  }

  #unsearchable(why: string): void {
    const fault = this.#options.onUnsearchable(why);
    if (fault !== undefined) throw fault;
    this.#isUnsearched = true;
    this.#decoder?.destroy();
  }
}

/** How much the engine took, which the types of Node do not have on all streams. */
function bytesTaken(decoder: Transform): number {
  return (decoder as Transform & { readonly bytesWritten: number }).bytesWritten;
}

function readPiece(decoder: Transform): Buffer | undefined {
  // A decoder of zlib gives octets; `read` is typed for all streams.
  return (decoder.read() as Buffer | null) ?? undefined;
}
