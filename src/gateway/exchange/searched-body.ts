// The body of a response that is searched, on its way to the client: decoded where that was agreed, scrubbed, with backpressure.

import type { Borders } from '../scrub/borders.ts';
import { ResponseDecoder } from '../scrub/response-decoder.ts';
import { ResponseScrubber, type SearchedValues } from '../scrub/response-scrubber.ts';
import type { ResponseClient } from './response-client.ts';

/** How much a decoder gives at a time says how well the text could be compressed, so it leaves in pieces of this. */
const decodedPieceBytes = 16 * 1024;

export interface SearchedBodyOptions {
  readonly client: ResponseClient;
  readonly searched: SearchedValues;
  readonly borders: Borders;
  /** To be taken off. */
  readonly coding: string | undefined;
  /** For messages. */
  readonly host: string;
  /** What is held goes on when nothing came for so long. */
  readonly quietMs: number | undefined;
  /** Told what is held for it. @throws ProxyError limit_exceeded */
  readonly hold?: ((octets: number) => void) | undefined;
  /** Told what comes, decoded and before it is searched. */
  readonly onText?: ((chunk: Uint8Array) => void) | undefined;
}

export class SearchedBody implements Disposable {
  readonly #client: ResponseClient;
  readonly #scrubber: ResponseScrubber;
  readonly #decoder: ResponseDecoder | undefined;
  readonly #onText: ((chunk: Uint8Array) => void) | undefined;
  readonly #quietMs: number | undefined;
  #quiet: NodeJS.Timeout | undefined;

  constructor({ client, searched, borders, coding, host, quietMs, hold, onText }: SearchedBodyOptions) {
    this.#client = client;
    this.#onText = onText;
    this.#quietMs = quietMs;
    const pieceBytes = coding === undefined ? 1 : decodedPieceBytes;
    this.#scrubber = new ResponseScrubber(searched, { borders, pieceBytes });
    if (coding === undefined) return;
    this.#decoder = new ResponseDecoder({
      coding,
      host,
      hold,
      signal: client.signal,
      take: (chunk) => this.#send(this.#search(chunk)),
      onDrain: (listener) => {
        client.onDrain(listener);
      },
    });
  }

  /** How many times a secret was replaced. */
  get replaced(): number {
    return this.#scrubber.replaced;
  }

  /** Whether all that came has been searched by the time that `push` returns. */
  get isDirect(): boolean {
    return this.#decoder === undefined;
  }

  /** False means: stop until `resume` is called. @throws ProxyError origin_malformed */
  push(chunk: Uint8Array, resume: () => void): boolean {
    this.#awaitQuiet();
    if (this.#decoder !== undefined) return this.#decoder.push(chunk, resume);
    if (this.#send(this.#search(chunk))) return true;
    this.#client.onDrain(resume);
    return false;
  }

  /** The origin has said all. @throws ProxyError origin_malformed, cancelled */
  async decoded(): Promise<void> {
    await this.#decoder?.end();
  }

  /** What was held goes on; only of a body that is complete. */
  end(): void {
    this[Symbol.dispose]();
    this.#send(this.#scrubber.end());
  }

  /** What is held goes nowhere. */
  [Symbol.dispose](): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
  }

  #search(chunk: Uint8Array): Buffer {
    this.#onText?.(chunk);
    return this.#scrubber.push(chunk);
  }

  #awaitQuiet(): void {
    if (this.#quietMs === undefined) return;
    if (this.#quiet !== undefined) this.#quiet.refresh();
    else this.#quiet = setTimeout(() => this.#send(this.#scrubber.letGo()), this.#quietMs).unref();
  }

  #send(bytes: Uint8Array): boolean {
    if (this.#decoder === undefined || bytes.byteLength <= decodedPieceBytes)
      return bytes.byteLength === 0 || this.#client.sendData(bytes);
    let isTaken = true;
    for (let at = 0; at < bytes.byteLength; at += decodedPieceBytes)
      isTaken = this.#client.sendData(bytes.subarray(at, at + decodedPieceBytes));
    return isTaken;
  }
}
