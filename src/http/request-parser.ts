// The parser of requests of HTTP/1.1 (RFC 9112): takes bytes in any split and hands on heads, pieces of the body and trailers. It holds
// no more than a head, and believes no length before its bytes are there. It is strict: what two parsers could read in two
// ways is refused. What a head means is the business of `request-validation.ts`.

import { ProxyError } from '../protocol/error.ts';
import type { LimitName, Limits } from '../protocol/limits.ts';
import { chunkSize } from './chunk-line.ts';
import { framingBytesPerByteMax, type MessageFraming, requestFraming } from './framing.ts';
import { HeaderList } from './header-list.ts';
import { HeadLines, latin1Text } from './latin1-text.ts';
import { parseFieldLine } from './response-framing.ts';

/** A head as it was read, not judged yet. Field arrays are name, value, name, value … */
export interface ParsedRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly raw: readonly string[];
  readonly framing: MessageFraming;
  /** Why nobody can tell where the request ends; then `framing` is `none`, and nothing behind the head may be read. */
  readonly fault: ProxyError | undefined;
}

/** What comes out of a request, in this order. */
export interface RequestSink {
  /** `foreign`: what follows the head is no HTTP, and the parser is done. */
  onHead(request: ParsedRequest): 'body' | 'foreign';
  /** A view of the bytes that were pushed. False: nothing more is parsed before the next `push`. */
  onData(piece: Uint8Array): boolean;
  /** The request is whole. */
  onEnd(trailers: readonly string[]): void;
}

export type RequestParserLimits = Pick<
  Limits,
  'headBytesMax' | 'headersCountMax' | 'chunkOverheadBytesMax' | 'chunkLineBytesMax'
>;

type State = 'line' | 'fields' | 'length' | 'size' | 'chunk' | 'chunkEnd' | 'trailers' | 'over';

// RFC 9112 §3: one space on both sides of the target. Octets above ASCII are judged with the target.
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/([0-9]\.[0-9])$/;

/** Parses the requests of one connection, one after the other; `begin` starts each. After a throw it must not be used again. */
export class RequestParser {
  readonly #sink: RequestSink;
  readonly #limits: RequestParserLimits;
  readonly #lines = new HeadLines();
  #state: State = 'over';
  #method = '';
  #target = '';
  #httpVersion = '';
  #raw: string[] = [];
  /** The part of a line that is there. */
  #line = '';
  /** Bytes of the head or of the trailers so far. */
  #headBytes = 0;
  /** Bytes that are missing of the body or of the chunk. */
  #left = 0;
  #bodyBytes = 0;
  #overheadBytes = 0;

