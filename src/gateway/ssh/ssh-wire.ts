// The connection below one side of SSH. The library writes without looking whether anybody takes it, so here it is counted what went out,
// nothing more is read while it does not, and whoever writes can wait for it.

import { Duplex } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';

interface Unread {
  readonly readableLength: number;
  /** What a server's command writes beside. */
  readonly stderr?: { readonly readableLength?: number };
}

/** What one side may bring: the library looks at its window only where nothing of it is left, and asks nobody for new keys. */
export class SideBounds {
  readonly #limits: Limits;
  readonly #channel: () => Unread | undefined;
  #keyedAt = 0;

  constructor(limits: Limits, channel: () => Unread | undefined) {
    this.#limits = limits;
    this.#channel = channel;
  }

  get waitingOctetsMax(): number {
    return this.#limits.sshWaitingOctetsMax;
  }

  hasNewKeys({ octets }: SshWire): void {
    this.#keyedAt = octets;
  }

  fault({ octets }: SshWire): ProxyError | undefined {
    const { sshUnreadOctetsMax, sshKeyOctetsMax } = this.#limits;
    const channel = this.#channel();
    if ((channel?.readableLength ?? 0) + (channel?.stderr?.readableLength ?? 0) > sshUnreadOctetsMax)
      return tooMuch('sshUnreadOctetsMax', 'more than the window comes');
    return octets - this.#keyedAt > sshKeyOctetsMax
      ? tooMuch('sshKeyOctetsMax', 'the other side wants no new keys')
      : undefined;
  }
}

function tooMuch(limit: LimitName, what: string): ProxyError {
  return new ProxyError('limit_exceeded', `SSH: ${what} (${limit})`, { limit });
}

interface Waiting {
  readonly total: number;
  readonly done: (error?: Error | null) => void;
}

export class SshWire extends Duplex {
  readonly #under: Duplex;
  readonly #bounds: SideBounds;
  #written = 0;
  #received = 0;
  #waiting: Waiting[] = [];
  #endsReading = false;

  constructor(under: Duplex, bounds: SideBounds) {
    super({ allowHalfOpen: true });
    this.#under = under;
    this.#bounds = bounds;
    under.pause();
    under.on('data', this.#onData);
    under.once('end', () => {
      this.#endsReading = true;
      this.push(null);
    });
    under.on('error', (error) => this.destroy(error));
    under.once('close', () => {
      if (!this.#endsReading) this.destroy(new ProxyError('stream_reset', 'the other side broke off'));
      else if (this.readableEnded) this.destroy();
      else this.once('end', () => this.destroy());
    });
  }

  /** Octets that were given to be written. */
  get given(): number {
    return this.#written + this.writableLength;
  }

  /** Octets both ways. */
  get octets(): number {
    return this.#written + this.#received;
  }

  /** Calls once so many octets have been written in all: also what the library itself holds back, for new keys, has gone then. */
  whenWritten(total: number, done: (error?: Error | null) => void): void {
    if (this.destroyed) done(this.errored ?? new ProxyError('stream_reset', 'the connection is closed'));
    else if (this.#written >= total) done();
    else this.#waiting.push({ total, done });
  }

  override _read(): void {
    if (this.writableLength < this.#bounds.waitingOctetsMax) this.#under.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const written = (): void => {
      this.#under.off('drain', written);
      this.#written += chunk.length;
      done();
      // Behind `done`, so that what waits is not counted as waiting to be written.
      process.nextTick(() => this.#settle());
    };
    if (this.#under.destroyed) done(new ProxyError('stream_reset', 'the connection is closed'));
    else if (this.#under.write(chunk)) written();
    else this.#under.once('drain', written);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#under.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#under.off('data', this.#onData);
    this.#under.destroy(error ?? undefined);
    const waiting = this.#waiting;
    this.#waiting = [];
    const why = error ?? new ProxyError('stream_reset', 'the connection is closed');
    for (const one of waiting) one.done(why);
    done(error);
  }

  #settle(): void {
    const [ready, waiting] = [
      this.#waiting.filter(({ total }) => this.#written >= total),
      this.#waiting.filter(({ total }) => this.#written < total),
    ];
    this.#waiting = waiting;
    for (const one of ready) one.done();
    if (!this.destroyed && this.writableLength < this.#bounds.waitingOctetsMax && this.readableLength === 0)
      this.#under.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    const isMore = this.push(chunk);
    const fault = this.#bounds.fault(this);
    if (fault !== undefined) this.destroy(fault);
    else if (!isMore || this.writableLength >= this.#bounds.waitingOctetsMax) this.#under.pause();
  };
}
