// The client's side of an exchange over node:http.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { framingBytesPerByteMax } from '../../http/framing.ts';
import { ProxyError } from '../../protocol/error.ts';
import { HeaderList } from '../../http/header-list.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type { ClientExchange } from '../exchange/client-exchange.ts';

export interface Http1Options {
  /** Ends the connection so that the client sees a reset, not an end. */
  readonly abortConnection: (error: ProxyError) => void;
  readonly expectsContinue: boolean;
  /** Bytes read from the connection so far. */
  readonly bytesRead: () => number;
  /** What chunks may cost beyond `framingBytesPerByteMax`: a large extension, and what was read ahead. */
  readonly chunkOverheadBytesMax: number;
}

const noBytes = new Uint8Array();

export class Http1Client implements ClientExchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: Http1Options;
  readonly #abort = new AbortController();
  readonly #bytesAtHead: number;
  #continueSent = false;
  #closing = false;
  #bodyBegun = false;
  #fault: ProxyError | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: Http1Options) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.#bytesAtHead = options.bytesRead();
    response.once('close', () => {
      if (!response.writableFinished) this.#abort.abort();
    });
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get target(): string {
    return this.#request.url ?? '';
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }

  get httpVersion(): '1.0' | '1.1' {
    return this.#request.httpVersionMinor === 0 ? '1.0' : '1.1';
  }

  get body(): Readable {
    return this.#request;
  }

  trailers(): readonly string[] {
    return this.#request.rawTrailers;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  /** Whether the response is the last thing on the connection. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Whether the whole request was read. */
  get requestComplete(): boolean {
    return this.#request.complete;
  }

  /** Sizes and extensions of chunks are bytes too (RFC 9112 §7.1.1). @throws ProxyError request_malformed */
  checkFraming(bodyBytes: number): void {
    const overhead = this.#options.bytesRead() - this.#bytesAtHead - bodyBytes;
    if (overhead <= this.#options.chunkOverheadBytesMax + bodyBytes * framingBytesPerByteMax) return;
    const message = 'the chunks of the body are nearly all sizes and extensions';
    throw new ProxyError('request_malformed', message, { limit: 'chunkOverheadBytesMax' });
  }

  /** The bytes of the body are not HTTP: ends the exchange, whose refusal then says so. */
  fail(fault: ProxyError): void {
    this.#fault ??= fault;
    this.closeAfterResponse();
    this.#abort.abort(fault);
  }

  closeConnection(): void {
    this.closeAfterResponse();
  }

  closeAfterResponse(): void {
    this.#closing = true;
    if (!this.headSent) this.#response.shouldKeepAlive = false;
  }

  sendContinue(): void {
    if (!this.#options.expectsContinue || this.#continueSent) return;
    this.#continueSent = true;
    this.#response.writeContinue();
  }

  sendInformation(status: number, rawHeaders: readonly string[]): void {
    // HTTP/1.0 has no 1xx (RFC 9110 §15.2).
    if (this.httpVersion === '1.0' || this.headSent) return;
    // 100 is said by whoever admits the request, and 101 ends HTTP (RFC 9110 §15.2).
    if (status === 100 || status === 101) return;
    const head = encodeResponseHead(status, HeaderList.fromRaw(rawHeaders));
    this.#response.socket?.write(head, 'latin1');
  }

  sendHead(head: ResponseHead): void {
    const response = this.#response;
    response.sendDate = false;
    // Asked for and not read: the connection cannot be used for another request.
    if (this.#options.expectsContinue && !this.#continueSent) response.shouldKeepAlive = false;
    if (head.reasonPhrase !== undefined) response.statusMessage = head.reasonPhrase;
    response.writeHead(head.status, head.headers.toRaw());
    // An event stream's head must not wait for its first event. `flushHeaders` would write its octets above ASCII as UTF-8.
    setImmediate(() => {
      if (!this.#bodyBegun && !response.writableEnded && !response.destroyed) response.write(noBytes);
    });
  }

  sendData(chunk: Uint8Array): boolean {
    this.#bodyBegun = true;
    return this.#response.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener);
  }

  sendEnd(rawTrailers: readonly string[]): void {
    if (rawTrailers.length > 0) {
      const pairs: [string, string][] = [];
      for (let i = 0; i + 1 < rawTrailers.length; i += 2)
        pairs.push([rawTrailers[i] ?? '', rawTrailers[i + 1] ?? '']);
      this.#response.addTrailers(pairs);
    }
    this.#response.end();
  }

  abort(error: ProxyError): void {
    this.#options.abortConnection(error);
  }
}
