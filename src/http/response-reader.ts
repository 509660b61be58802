// A response that is read into memory: the one to a request of our own, of a gateway, a proxy or a relay. The parser is that of the
// origins' responses; what only a proxy has to put up with is refused here.

import type { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { HeaderList } from './header-list.ts';
import { joinedBytes } from './joined-bytes.ts';
import { ResponseParser } from './response-parser.ts';
import type { RequestOfResponse } from './response-parser.ts';

export interface ReadHead {
  readonly status: number;
  readonly headers: HeaderList;
}

export interface ReadResponse extends ReadHead {
  readonly body: Uint8Array;
  /** Whether the peer takes another request on this connection (RFC 9112 §9.3). */
  readonly isReusable: boolean;
}

export interface ResponseReaderOptions {
  readonly request: RequestOfResponse;
  readonly limits: Pick<Limits, 'headBytesMax' | 'headersCountMax'>;
  readonly bodyBytesMax: number;
  /** Whose response it is, decides the fault of one that is refused. */
  readonly fault: (reason: string) => ProxyError;
}

/** One size of a chunk in hexadecimal with its line end: extensions are sent by nobody that we talk to. */
const chunkLineBytesMax = 9;
/** Of sizes alone, however many chunks a body of the limit has. */
const chunkOverheadBytesMax = 4096;
/** Of these a second one would be another word on the same thing. */
const single = ['date', 'etag'] as const;

/** Takes bytes in any split. After a throw, `head` and `bodySoFar` are still what came before: what a refusal says of itself. */
export class ResponseReader {
  readonly #options: ResponseReaderOptions;
  readonly #parser: ResponseParser;
  #head: ReadHead | undefined;
  readonly #parts: Uint8Array[] = [];
  readonly #rest: Uint8Array[] = [];

  constructor(options: ResponseReaderOptions) {
    this.#options = options;
    const { request, limits, bodyBytesMax, fault } = options;
    const { headBytesMax, headersCountMax } = limits;
    const bounds = { chunkLineBytesMax, chunkOverheadBytesMax, interimHeadsMax: 0, bodyBytesMax };
    this.#parser = new ResponseParser(
      {
        onInformation: () => undefined,
        onFields: (status, raw) => this.#takeHead(status, raw),
        onHead: () => undefined,
        onSwitch: () => undefined,
        onData: (piece) => this.#parts.push(piece.slice()) > 0,
        onEnd: (trailers) => {
          if (trailers.length > 0) throw fault('it has trailers');
        },
      },
      { headBytesMax, headersCountMax, ...bounds },
      { fault, isStrict: true },
    );
    this.#parser.begin(request);
  }

  /** Status and fields, once they are whole. */
  get head(): ReadHead | undefined {
    return this.#head;
  }

  /** What came of the body. */
  get bodySoFar(): Uint8Array {
    return joinedBytes(this.#parts);
  }

  /** The whole response, or undefined while it is not. */
  get response(): ReadResponse | undefined {
    if (this.#head === undefined || !this.#parser.isOver) return undefined;
    return { ...this.#head, body: this.bodySoFar, isReusable: this.#parser.isReusable };
  }

  /** What came behind a head with which the connection is handed over: a switch of protocols, or a tunnel. */
  get rest(): Uint8Array {
    return joinedBytes(this.#rest);
  }

  /** @throws the fault of a response that is malformed, too large, without an end of its own, or followed by what belongs to none */
  push(bytes: Uint8Array): void {
    const used = this.#parser.isOver ? 0 : this.#parser.push(bytes);
    if (this.#parser.endsWithConnection) {
      // It cannot be told from one that was cut.
      throw this.#options.fault('it has neither Content-Length nor chunked coding');
    }
    if (used === bytes.length) return;
    if (!this.#isHandedOver) throw this.#options.fault('bytes follow its end');
    this.#rest.push(bytes.slice(used));
  }

  get #isHandedOver(): boolean {
    const status = this.#head?.status ?? 0;
    return status === 101 || (this.#options.request.method === 'CONNECT' && status >= 200 && status < 300);
  }

  #takeHead(status: number, raw: readonly string[]): void {
    const headers = HeaderList.fromRaw(raw);
    const twice = single.find((name) => headers.isRepeated(name));
    if (twice !== undefined) throw this.#options.fault(`${twice} stands more than once`);
    this.#head = { status, headers };
  }
}
