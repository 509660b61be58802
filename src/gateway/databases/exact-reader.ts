// Takes so many octets of a stream and no more, so that what comes behind them is there for who reads next.

import type { Duplex } from 'node:stream';
import { type Deadline, plainDeadline, type StartDeadline } from '../../intercept/deadline.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';

function ignore(): void {
  // Whoever reads next sees that the stream is destroyed.
}

/** One reader at a time, and nobody else on the stream until `release`. The deadline is one for all that is read. */
export class ExactReader {
  readonly #stream: Duplex;
  readonly #deadline: Deadline;
  #waiting: { readonly count: number; readonly settle: PromiseWithResolvers<Buffer | undefined> } | undefined;
  #fault: ProxyError | undefined;
  #isEnded = false;

  constructor(
    stream: Duplex,
    timeout: { readonly error: ProxyError; readonly ms: number; readonly start?: StartDeadline | undefined },
  ) {
    this.#stream = stream;
    this.#deadline = (timeout.start ?? plainDeadline)(timeout.ms, () => {
      this.#fail(timeout.error);
    });
    // It stays: between two readers a stream must have one, or its error ends the process.
    stream.on('error', ignore);
    stream.on('readable', this.#onReadable).on('end', this.#onEnd);
    stream.on('error', this.#onError).on('close', this.#onClose);
    if (stream.destroyed) this.#onClose();
    else if (stream.readableEnded) this.#onEnd();
  }

  /** Octets that have come and were not taken. */
  get waitingBytes(): number {
    return this.#stream.readableLength;
  }

  /** Undefined: the stream ended before so many came. @throws ProxyError */
  async take(count: number): Promise<Buffer | undefined> {
    if (this.#fault !== undefined) throw this.#fault;
    if (count === 0) return Buffer.alloc(0);
    const settle = Promise.withResolvers<Buffer | undefined>();
    this.#waiting = { count, settle };
    this.#look();
    return await settle.promise;
  }

  /** Hands the stream on; resolves when the next reader may listen. */
  async release(): Promise<void> {
    this.#stop();
    // One tick later Node has seen that nobody listens for 'readable'.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve);
    });
  }

  #stop(): void {
    this.#deadline.clear();
    const stream = this.#stream;
    stream.off('readable', this.#onReadable).off('end', this.#onEnd);
    stream.off('error', this.#onError).off('close', this.#onClose);
  }

  #look(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    // Fewer octets than were asked for come only at the end. A byte stream gives Buffers; `read` is typed for streams of anything.
    const bytes = this.#stream.read(waiting.count) as Buffer | null;
    if (bytes === null) {
      if (this.#isEnded) this.#settle(undefined);
      return;
    }
    this.#settle(bytes.length === waiting.count ? bytes : undefined);
  }

  #settle(bytes: Buffer | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.settle.resolve(bytes);
  }

  #fail(error: ProxyError): void {
    this.#fault ??= error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.settle.reject(this.#fault);
  }

  readonly #onReadable = (): void => {
    this.#look();
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#look();
  };

  readonly #onError = (error: Error): void => {
    this.#fail(asProxyError(error, 'stream_reset'));
  };

  readonly #onClose = (): void => {
    if (this.#isEnded) this.#look();
    else this.#fail(new ProxyError('stream_reset', 'the other side broke off'));
  };
}
