// Looks at the first bytes of a stream and puts them back, so that whoever comes next sees the stream untouched.

import type { Duplex } from 'node:stream';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { type Deadline, plainDeadline, type StartDeadline } from './deadline.ts';
import { parseClientHello } from './client-hello.ts';
import type { ClientHello } from './client-hello.ts';
import { classifyFirstBytes } from './first-bytes.ts';

export type FirstBytes =
  | { readonly kind: 'tls'; readonly hello: ClientHello }
  | { readonly kind: 'http' }
  | { readonly kind: 'http2' }
  /** `bytes` were seen, and put back. */
  | { readonly kind: 'other'; readonly bytes: number }
  /** Not one byte within the time. */
  | { readonly kind: 'silent' }
  /** The client ended before its bytes decided anything; they are gone with the end of the stream. */
  | { readonly kind: 'ended'; readonly bytes: number };

export interface PeekOptions {
  /** For the first bytes, and for the whole ClientHello. */
  readonly timeoutMs: number;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
  /** Default: a timer. */
  readonly startDeadline?: StartDeadline | undefined;
}

/**
 * Waits until the first bytes say what the stream speaks. It takes no more than that needs, puts all of it back, and
 * leaves the stream not flowing: it starts when the next consumer listens. Throws ProxyError: `tls_handshake` for a
 * malformed ClientHello, `timeout` for one that does not end in time, `cancelled` when the signal or the client ends it.
 */
export async function peekFirstBytes(stream: Duplex, options: PeekOptions): Promise<FirstBytes> {
  if (options.signal?.aborted === true) throw asProxyError(options.signal.reason, 'cancelled');
  return await new Peek(stream, options).result;
}

class Peek {
  readonly result: Promise<FirstBytes>;
  readonly #stream: Duplex;
  readonly #options: PeekOptions;
  readonly #settle: PromiseWithResolvers<FirstBytes>;
  readonly #deadline: Deadline;
  #seen: Buffer[] = [];
  #seenBytes = 0;
  /** No use looking again before so many bytes are there: a slow client must not cost a parse for each octet. */
  #bytesNeeded = 1;
  #tls = false;

  constructor(stream: Duplex, options: PeekOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    const start = options.startDeadline ?? plainDeadline;
    this.#deadline = start(options.timeoutMs, this.#onTimeout);
    stream.on('end', this.#onEnd);
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    stream.on('readable', this.#onReadable);
    options.signal?.addEventListener('abort', this.#onAbort);
    if (stream.destroyed) this.#onClose();
    else if (stream.readableEnded) this.#onEnd();
    else this.#onReadable();
  }

  readonly #onReadable = (): void => {
    try {
      this.#take();
    } catch (error) {
      this.#fail(asProxyError(error, 'tls_handshake'));
    }
  };

  readonly #onEnd = (): void => {
    this.#finish({ kind: 'ended', bytes: this.#seenBytes });
  };

  readonly #onError = (error: Error): void => {
    this.#fail(asProxyError(error, 'cancelled'));
  };

  readonly #onClose = (): void => {
    this.#fail(new ProxyError('cancelled', 'the client closed the connection before its first bytes'));
  };

  readonly #onAbort = (): void => {
    this.#fail(asProxyError(this.#options.signal?.reason, 'cancelled'));
  };

  readonly #onTimeout = (): void => {
    const { timeoutMs } = this.#options;
    if (this.#seenBytes === 0) this.#finish({ kind: 'silent' });
    else if (!this.#tls) this.#finish({ kind: 'other', bytes: this.#seenBytes });
    else
      this.#fail(
        new ProxyError('timeout', `the ClientHello did not end within ${String(timeoutMs)} ms`, {
          limit: 'headTimeoutMs',
        }),
      );
  };

  #take(): void {
    // Without a size it gives all that is buffered, in one piece.
    for (;;) {
      // A byte stream gives Buffers; `read` is typed for streams of anything.
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk === null) return;
      this.#seen.push(chunk);
      this.#seenBytes += chunk.length;
      if (this.#seenBytes < this.#bytesNeeded) continue;
      const first = this.#look();
      if (first === undefined) continue;
      this.#finish(first);
      return;
    }
  }

  #look(): FirstBytes | undefined {
    const bytes = this.#joined();
    const kind = classifyFirstBytes(bytes);
    switch (kind) {
      case 'tls': {
        this.#tls = true;
        const result = parseClientHello(bytes, this.#options.limits);
        if (result.state === 'hello') return { kind, hello: result };
        this.#bytesNeeded = result.bytesNeeded;
        return undefined;
      }
      case 'http':
      case 'http2':
        return { kind };
      case 'other':
        return { kind, bytes: bytes.length };
      case 'incomplete':
        this.#bytesNeeded = bytes.length + 1;
        return undefined;
    }
  }

  #joined(): Buffer {
    const [only] = this.#seen;
    const joined = this.#seen.length === 1 && only !== undefined ? only : Buffer.concat(this.#seen);
    this.#seen = [joined];
    return joined;
  }

  #finish(first: FirstBytes): void {
    this.#release(() => {
      this.#settle.resolve(first);
    });
  }

  #fail(error: ProxyError): void {
    this.#release(() => {
      this.#settle.reject(error);
    });
  }

  #release(then: () => void): void {
    const stream = this.#stream;
    this.#deadline.clear();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    stream.off('readable', this.#onReadable);
    stream.off('end', this.#onEnd);
    stream.off('error', this.#onError);
    stream.off('close', this.#onClose);
    const bytes = this.#joined();
    // Behind the end nothing can be put back.
    if (bytes.length > 0 && !stream.destroyed && !stream.readableEnded) stream.unshift(bytes);
    // One tick later Node has seen that nobody listens for 'readable', and the stream flows for its next consumer.
    process.nextTick(then);
  }
}
