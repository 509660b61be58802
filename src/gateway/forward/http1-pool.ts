// The connections of one key to one origin: those that wait for a request, those that are used, and who waits for one.

import { TlsSessions } from '../../net/tls-sessions.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { clientLeft } from './forwarder.ts';
import { Http1Connection } from './http1-connection.ts';
import type { OriginDialer, OriginKey } from './origin-pools.ts';

/** How often deadlines are looked at, and so how late they may come. */
const checkIntervalMs = 500;

interface Waiter {
  readonly resolve: (connection: Http1Connection | undefined) => void;
  readonly untilMs: number;
  readonly reject: (error: ProxyError) => void;
}

export class Http1Pool implements Disposable {
  readonly #key: OriginKey;
  readonly #dialer: OriginDialer;
  readonly #limits: Limits;
  readonly #closing = new AbortController();
  readonly #all = new Set<Http1Connection>();
  /** The one that was used last is last. */
  readonly #idle: Http1Connection[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #nowMs: () => number;
  readonly #sessions = new TlsSessions();
  #dialing = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(key: OriginKey, dialer: OriginDialer, limits: Limits, nowMs = (): number => performance.now()) {
    this.#key = key;
    this.#dialer = dialer;
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /**
   * A connection that carries no exchange, for one; `put` it back. `isNew`: none that was used before.
   * @throws ProxyError of the dialer, cancelled, timeout, shutting_down
   */
  async take(signal: AbortSignal, isNew = false): Promise<Http1Connection> {
    // One deadline, however often others are faster.
    const untilMs = this.#nowMs() + this.#limits.responseHeadTimeoutMs;
    for (;;) {
      if (signal.aborted) {
        // It may have been woken for a place that it does not take.
        if (this.#hasRoom) this.#wakeOne();
        throw clientLeft();
      }
      const idle = isNew ? undefined : this.#takeIdle();
      if (idle !== undefined) return idle;
      if (this.#hasRoom) return await this.#untilAborted(this.#dial(), signal);
      if (isNew && this.#idle.length > 0) this.#takeIdle()?.destroy();
      else {
        const handed = await this.#wait(signal, untilMs);
        if (handed?.isReady === true && !isNew) return handed;
        handed?.destroy();
      }
    }
  }

  /** As `take`, where one waits: then nobody has to wait for it. */
  takeReady(signal: AbortSignal): Http1Connection | undefined {
    return signal.aborted ? undefined : this.#takeIdle();
  }

  /** The exchange is over. */
  put(connection: Http1Connection): void {
    if (!connection.isReady) return;
    const [waiter] = this.#waiters;
    if (waiter !== undefined) waiter.resolve(connection);
    else {
      connection.wasIdle = true;
      this.#idle.push(connection);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#closing.abort();
    const error = new ProxyError('shutting_down', 'the connection pool was closed');
    for (const waiter of this.#waiters) waiter.reject(error);
    for (const connection of this.#all) connection.destroy(error);
  }

  get #hasRoom(): boolean {
    return this.#all.size + this.#dialing < this.#limits.http1ConnectionsPerOriginMax;
  }

  #takeIdle(): Http1Connection | undefined {
    for (let found = this.#idle.pop(); found !== undefined; found = this.#idle.pop())
      if (found.isReady) return found;
    return undefined;
  }

  async #dial(): Promise<Http1Connection> {
    this.#dialing += 1;
    const { signal } = this.#closing;
    try {
      const dialed = await this.#dialer.dial({
        ...this.#key,
        alpn: ['http/1.1'],
        sessions: this.#sessions,
        signal,
      });
      const connection: Http1Connection = new Http1Connection(dialed, this.#limits, () => {
        this.#all.delete(connection);
        this.#wakeOne();
      });
      this.#all.add(connection);
      connection.start();
      if (signal.aborted) connection.destroy();
      else this.#watch();
      this.#dialing -= 1;
      return connection;
    } catch (error) {
      this.#dialing -= 1;
      this.#wakeOne();
      throw error;
    }
  }

  /** The connection that comes too late is somebody else's. */
  async #untilAborted(dialed: Promise<Http1Connection>, signal: AbortSignal): Promise<Http1Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<Http1Connection>();
    let isGone = false;
    const onAbort = (): void => {
      isGone = true;
      reject(clientLeft());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    dialed.then((connection) => {
      if (isGone) this.put(connection);
      else resolve(connection);
    }, reject);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Undefined: try again, there may be room for a new one. */
  async #wait(signal: AbortSignal, untilMs: number): Promise<Http1Connection | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Http1Connection | undefined>();
    const waiter: Waiter = {
      resolve: (connection) => {
        this.#waiters.delete(waiter);
        resolve(connection);
      },
      reject: (error) => {
        this.#waiters.delete(waiter);
        reject(error);
      },
      untilMs,
    };
    const onAbort = (): void => waiter.reject(clientLeft());
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiters.add(waiter);
    this.#watch();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #wakeOne(): void {
    const [waiter] = this.#waiters;
    waiter?.resolve(undefined);
  }

  #watch(): void {
    const { responseHeadTimeoutMs, idleTimeoutMs } = this.#limits;
    const intervalMs = Math.min(checkIntervalMs, responseHeadTimeoutMs, idleTimeoutMs);
    this.#timer ??= setInterval(() => this.checkDeadlines(this.#nowMs()), intervalMs).unref();
  }

  /** Looked at again and again: whose deadline has passed. */
  checkDeadlines(nowMs: number): void {
    for (const connection of this.#all) connection.checkDeadline(nowMs);
    for (const waiter of this.#waiters) {
      if (nowMs < waiter.untilMs) continue;
      const message = `${this.#key.destination.host}: no connection became free in time (http1ConnectionsPerOriginMax)`;
      waiter.reject(new ProxyError('timeout', message, { limit: 'http1ConnectionsPerOriginMax' }));
    }
    if (this.#all.size > 0 || this.#waiters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
