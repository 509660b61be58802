// Takes a coding off a response as it arrives: its content coding, so that it can be searched, or a transfer coding, so that it can be
// passed on at all; with backpressure both ways.

import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { ProxyError } from '../../protocol/error.ts';

/** Codings that can be taken off, as `Accept-Encoding` asks for them. */
export const decodableCodings = 'gzip, br, zstd';

/** Whether it is one of them. */
export function isDecodable(coding: string): boolean {
  return coding !== 'deflate' && openers.has(coding);
}

const openers: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  // A transfer coding alone. As the RFC says it (RFC 9110 §8.4.1.2), with the frame of zlib; without it readers differ.
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
  ['zstd', () => createZstdDecompress()],
]);

export interface ResponseDecoderOptions {
  readonly coding: string;
  /** For messages. */
  readonly host: string;
  readonly signal: AbortSignal;
  /** Takes what was decoded; false means: stop until `onDrain` calls. */
  readonly take: (chunk: Buffer) => boolean;
  readonly onDrain: (listener: () => void) => void;
}

export class ResponseDecoder {
  readonly #options: ResponseDecoderOptions;
  /** Opened with the first byte: a response to HEAD names a coding and has no body. */
  #stream: Transform | undefined;
  #fault: ProxyError | undefined;
  #isEnding = false;

  constructor(options: ResponseDecoderOptions) {
    this.#options = options;
  }

  /** False means: stop until `resume` is called. @throws ProxyError origin_malformed */
  push(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#fault !== undefined) throw this.#fault;
    const stream = (this.#stream ??= this.#open());
    // The chunk belongs to the engine, and decoding happens later.
    if (stream.write(Buffer.from(chunk))) return true;
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
    if (stream === undefined) return;
    if (this.#fault !== undefined) throw this.#fault;
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

  #open(): Transform {
    const { coding, signal, take, onDrain } = this.#options;
    const open = openers.get(coding);
    if (open === undefined) throw this.#broken(new Error(`no decoder for ${coding}`));
    const stream = open();
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

  #broken(cause: unknown): ProxyError {
    const { host, coding } = this.#options;
    return new ProxyError('origin_malformed', `${host} responded with ${coding} that cannot be decoded`, {
      cause,
    });
  }
}