  constructor(sink: RequestSink, limits: RequestParserLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Whether the request is whole. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether bytes of a head are there, and its end is not. */
  get isInHead(): boolean {
    return (this.#state === 'line' && this.#headBytes > 0) || this.#state === 'fields';
  }

  /** Of the head whose end is not there yet. */
  get firstLine(): Pick<ParsedRequest, 'method' | 'target'> | undefined {
    return this.#state === 'fields' ? { method: this.#method, target: this.#target } : undefined;
  }

  /** Bytes of the body that are said to come; 0 where that is not said. */
  get leftBytes(): number {
    return this.#state === 'length' ? this.#left : 0;
  }

  begin(): void {
    this.#state = 'line';
    this.#line = '';
    this.#headBytes = 0;
    this.#bodyBytes = 0;
    this.#overheadBytes = 0;
  }

  /** Gives how many of the bytes were used: less than all if the sink paused, or behind the end. @throws ProxyError */
  push(bytes: Uint8Array): number {
    let at = 0;
    let isPaused = false;
    while (at < bytes.length && !isPaused && this.#state !== 'over') {
      if (this.#state === 'length' || this.#state === 'chunk') {
        const end = Math.min(bytes.length, at + this.#left);
        isPaused = !this.#takeData(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        at = end;
      } else {
        at = this.#takeLine(bytes, at);
      }
    }
    this.#lines.forget();
    return at;
  }

  #takeData(piece: Uint8Array): boolean {
    this.#bodyBytes += piece.length;
    this.#left -= piece.length;
    const goesOn = this.#sink.onData(piece);
    if (this.#left > 0) return goesOn;
    if (this.#state === 'chunk') this.#state = 'chunkEnd';
    else this.#finish([]);
    return goesOn;
  }

  /** Takes bytes to the end of the line, or all if it is not whole. */
  #takeLine(bytes: Uint8Array, start: number): number {
    const isInHead = this.#state === 'line' || this.#state === 'fields';
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
    const line = this.#line === '' ? text : this.#line + text;
    if (newline === -1) {
      this.#line = line;
      return end;
    }
    this.#line = '';
    this.#endWith(line);
    return end;
  }

  #endWith(line: string): void {
    if (!line.endsWith('\r\n')) throw malformed('a line of it ends without CR');
    this.#endLine(line.slice(0, -2));
  }

  /** Before a byte is held. */
  #count(bytes: number): void {
    const { headBytesMax, chunkOverheadBytesMax, chunkLineBytesMax } = this.#limits;
    if (this.#state === 'size' || this.#state === 'chunkEnd') {
      if (this.#line.length + bytes > chunkLineBytesMax)
        throw malformed('a chunk has an endless size or extension', 'chunkLineBytesMax');
      this.#overheadBytes += bytes;
      if (this.#overheadBytes > chunkOverheadBytesMax + this.#bodyBytes * framingBytesPerByteMax)
        throw malformed(
          'the chunks of the body are nearly all sizes and extensions',
          'chunkOverheadBytesMax',
        );
      return;
    }
    this.#headBytes += bytes;
    if (this.#headBytes > headBytesMax) throw tooLarge('the request head is too large', 'headBytesMax');
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'line':
        this.#startLine(line);
        return;
      case 'fields':
        if (line === '') this.#endHead();
        else this.#takeField(line);
        return;
      case 'size':
        this.#startChunk(line);
        return;
      case 'chunkEnd':
        if (line !== '') throw malformed('a chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'trailers':
        if (line === '') this.#finish(this.#raw);
        else this.#takeField(line);
        return;
      case 'length':
      case 'chunk':
      case 'over':
        // Not lines.
        return;
    }
  }

  #startLine(line: string): void {
    // RFC 9112 §2.2: an empty line before a request is ignored; all of them count as bytes of the head.
    if (line === '') return;
    const match = requestLine.exec(line);
    if (match === null) throw malformed('its first line is no request line');
    [, this.#method = '', this.#target = '', this.#httpVersion = ''] = match;
    this.#raw = [];
    this.#state = 'fields';
  }

  #takeField(line: string): void {
    if (this.#raw.length / 2 >= this.#limits.headersCountMax)
      throw tooLarge('the request has too many header fields', 'headersCountMax');
    parseFieldLine(line, this.#raw, malformed);
  }

  #endHead(): void {
    this.#headBytes = 0;
    const { framing, fault } = this.#readFraming();
    const request = { method: this.#method, target: this.#target, httpVersion: this.#httpVersion };
    if (framing.kind === 'chunked') this.#state = 'size';
    else if (framing.kind === 'length' && framing.length > 0) {
      this.#left = framing.length;
      this.#state = 'length';
    } else this.#state = 'over';
    const isWhole = this.#state === 'over';
    const follows = this.#sink.onHead({ ...request, raw: this.#raw, framing, fault });
    if (follows === 'foreign') this.#state = 'over';
    else if (isWhole) this.#sink.onEnd([]);
  }

  #readFraming(): Pick<ParsedRequest, 'framing' | 'fault'> {
    if (!mayFrame(this.#raw)) return { framing: noBody, fault: undefined };
    try {
      const version = this.#httpVersion === '1.0' ? '1.0' : '1.1';
      return {
        framing: requestFraming(HeaderList.fromRaw(this.#raw), version, undefined),
        fault: undefined,
      };
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      return { framing: noBody, fault: error };
    }
  }

  #startChunk(line: string): void {
    const bytes = chunkSize(line);
    if (bytes === undefined) throw malformed('a chunk has no valid size');
    this.#left = bytes;
    if (bytes > 0) {
      this.#state = 'chunk';
      return;
    }
    this.#raw = [];
    this.#state = 'trailers';
  }

  #finish(trailers: readonly string[]): void {
    this.#state = 'over';
    this.#sink.onEnd(trailers);
  }
}

const noBody: MessageFraming = { kind: 'none' };

/** Content-Length, Transfer-Encoding and what looks like them have these lengths; most requests have none. */
function mayFrame(raw: readonly string[]): boolean {
  for (let at = 0; at < raw.length; at += 2) {
    const length = raw[at]?.length;
    if (length === 14 || length === 17) return true;
  }
  return false;
}

function malformed(reason: string, limit?: LimitName): ProxyError {
  const message = `the request is not valid HTTP: ${reason}${limit === undefined ? '' : ` (${limit})`}`;
  return new ProxyError('request_malformed', message, limit === undefined ? {} : { limit });
}

function tooLarge(what: string, limit: LimitName): ProxyError {
  return new ProxyError('head_too_large', `${what} (${limit})`, { limit });
}
