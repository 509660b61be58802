// The parser of responses of HTTP/1.1 (RFC 9112): takes bytes in any split and hands on heads, pieces of the body and trailers.
// It holds no more than a part of one line, and believes no length before its bytes are there. Which forms of old origins are read,
// and why no others, stands in docs/reference/protocols.md.

import type { Limits } from '../protocol/limits.ts';
import { chunkSize } from './chunk-line.ts';
import { framingBytesPerByteMax } from './framing.ts';
import { HeadLines, latin1Text } from './latin1-text.ts';
import { responseHead, malformedResponse, parseFieldLine, parseStatusLine } from './response-framing.ts';
import type { ResponseFault, ResponseHead, StatusLine } from './response-framing.ts';

/** What comes out of a response, in this order. Field arrays are name, value, name, value … */
export interface ResponseSink {
  /** An interim response (1xx), but not 101 where a switch was asked for. */
  onInformation(status: number, raw: readonly string[]): void;
  /** A head of any kind, before it is judged what its fields say of the body. */
  onFields?(status: number, raw: readonly string[]): void;
  onHead(status: number, raw: readonly string[]): void;
  /** A view of the bytes that were pushed. False: nothing more is parsed before the next `push`. */
  onData(piece: Uint8Array): boolean;
  /** The response is whole. */
  onEnd(trailers: readonly string[]): void;
  /** The origin switched protocols; what follows in the bytes is not HTTP. */
  onSwitch(raw: readonly string[]): void;
}

export type ResponseParserLimits = Pick<
  Limits,
  'headBytesMax' | 'headersCountMax' | 'chunkOverheadBytesMax' | 'chunkLineBytesMax' | 'interimHeadsMax'
> & {
  /** Where a body is held: refused as soon as it is said to be longer. */
  readonly bodyBytesMax?: number;
};

export interface RequestOfResponse {
  readonly method: string;
  /** Whether 101 is a response to it. */
  readonly asksToSwitch: boolean;
}

type State = 'status' | 'fields' | 'length' | 'close' | 'size' | 'chunk' | 'chunkEnd' | 'trailers' | 'over';

export interface ResponseParserOptions {
  /** Makes what is thrown for a response that is none: by default that of an origin. */
  readonly fault?: ResponseFault;
  /** Nothing but what a sender may write: no form of old origins of which there is one reading. */
  readonly isStrict?: boolean;
}

/** Parses the responses of one connection, one after the other; `begin` starts each. After a throw it must not be used again. */
export class ResponseParser {
  readonly #sink: ResponseSink;
  readonly #limits: ResponseParserLimits;
  readonly #fault: ResponseFault;
  readonly #isStrict: boolean;
  readonly #lines = new HeadLines();
  #request: RequestOfResponse = { method: '', asksToSwitch: false };
  #state: State = 'over';
  #status: StatusLine = { status: 0, httpVersion: '1.1' };
  #head: ResponseHead | undefined;
  #raw: string[] = [];
  /** The part of a line that is there. */
  #line = '';
  /** Bytes of the head or of the trailers so far. */
  #headBytes = 0;
  #interimResponses = 0;
  /** Bytes that are missing of the body or of the chunk. */
  #left = 0;
  #bodyBytes = 0;
  #overheadBytes = 0;
  #begun = false;
  /** A line of a head ended without CR. */
  #hasBareLineEnd = false;

  constructor(
    sink: ResponseSink,
    limits: ResponseParserLimits,
    { fault = malformedResponse, isStrict = false }: ResponseParserOptions = {},
  ) {
    this.#sink = sink;
    this.#limits = limits;
    this.#fault = fault;
    this.#isStrict = isStrict;
  }

  /** Whether the response is whole. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether a byte of the response came. */
  get hasBegun(): boolean {
    return this.#begun;
  }

  /** Whether another request may follow on the connection (RFC 9112 §9.3), as far as the response says. */
  get isReusable(): boolean {
    return this.#state === 'over' && this.#head?.closes === false && !this.#hasBareLineEnd;
  }

