// A strict parser for one HTTP/1.1 response with Content-Length or chunked body (RFC 9112), bounded in head and body.

import { ProxyError } from '../../protocol/error.ts';

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. A field that stands twice is refused, so one value each. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the peer takes another request on this connection (RFC 9112 §9.3). */
  readonly isReusable: boolean;
}

export interface HttpResponseLimits {
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
}

type Framing = { readonly kind: 'length'; readonly length: number } | { readonly kind: 'chunked' };
interface Head {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly framing: Framing;
  readonly isReusable: boolean;
}

const headEnd = Buffer.from('\r\n\r\n', 'latin1');
// Extensions are allowed by the RFC and sent by nobody that we talk to.
const chunkLineBytesMax = 64;

/** Takes bytes in any split and gives the response once it is whole. Throws gateway_protocol for anything else. */
export class HttpResponseParser {
  readonly #limits: HttpResponseLimits;
  #pending: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  #parts: Buffer[] = [];
  #bodyBytes = 0;
  /** Bytes of the current chunk that are still to come; undefined before a chunk-size line. */
  #chunkLeft: number | undefined;

  constructor(limits: HttpResponseLimits) {
    this.#limits = limits;
  }

  push(chunk: Buffer): HttpResponse | undefined {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#head === undefined) {
      const end = this.#pending.indexOf(headEnd);
      if (end < 0 ? this.#pending.length > this.#limits.headBytesMax : end > this.#limits.headBytesMax) {
        throw malformed(`its head is longer than ${this.#limits.headBytesMax} bytes`);
      }
      if (end < 0) {
        checkStart(this.#pending);
        return undefined;
      }
      this.#head = parseHead(this.#pending.toString('latin1', 0, end));
      this.#pending = this.#pending.subarray(end + headEnd.length);
    }
    const { status, fields, framing, isReusable } = this.#head;
    const whole = framing.kind === 'length' ? this.#takeLength(framing.length) : this.#takeChunks();
    if (!whole) return undefined;
    if (this.#pending.length > 0) throw malformed('bytes follow its end');
    return { status, fields, body: Buffer.concat(this.#parts), isReusable };
  }

  #takeLength(length: number): boolean {
    this.#checkBody(length);
    if (this.#bodyBytes < length) this.#takeBody(length - this.#bodyBytes);
    return this.#bodyBytes === length;
  }

  #takeChunks(): boolean {
    for (;;) {
      if (this.#chunkLeft === undefined) {
        const line = this.#takeLine();
        if (line === undefined) return false;
        if (!/^[0-9a-fA-F]{1,7}$/.test(line)) throw malformed('a chunk has no valid size');
        this.#chunkLeft = Number.parseInt(line, 16);
        this.#checkBody(this.#bodyBytes + this.#chunkLeft);
        if (this.#chunkLeft === 0) this.#chunkLeft = -1;
      }
      if (this.#chunkLeft === -1) return this.#takeLastLine();
      this.#chunkLeft -= this.#takeBody(this.#chunkLeft);
      if (this.#chunkLeft > 0 || this.#pending.length < 2) return false;
      if (this.#takeLine() !== '') throw malformed('a chunk is longer than its size');
      this.#chunkLeft = undefined;
    }
  }

  /** The empty line behind the last chunk; trailers have no use here and are refused. */
  #takeLastLine(): boolean {
    const line = this.#takeLine();
    if (line === undefined) return false;
    if (line !== '') throw malformed('it has trailers');
    return true;
  }

  #takeLine(): string | undefined {
    const end = this.#pending.indexOf('\r\n', 0, 'latin1');
    if (end > chunkLineBytesMax || (end < 0 && this.#pending.length > chunkLineBytesMax)) {
      throw malformed('a chunk has no valid size');
    }
    if (end < 0) return undefined;
    const line = this.#pending.toString('latin1', 0, end);
    this.#pending = this.#pending.subarray(end + 2);
    return line;
  }

  #takeBody(wanted: number): number {
    const part = this.#pending.subarray(0, wanted);
    if (part.length > 0) this.#parts.push(part);
    this.#bodyBytes += part.length;
    this.#pending = this.#pending.subarray(part.length);
    return part.length;
  }

  #checkBody(bytes: number): void {
    if (bytes > this.#limits.bodyBytesMax)
      throw malformed(`its body is longer than ${this.#limits.bodyBytesMax} bytes`);
  }
}

/** Something that is not HTTP is known by its first bytes, before any deadline. */
function checkStart(bytes: Buffer): void {
  const start = bytes.toString('latin1', 0, 9);
  if (!'HTTP/1.1 '.startsWith(start) && !'HTTP/1.0 '.startsWith(start))
    throw malformed('it does not start as HTTP');
}

function parseHead(text: string): Head {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const match = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(statusLine);
  if (match === null) throw malformed('it has no valid status line');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line);
    if (field === null) throw malformed('a header field is not valid');
    const name = (field[1] ?? '').toLowerCase();
    const isSingle =
      name === 'content-length' || name === 'transfer-encoding' || name === 'etag' || name === 'date';
    if (isSingle && fields.has(name)) throw malformed(`${name} stands twice`);
    fields.set(name, field[2] ?? '');
  }
  const status = Number(match[2]);
  const closes = /(^|[\s,])close([\s,]|$)/i.test(fields.get('connection') ?? '');
  const isReusable = match[1] === '1' && !closes;
  return { status, fields, framing: framingOf(status, fields), isReusable };
}

function framingOf(status: number, fields: ReadonlyMap<string, string>): Framing {
  const coding = fields.get('transfer-encoding');
  const length = fields.get('content-length');
  if (coding !== undefined && length !== undefined)
    throw malformed('it has both Content-Length and Transfer-Encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw malformed('its transfer coding is not chunked');
  if (length !== undefined && !/^\d{1,10}$/.test(length))
    throw malformed('its Content-Length is not a number');
  // RFC 9112 §6.3: these have no body, whatever the fields say.
  if (status === 204 || status === 304) return { kind: 'length', length: 0 };
  if (coding !== undefined) return { kind: 'chunked' };
  if (length !== undefined) return { kind: 'length', length: Number(length) };
  // A body that ends with the connection cannot be told from one that was cut.
  throw malformed('it has neither Content-Length nor chunked coding');
}

function malformed(reason: string): ProxyError {
  return new ProxyError('gateway_protocol', `the response of the gateway is not acceptable: ${reason}`);
}
