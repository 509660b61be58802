// The client's side of an exchange over node:http2.

import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type { ClientExchange } from '../exchange/client-exchange.ts';
import { http2FieldObject } from '../../net/http2-fields.ts';
import type { Http2Windows } from './http2-windows.ts';
import { watchEnd } from '../../net/http2-stream-end.ts';
import { type LinkAbsence, Silence } from '../../net/link-absence.ts';
import { owned } from '../../net/shared-reads.ts';

interface Http2Request {
  readonly rawHeaders: readonly string[];
  readonly endsAtHead: boolean;
  /** Those of its connection, where it has a body. */
  readonly windows: Http2Windows | undefined;
  /** When the client could not be reached. */
  readonly absence?: LinkAbsence | undefined;
}

export class Http2Client implements ClientExchange {
  readonly rawHeaders: readonly string[];
  readonly endsAtHead: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #abort = new AbortController();
  readonly #method: string;
  readonly #target: string;
  readonly #isEnded: () => boolean;
  #requestTrailers: readonly string[] = [];
  #responseTrailers: readonly string[] = [];
  #ended = false;
  #responseEndedAtHead = false;
  #fault: ProxyError | undefined;
  readonly #idleTimeoutMs: number;
  readonly #windows: Http2Windows | undefined;
  readonly bodyWindowBytes: number;
  /** Runs while a response is sent. Node's own timer of a stream takes an acknowledged PING for progress of the stream. */
  #untaken: NodeJS.Timeout | undefined;
  /** What was given and what was taken, in pieces. */
  #moves = 0;
  readonly #silence: Silence;
  readonly #onTaken = (): void => {
    this.#moves += 1;
    this.#untaken?.refresh();
  };

  constructor(
    stream: ServerHttp2Stream,
    { rawHeaders, endsAtHead, windows, absence }: Http2Request,
    { idleTimeoutMs }: Pick<Limits, 'idleTimeoutMs'>,
  ) {
    this.#stream = stream;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#silence = new Silence(absence, idleTimeoutMs, () => this.#moves);
    this.#windows = windows;
    this.bodyWindowBytes = windows?.streamBytes ?? 0;
    this.rawHeaders = rawHeaders;
    this.endsAtHead = endsAtHead;
    this.#isEnded = endsAtHead ? () => true : watchEnd(stream);
    this.#method = pseudoField(rawHeaders, ':method');
    this.#target = pseudoField(rawHeaders, ':path');
    stream.on('trailers', (_trailers, _flags, raw) => {
      this.#requestTrailers = raw ?? [];
    });
    stream.on('wantTrailers', () => {
      this.#sendTrailers();
    });
    stream.on('error', () => {
      // Told by 'close'.
    });
    stream.once('close', () => {
      clearTimeout(this.#untaken);
      if (!this.#ended || stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#abort.abort();
    });
  }

  get method(): string {
    return this.#method;
  }

  get target(): string {
    return this.#target;
  }

  get httpVersion(): '2' {
    return '2';
  }

  get body(): Readable {
    return this.#stream;
  }

  onBodyTaken(bodyBytes: number): void {
    this.#windows?.taken(bodyBytes);
  }

  trailers(): readonly string[] {
    if (!this.#isEnded()) throw new ProxyError('cancelled', 'the client broke its request off');
    return this.#requestTrailers;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get headSent(): boolean {
    return this.#stream.headersSent;
  }

  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  /** The response was a head alone, with the end of the stream in it. */
  get responseEndedAtHead(): boolean {
    return this.#responseEndedAtHead;
  }

  sendContinue(): void {
    // HTTP/2 clients that ask for it get the 100 when the request is admitted.
    if (this.#stream.headersSent || !this.#expectsContinue) return;
    this.#stream.additionalHeaders({ ':status': 100 });
  }

  sendInformation(status: number, rawHeaders: readonly string[]): void {
    if (this.headSent || this.#stream.closed || status === 101) return;
    const fields: Record<string, string[] | number> = http2FieldObject(rawHeaders);
    fields[':status'] = status;
    this.#stream.additionalHeaders(fields);
  }

  sendHead(head: ResponseHead, endsAtHead = false): void {
    if (this.#stream.closed || this.#stream.destroyed) return;
    const fields = [':status', String(head.status)];
    for (const [name, value] of head.headers) fields.push(name.toLowerCase(), value);
    const bodyless = this.#method === 'HEAD' || head.status === 204 || head.status === 304;
    const endStream = endsAtHead || bodyless;
    this.#ended ||= endStream;
    this.#responseEndedAtHead = endStream;
    this.#stream.respond(fields, { waitForTrailers: !endStream, endStream });
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#ended || !this.#stream.writable) return true;
    if (this.#untaken === undefined) this.#awaitTaken(this.#idleTimeoutMs);
    this.#onTaken();
    return this.#stream.write(owned(chunk), this.#onTaken);
  }

  onDrain(listener: () => void): void {
    this.#stream.once('drain', listener);
  }

  sendEnd(rawTrailers: readonly string[]): void {
    this.#responseTrailers = rawTrailers;
    this.#ended = true;
    if (this.#stream.writable) this.#stream.end();
  }

  closeConnection(): void {
    // GOAWAY; streams that run go on to their end.
    this.#stream.session?.close();
  }

  closeAfterResponse(): void {
    // Frames bound every stream: a malformed one says nothing about the next.
  }

  abort(error: ProxyError): void {
    // Not `close(code)`: node ends the stream first, and the client would take the cut response for a complete one.
    this.#stream.destroy(error);
  }

  #awaitTaken(ms: number): void {
    this.#untaken = setTimeout(() => this.#giveUpUntaken(), ms).unref();
  }

  /** A client that grants no window would hold the origin, and the refusal, for ever. */
  #giveUpUntaken(): void {
    if (this.#stream.bufferSize === 0) return;
    const moreMs = this.#silence.moreMs();
    if (moreMs !== undefined) return this.#awaitTaken(moreMs);
    const message = `the client took nothing of its response for ${this.#idleTimeoutMs} ms (idleTimeoutMs)`;
    this.#fault = new ProxyError('timeout', message, { limit: 'idleTimeoutMs' });
    this.#abort.abort(this.#fault);
    this.abort(this.#fault);
  }

  get #expectsContinue(): boolean {
    const index = this.rawHeaders.indexOf('expect');
    return index !== -1 && this.rawHeaders[index + 1]?.toLowerCase() === '100-continue';
  }

  #sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    try {
      // Without any, node ends the stream by an empty DATA frame; `close` would end it by a reset, which is no end.
      stream.sendTrailers(http2FieldObject(this.#responseTrailers));
    } catch (error) {
      // Called by an event: nobody above could take it, and it would end the process.
      this.abort(asProxyError(error, 'origin_malformed'));
    }
  }
}

/** The value of a pseudo-field; empty if it is not there, which validation refuses. */
export function pseudoField(rawHeaders: readonly string[], name: string): string {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i] === name) return rawHeaders[i + 1] ?? '';
  }
  return '';
}