  /** Whether only the end of the connection is the end of the body. */
  get endsWithConnection(): boolean {
    return this.#state === 'close';
  }

  get keepAliveSeconds(): number | undefined {
    return this.#head?.keepAliveSeconds;
  }

  /** The next response is the one to this request. */
  begin(request: RequestOfResponse): void {
    this.#request = request;
    this.#state = 'status';
    this.#head = undefined;
    this.#line = '';
    this.#headBytes = 0;
    this.#interimResponses = 0;
    this.#bodyBytes = 0;
    this.#overheadBytes = 0;
    this.#begun = false;
    this.#hasBareLineEnd = false;
  }

  /** Gives how many of the bytes were used: less than all if the sink paused, or behind the end. @throws what `fault` makes */
  push(bytes: Uint8Array): number {
    if (bytes.length > 0 && this.#state !== 'over') this.#begun = true;
    let at = 0;
    let isPaused = false;
    while (at < bytes.length && !isPaused && this.#state !== 'over') {
      if (this.#state === 'length' || this.#state === 'close' || this.#state === 'chunk') {
        const end = this.#state === 'close' ? bytes.length : Math.min(bytes.length, at + this.#left);
        isPaused = !this.#takeData(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        at = end;
      } else {
        at = this.#takeLine(bytes, at);
      }
    }
    this.#lines.forget();
    return at;
  }

  /** The connection ended. True if that ends a response, which then is whole. */
  endOfConnection(): boolean {
    if (this.#state !== 'close') return false;
    this.#finish([]);
    return true;
  }

  #takeData(piece: Uint8Array): boolean {
    const { length } = piece;
    if (this.#state === 'close') this.#checkBody(length);
    this.#bodyBytes += length;
    if (this.#state === 'close') return this.#sink.onData(piece);
    this.#left -= length;
    const goesOn = this.#sink.onData(piece);
    if (this.#left > 0) return goesOn;
    if (this.#state === 'chunk') this.#state = 'chunkEnd';
    else this.#finish([]);
    return goesOn;
  }

  /** Takes bytes to the end of the line, or all if it is not whole. */
  #takeLine(bytes: Uint8Array, start: number): number {
    const isInHead = this.#state === 'status' || this.#state === 'fields';
    const whole = isInHead && this.#line === '' ? this.#lines.lineAt(bytes, start) : undefined;
    if (whole !== undefined) {
      this.#count(whole.length);
      this.#endWith(whole);
      return start + whole.length;
    }
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline + 1;
    this.#count(end - start);
    const text = latin1Text(bytes, start, end);
    const isBeginning = this.#line.length < httpStart.length;
    this.#line = this.#line === '' ? text : this.#line + text;
    if (newline === -1) {
      // What is not HTTP is known by its first bytes, before any deadline.
      if (isBeginning && this.#state === 'status' && !startsAsHttp(this.#line))
        throw this.#fault('it does not start as HTTP/1');
      return end;
    }
    const line = this.#line;
    this.#line = '';
    this.#endWith(line);
    return end;
  }

  #endWith(line: string): void {
    const hasReturn = line.endsWith('\r\n');
    if (!hasReturn) this.#takeBareLineEnd();
    this.#endLine(line.slice(0, hasReturn ? -2 : -1));
  }

  /** RFC 9112 §2.2 lets a recipient take it in a head. Of chunks it says nothing, and readers differ there. */
  #takeBareLineEnd(): void {
    const isInHead = this.#state === 'status' || this.#state === 'fields';
    if (this.#isStrict || !isInHead) throw this.#fault('a line of it ends without CR');
    this.#hasBareLineEnd = true;
  }

  /** Before a byte is held. */
  #count(bytes: number): void {
    const { headBytesMax, chunkOverheadBytesMax, chunkLineBytesMax } = this.#limits;
    if (this.#state === 'size' || this.#state === 'chunkEnd') {
      if (this.#line.length + bytes > chunkLineBytesMax)
        throw this.#fault('a chunk has an endless size or extension', 'chunkLineBytesMax');
      this.#overheadBytes += bytes;
      if (this.#overheadBytes > chunkOverheadBytesMax + this.#bodyBytes * framingBytesPerByteMax)
        throw this.#fault('its chunks are nearly all sizes and extensions', 'chunkOverheadBytesMax');
      return;
    }
    this.#headBytes += bytes;
    if (this.#headBytes > headBytesMax)
      throw this.#fault(`its head is larger than ${headBytesMax} bytes`, 'headBytesMax');
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'status':
        this.#status = parseStatusLine(line, this.#fault);
        this.#raw = [];
        this.#state = 'fields';
        return;
      case 'fields':
        if (line === '') this.#endHead();
        else this.#takeField(line);
        return;
      case 'size':
        this.#startChunk(line);
        return;
      case 'chunkEnd':
        if (line !== '') throw this.#fault('a chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'trailers':
        if (line === '') this.#finish(this.#raw);
        else this.#takeField(line);
        return;
      case 'length':
      case 'close':
      case 'chunk':
      case 'over':
        // Not lines.
        return;
    }
  }

  #takeField(line: string): void {
    const { headersCountMax } = this.#limits;
    if (this.#raw.length / 2 >= headersCountMax)
      throw this.#fault(`it has more than ${headersCountMax} header fields`, 'headersCountMax');
    parseFieldLine(line, this.#raw, this.#fault);
  }

  #endHead(): void {
    const { status } = this.#status;
    const raw = this.#raw;
    this.#sink.onFields?.(status, raw);
    const { method } = this.#request;
    const head = responseHead(this.#status, raw, { method, isStrict: this.#isStrict, fault: this.#fault });
    if (status === 101) {
      // What follows is not HTTP, so nothing behind the head would tell that it ended elsewhere.
      if (this.#hasBareLineEnd) throw this.#fault('it switches protocols, and a line of it ends without CR');
      if (!this.#request.asksToSwitch) throw this.#fault('it switches to a protocol that was not asked for');
      if (!head.namesProtocol) throw this.#fault('it switches to a protocol and does not say to which');
      this.#state = 'over';
      this.#sink.onSwitch(raw);
      return;
    }
    if (status < 200) {
      this.#endInterim(status, raw);
      return;
    }
    this.#head = head;
    const { framing } = head;
    this.#sink.onHead(status, raw);
    if (framing.kind === 'length') this.#checkBody(framing.length);
    this.#headBytes = 0;
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)) this.#finish([]);
    else if (framing.kind === 'chunked') this.#state = 'size';
    else {
      this.#left = framing.kind === 'length' ? framing.length : 0;
      this.#state = framing.kind;
    }
  }

  #endInterim(status: number, raw: readonly string[]): void {
    this.#interimResponses += 1;
    if (this.#interimResponses > this.#limits.interimHeadsMax)
      throw this.#fault('it has no end of interim responses', 'interimHeadsMax');
    this.#headBytes = 0;
    this.#state = 'status';
    this.#sink.onInformation(status, raw);
  }

  #startChunk(line: string): void {
    const bytes = chunkSize(line);
    if (bytes === undefined) throw this.#fault('a chunk has no valid size');
    this.#checkBody(bytes);
    this.#left = bytes;
    if (bytes > 0) {
      this.#state = 'chunk';
      return;
    }
    this.#raw = [];
    this.#state = 'trailers';
  }

  /** Before more of a body is taken. */
  #checkBody(bytes: number): void {
    const { bodyBytesMax } = this.#limits;
    if (bodyBytesMax !== undefined && this.#bodyBytes + bytes > bodyBytesMax)
      throw this.#fault(`its body is longer than ${bodyBytesMax} bytes`);
  }

  #finish(trailers: readonly string[]): void {
    this.#state = 'over';
    this.#sink.onEnd(trailers);
  }
}

const httpStart = 'HTTP/1.';

function startsAsHttp(line: string): boolean {
  return httpStart.startsWith(line.slice(0, httpStart.length));
}
