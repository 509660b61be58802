// Chooses how a request reaches its origin: HTTP/1.1, or HTTP/2 where the origin chose it.

import { hostField } from '../../http/authority.ts';
import type { DialRequest, DialResult } from '../../net/dialer.ts';
import { TlsSessions } from '../../net/tls-sessions.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import { type LimitName, type Limits, defaultLimits } from '../../protocol/limits.ts';
import { Http1Forwarder } from './forward-http1.ts';
import { Http2Origin } from './forward-http2.ts';
import { endsConnection } from './forwarder.ts';
import type {
  ForwardRequest,
  ForwardResult,
  Forwarder,
  ResponseReceiver,
  UpgradeResult,
} from './forwarder.ts';
import { OriginPools, originKeyOf, originKeyText } from './origin-pools.ts';
import type { OriginDialer, OriginKey } from './origin-pools.ts';

/** How long it is remembered that an origin does not speak HTTP/2 (or only that). */
const protocolMemoryMs = 300_000;

type OriginProtocol = 'http/1.1' | 'h2';

/** The HTTP/2 connections of one key. */
interface Http2Pool {
  readonly origins: Http2Origin[];
  readonly sessions: TlsSessions;
  opening: Promise<Http2Origin | undefined> | undefined;
}

export class ByProtocolForwarder implements Forwarder {
  readonly #dialer: SpareSocketDialer;
  readonly #limits: Limits;
  readonly #held: HeldOctets | undefined;
  readonly #http1: Http1Forwarder;
  readonly #http2: OriginPools<Http2Pool>;
  readonly #known = new Map<string, { readonly protocol: OriginProtocol; readonly untilMs: number }>();

  /** @param held the budget from which windows are widened; without it they are wide */
  constructor(dialer: OriginDialer, limits: Limits, held?: HeldOctets) {
    this.#held = held;
    this.#dialer = new SpareSocketDialer(dialer);
    this.#limits = limits;
    this.#http1 = new Http1Forwarder(this.#dialer, limits, (request, receiver, error) =>
      isProtocolRefusal(error) ? this.#forwardOverHttp2Only(request, receiver, error) : undefined,
    );
    this.#http2 = new OriginPools<Http2Pool>(
      () => ({ origins: [], sessions: new TlsSessions(), opening: undefined }),
      (pool) => {
        for (const origin of pool.origins) origin.destroy();
      },
      limits,
    );
  }

  forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<ForwardResult> {
    const key = originKeyOf(request);
    return key.destination.scheme === 'https' && this.#prefersHttp2(key, request)
      ? this.#overHttp2(request, receiver, key)
      : this.#http1.forward(request, receiver, key);
  }

  /** HTTP/1.1 first, for few origins take a WebSocket over HTTP/2. */
  async upgrade(
    request: ForwardRequest,
    protocol: string,
    receiver: ResponseReceiver,
  ): Promise<UpgradeResult> {
    try {
      return await this.#http1.upgrade(request, protocol, receiver);
    } catch (error) {
      if (!isProtocolRefusal(error)) throw error;
      return await this.#overHttp2Only(request, error, (origin) =>
        origin.upgrade(request, receiver, this.#limits),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http1[Symbol.asyncDispose]();
    this.#http2[Symbol.dispose]();
    this.#dialer.destroy();
  }

  /**
   * HTTP/1.1 is cheaper here, so HTTP/2 is used by clients of HTTP/2, where the origin speaks nothing else, and for a request
   * that would cost HTTP/1.1 its connection.
   */
  #prefersHttp2(key: OriginKey, request: ForwardRequest): boolean {
    // Most gateways never meet an origin that makes them remember one.
    const known = this.#known.size === 0 ? undefined : this.#known.get(originKeyText(key));
    const current = known !== undefined && known.untilMs > Date.now() ? known.protocol : undefined;
    if (current === 'http/1.1') return false;
    return current === 'h2' || request.head.httpVersion === '2' || endsConnection(request);
  }

  async #overHttp2(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    key: OriginKey,
  ): Promise<ForwardResult> {
    const { pool, release } = this.#http2.use(key);
    try {
      const origin = await this.#http2Origin(pool, key);
      if (origin !== undefined) return await origin.forward(request, receiver, this.#limits);
    } finally {
      release();
    }
    return await this.#http1.forward(request, receiver, key);
  }

  #forwardOverHttp2Only(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    refusal: unknown,
  ): Promise<ForwardResult> {
    return this.#overHttp2Only(request, refusal, (origin) => origin.forward(request, receiver, this.#limits));
  }

  /** The origin refused http/1.1 before a byte of the request was sent: it wants HTTP/2 only. */
  async #overHttp2Only<T>(
    request: ForwardRequest,
    refusal: unknown,
    use: (origin: Http2Origin) => Promise<T>,
  ): Promise<T> {
    const key = originKeyOf(request);
    this.#remember(key, 'h2');
    const { pool, release } = this.#http2.use(key);
    try {
      const origin = await this.#http2Origin(pool, key);
      if (origin === undefined) throw refusal;
      return await use(origin);
    } finally {
      release();
    }
  }

  /** A connection with room, or a new one; undefined if the origin chose HTTP/1.1. */
  async #http2Origin(pool: Http2Pool, key: OriginKey): Promise<Http2Origin | undefined> {
    for (;;) {
      const found = pool.origins.find((origin) => origin.hasRoom);
      if (found !== undefined) return found;
      const limit = this.#fullOf(pool);
      if (limit !== undefined) {
        const message = `${key.destination.host}: too many requests at once over HTTP/2 (${limit})`;
        throw new ProxyError('limit_exceeded', message, { limit });
      }
      pool.opening ??= this.#open(pool, key).finally(() => {
        pool.opening = undefined;
      });
      if ((await pool.opening) === undefined) return undefined;
    }
  }

  /** The limit that leaves no room for another connection. Those that the origin has left end by themselves, and block no other. */
  #fullOf({ origins }: Http2Pool): LimitName | undefined {
    origins.splice(0, origins.length, ...origins.filter((origin) => !origin.session.destroyed));
    const usable = origins.filter((origin) => origin.isUsable).length;
    if (usable >= this.#limits.http2ConnectionsPerOriginMax) return 'http2ConnectionsPerOriginMax';
    const leaving = origins.length - usable;
    return leaving >= defaultLimits.http2LeavingPerOriginMax ? 'http2LeavingPerOriginMax' : undefined;
  }

  async #open(pool: Http2Pool, key: OriginKey): Promise<Http2Origin | undefined> {
    const result = await this.#dialer.dial({ ...key, alpn: ['h2', 'http/1.1'], sessions: pool.sessions });
    if (result.alpn !== 'h2') {
      this.#remember(key, 'http/1.1');
      // Verified and checked like any other: the HTTP/1.1 engine takes it as its next connection.
      this.#dialer.keep(key, result);
      return undefined;
    }
    this.#remember(key, 'h2');
    const { sessionId } = key;
    const room = this.#held === undefined ? undefined : { held: this.#held, sessionId };
    const origin = new Http2Origin(result, hostField(key.destination), room);
    pool.origins.push(origin);
    return origin;
  }

  #remember(key: OriginKey, protocol: OriginProtocol): void {
    const text = originKeyText(key);
    this.#known.delete(text);
    this.#known.set(text, { protocol, untilMs: Date.now() + protocolMemoryMs });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= defaultLimits.originProtocolsMax) break;
      this.#known.delete(oldest);
    }
  }
}

