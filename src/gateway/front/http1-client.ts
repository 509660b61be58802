// The client's side of an exchange of HTTP/1.x: what was read of its request, and the response as it is written.

import { Readable } from 'node:stream';
import { fieldLine, unwritable } from '../../http/field-line.ts';
import { listMembers } from '../../http/field-syntax.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type { ParsedRequest } from '../../http/request-parser.ts';
import { encodeBodyEnd } from '../../http/request-writer.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ClientExchange } from '../exchange/client-exchange.ts';
import type { RequestBody } from './request-body.ts';
import { type ClientFraming, clientFraming } from './response-framing.ts';
import { http } from '../../system/http-module.ts';

/** The connection as the response needs it. */
export interface ResponseTransport {
  /** Pieces of a response, which leave together and hold until this returns. False: wait for `onDrain`. */
  write(...pieces: readonly Uint8Array[]): boolean;
  onDrain(listener: () => void): void;
  /** Whether each response is the last one on its connection from now on. */
  readonly isLeaving?: () => boolean;
  /** Ends the connection so that the client sees a reset, not an end. */
  abort(error: ProxyError): void;
  /** The response was handed over whole. */
  ended(client: Http1Client): void;
}

/** Small bodies are copied behind their heads: one write costs more than that. */
const joinBytesMax = 4096;
/** What is joined stands here until it is written, which copies it: a buffer for each response costs more than that. */
const joined = Buffer.allocUnsafeSlow(64 * 1024);
const keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${String(defaultLimits.clientKeepAliveMs / 1000)}\r\n`;

export class Http1Client implements ClientExchange {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly httpVersion: '1.0' | '1.1';
  readonly #transport: ResponseTransport;
  readonly #requestBody: RequestBody | undefined;
  readonly #expectsContinue: boolean;
  readonly #abort = new AbortController();
  #emptyBody: Readable | undefined;
  #trailers: readonly string[] = [];
  #continueSent = false;
  #closing: boolean;
  #fault: ProxyError | undefined;
  /** Of the response, from its head on. */
  #framing: ClientFraming | undefined;
  #sentBytes = 0;
  /** The head of the response while it waits for what follows it at once. */
  #pending = '';
  #isEnded = false;

  constructor(request: ParsedRequest, transport: ResponseTransport, body: RequestBody | undefined) {
    this.method = request.method;
    this.target = request.target;
    this.rawHeaders = request.raw;
    this.httpVersion = request.httpVersion === '1.0' ? '1.0' : '1.1';
    this.#transport = transport;
    this.#requestBody = body;
    const fields = saysMore(request.raw) ? HeaderList.fromRaw(request.raw) : noFields;
    const options = listMembers(fields, 'connection');
    this.#closing =
      options.includes('close') || (this.httpVersion === '1.0' && !options.includes('keep-alive'));
    this.#expectsContinue =
      this.httpVersion === '1.1' && fields.first('expect')?.toLowerCase() === '100-continue';
  }

  get body(): Readable {
    return this.#requestBody ?? (this.#emptyBody ??= Readable.from([]));
  }

  trailers(): readonly string[] {
    return this.#trailers;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get headSent(): boolean {
    return this.#framing !== undefined;
  }

  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  /** Whether the response is the last thing on the connection. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Whether the whole response was handed over. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Takes a piece of the request's body. False: no more before it asks. */
  take(piece: Uint8Array): boolean {
    return this.#requestBody?.fill(piece) ?? true;
  }

  /** All of the request came. */
  requestEnded(trailers: readonly string[]): void {
    this.#trailers = trailers;
    this.#requestBody?.finish();
  }

  /** The client went away, or ended its side inside of its request. */
  gone(): void {
    if (this.#isEnded && this.#requestBody?.isWhole !== false) return;
    this.#requestBody?.destroy(new ProxyError('cancelled', 'the client broke its request off'));
    if (!this.#isEnded) this.#abort.abort();
  }

  /** The bytes of the body are not HTTP: ends the exchange, whose refusal then says so. */
  fail(fault: ProxyError): void {
    this.#fault ??= fault;
    this.#closing = true;
    this.#abort.abort(fault);
    this.#requestBody?.destroy(fault);
  }

  closeConnection(): void {
    this.#closing = true;
  }

  closeAfterResponse(): void {
    this.#closing = true;
  }

  sendContinue(): void {
    if (!this.#expectsContinue || this.#continueSent || this.headSent) return;
    this.#continueSent = true;
    this.#transport.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1'));
  }

  sendInformation(status: number, rawHeaders: readonly string[]): void {
    // HTTP/1.0 has no 1xx (RFC 9110 §15.2).
    if (this.httpVersion === '1.0' || this.headSent) return;
    // 100 is said by whoever admits the request, and 101 ends HTTP (RFC 9110 §15.2).
    if (status === 100 || status === 101) return;
    const head = encodeResponseHead(status, HeaderList.fromRaw(rawHeaders));
    this.#transport.write(Buffer.from(head, 'latin1'));
  }

  sendHead(head: ResponseHead): void {
    const framing = clientFraming(head, this);
    // Asked for and not read, or ended by the end alone: the connection cannot be used for another request.
    if ((this.#expectsContinue && !this.#continueSent) || framing.kind === 'close') this.#closing = true;
    const { headers } = head;
    if (headers.has('connection') && listMembers(headers, 'connection').includes('close'))
      this.#closing = true;
    if (this.#transport.isLeaving?.() === true) this.#closing = true;
    this.#pending = this.#encodeHead(head, framing);
    this.#framing = framing;
    // An event stream's head must not wait for its first event.
    flushBehind(this);
  }

  sendData(chunk: Uint8Array): boolean {
    const framing = this.#framing;
    if (framing === undefined || framing.kind === 'none' || chunk.length === 0 || this.#isEnded) return true;
    this.#sentBytes += chunk.length;
    if (framing.kind === 'length' && this.#sentBytes > framing.length) {
      this.abort(new ProxyError('internal', 'a response is longer than its Content-Length says'));
      return true;
    }
    const head = this.#pending;
    this.#pending = '';
    if (framing.kind !== 'chunked') return this.#write(head, chunk, '');
    return this.#write(`${head}${chunk.length.toString(16)}\r\n`, chunk, '\r\n');
  }

  onDrain(listener: () => void): void {
    this.#transport.onDrain(listener);
  }

  sendEnd(rawTrailers: readonly string[]): void {
    const framing = this.#framing;
    if (framing === undefined || this.#isEnded) return;
    if (framing.kind === 'length' && this.#sentBytes < framing.length) {
      this.abort(new ProxyError('internal', 'a response is shorter than its Content-Length says'));
      return;
    }
    this.#isEnded = true;
    const end = framing.kind === 'chunked' ? encodeBodyEnd(rawTrailers) : '';
    const last = this.#pending + end;
    this.#pending = '';
    if (last !== '') this.#transport.write(latin1Bytes(last));
    this.#transport.ended(this);
  }

  abort(error: ProxyError): void {
    this.#pending = '';
    this.#transport.abort(error);
  }

  /** What waits for more of the response goes out. */
  flush(): void {
    const head = this.#pending;
    this.#pending = '';
    if (head !== '') this.#transport.write(latin1Bytes(head));
  }

  #write(head: string, chunk: Uint8Array, tail: string): boolean {
    if (head === '' && tail === '') return this.#transport.write(chunk);
    if (chunk.length > joinBytesMax) {
      const before = head === '' ? [] : [Buffer.from(head, 'latin1')];
      const behind = tail === '' ? [] : [Buffer.from(tail, 'latin1')];
      return this.#transport.write(...before, chunk, ...behind);
    }
    const length = head.length + chunk.length + tail.length;
    const bytes = length > joined.length ? Buffer.allocUnsafe(length) : joined;
    bytes.write(head, 0, 'latin1');
    bytes.set(chunk, head.length);
    if (tail !== '') bytes.write(tail, head.length + chunk.length, 'latin1');
    return this.#transport.write(bytes.subarray(0, length));
  }

  #encodeHead({ status, reasonPhrase, headers }: ResponseHead, framing: ClientFraming): string {
    const phrase = reasonPhrase ?? http.STATUS_CODES[status] ?? '';
    if (!/^[\t\x20-\x7e]*$/.test(phrase)) throw unwritable('the reason phrase');
    let text = `HTTP/1.1 ${String(status)} ${phrase}\r\n`;
    text += headers.lines(fieldLine);
    if (framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
    // Of what passes no field of the connection is left; a refusal can have its own.
    if (headers.has('connection')) return `${text}\r\n`;
    return `${text}${this.#closing ? 'Connection: close\r\n' : keepAlive}\r\n`;
  }
}

const noFields = new HeaderList();

/** Whether the fields may say Connection or Expect, which have these lengths; most requests have neither. */
function saysMore(raw: readonly string[]): boolean {
  for (let at = 0; at < raw.length; at += 2) {
    const length = raw[at]?.length;
    if (length === 10 || length === 6) return true;
  }
  return false;
}

/** Whose heads went nowhere yet in this turn of the event loop. */
let unflushed: Http1Client[] = [];

/** One callback for all heads of a turn: one for each costs as much as writing it. */
function flushBehind(client: Http1Client): void {
  unflushed.push(client);
  if (unflushed.length > 1) return;
  setImmediate(() => {
    const clients = unflushed;
    unflushed = [];
    for (const each of clients) each.flush();
  });
}

/** Until the next text. */
function latin1Bytes(text: string): Buffer {
  if (text.length > joined.length) return Buffer.from(text, 'latin1');
  joined.write(text, 0, 'latin1');
  return joined.subarray(0, text.length);
}
