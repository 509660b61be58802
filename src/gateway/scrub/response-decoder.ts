// Takes a coding off a response as it arrives: its content coding, so that it can be searched, or a transfer coding, so that it can be
// passed on at all; with backpressure both ways.

import { once } from 'node:events';
import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import { ProxyError } from '../../protocol/error.ts';
import type { LimitName } from '../../protocol/limits.ts';
import { codingMemory } from './coding-memory.ts';

/** Codings that can be taken off, as `Accept-Encoding` asks for them. */
export const decodableCodings = 'gzip, br, zstd';

/** Whether it is one of them. */
export function isDecodable(coding: string): boolean {
  return coding !== 'deflate' && openers.has(coding);
}

const openers: ReadonlyMap<string, (windowLog: number) => Transform> = new Map([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  // A transfer coding alone. As the RFC says it (RFC 9110 §8.4.1.2), with the frame of zlib; without it readers differ.
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
  // A later frame of the same body gets no larger window than the first one was counted with.
  ['zstd', (log: number) => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: log } })],
]);

export interface ResponseDecoderOptions {
  readonly coding: string;
  /** For messages. */
  readonly host: string;
  readonly signal: AbortSignal;
  /** Takes what was decoded; false means: stop until `onDrain` calls. */
  readonly take: (chunk: Buffer) => boolean;
  readonly onDrain: (listener: () => void) => void;
  /** Told once what the decoder will hold, before it does. @throws ProxyError limit_exceeded */
  readonly hold?: ((octets: number) => void) | undefined;
}

export class ResponseDecoder {
  readonly #options: ResponseDecoderOptions;
  /** Opened with the first bytes, which tell how large it is: a response to HEAD names a coding and has no body. */
  #stream: Transform | undefined;
  #start: Buffer = Buffer.alloc(0);
  #fault: ProxyError | undefined;
  #isEnding = false;

  constructor(options: ResponseDecoderOptions) {
    this.#options = options;
  }

  /** False means: stop until `resume` is called. @throws ProxyError origin_malformed */
  push(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#fault !== undefined) throw this.#fault;
    // The chunk belongs to the engine, and decoding happens later.
    const bytes = this.#stream === undefined ? Buffer.concat([this.#start, chunk]) : Buffer.from(chunk);
    const stream = (this.#stream ??= this.#begin(bytes));
    if (stream?.write(bytes) !== false) return true;
    const go = (): void => {
      stream.off('drain', go).off('close', go);
      resume();
    };
    stream.once('drain', go).once('close', go);
    return false;
  }

  /** Resolves when all that was pushed has been taken. @throws ProxyError origin_malformed, cancelled */
  async end(): Promise<void> {
    const stream = this.#stream;
    if (this.#fault !== undefined) throw this.#fault;
    if (stream === undefined) {
      if (this.#start.length > 0) throw this.#broken(new Error('it ends in its first octets'));
      return;
    }
    const { signal } = this.#options;
    try {
      const ended = once(stream, 'end', { signal });
      this.#isEnding = true;
      stream.end();
      await ended;
      if (this.#fault !== undefined) throw this.#fault;
    } catch (error) {
      if (error === this.#fault) throw error;
      if (signal.aborted) throw new ProxyError('cancelled', 'the client went away', { cause: error });
      throw this.#broken(error);
    } finally {
      stream.destroy();
    }
  }

  /** Undefined while it cannot be told from the first octets what it takes. */
  #begin(start: Buffer): Transform | undefined {
    const memory = codingMemory(this.#options.coding, start);
    if (memory === 'excessive')
      throw this.#broken(new Error('its window is too large'), 'zstdWindowBytesMax');
    if (memory === 'incomplete') {
      this.#start = start;
      return undefined;
    }
    this.#options.hold?.(memory.octets);
    return this.#open(memory.windowLog);
  }

  #open(windowLog: number): Transform {
    const { coding, signal, take, onDrain } = this.#options;
    const open = openers.get(coding);
    if (open === undefined) throw this.#broken(new Error(`no decoder for ${coding}`));
    const stream = open(windowLog);
    stream.on('data', (chunk: Buffer) => {
      if (take(chunk)) return;
      stream.pause();
      onDrain(() => {
        stream.resume();
      });
    });
    stream.on('error', (error) => {
      this.#fault ??= this.#broken(error);
    });
    // Node takes nothing more once the coding has ended, and never says so to who has written more: two readers would differ there.
    stream.once('end', () => {
      if (this.#isEnding && stream.writableLength === 0) return;
      this.#fault ??= this.#broken(new Error('octets stand behind the end of the coding'));
      stream.destroy();
    });
    const stop = (): void => {
      stream.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', stop);
    });
    return stream;
  }

  #broken(cause: unknown, limit?: LimitName): ProxyError {
    const { host, coding } = this.#options;
    const message = `${host} responded with ${coding} that cannot be decoded`;
    return new ProxyError('origin_malformed', message, { cause, ...(limit === undefined ? {} : { limit }) });
  }
}