function isProtocolRefusal(error: unknown): boolean {
  if (!(error instanceof ProxyError)) return false;
  const { cause } = error;
  return (
    cause instanceof Error && 'code' in cause && cause.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
  );
}

/** A connection that is not taken up within this time is closed. */
const spareMs = 4_000;

/** A dialer with one slot a key for a connection that was dialled and turned out to speak HTTP/1.1. */
class SpareSocketDialer implements OriginDialer {
  readonly #dialer: OriginDialer;
  readonly #spares = new Map<string, { readonly result: DialResult; readonly timer: NodeJS.Timeout }>();

  constructor(dialer: OriginDialer) {
    this.#dialer = dialer;
  }

  dial(request: DialRequest & OriginKey): Promise<DialResult> {
    const text = originKeyText(request);
    const spare = this.#spares.get(text);
    if (spare === undefined || request.alpn?.includes('h2') === true) return this.#dialer.dial(request);
    this.#spares.delete(text);
    clearTimeout(spare.timer);
    const usable = !spare.result.socket.destroyed && spare.result.socket.writable;
    return usable ? Promise.resolve(spare.result) : this.#dialer.dial(request);
  }

  keep(key: OriginKey, result: DialResult): void {
    const text = originKeyText(key);
    const earlier = this.#spares.get(text);
    if (earlier !== undefined) {
      clearTimeout(earlier.timer);
      earlier.result.socket.destroy();
    }
    const timer = setTimeout(() => {
      this.#spares.delete(text);
      result.socket.destroy();
    }, spareMs);
    timer.unref();
    result.socket.on('error', () => {
      // A spare that breaks is found out when it is taken.
    });
    this.#spares.set(text, { result, timer });
  }

  destroy(): void {
    for (const { result, timer } of this.#spares.values()) {
      clearTimeout(timer);
      result.socket.destroy();
    }
    this.#spares.clear();
  }
}
