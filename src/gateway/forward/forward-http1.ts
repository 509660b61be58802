// The engine for origins of HTTP/1.1: requests with and without a body, and the switch to WebSocket.

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type {
  ForwardRequest,
  ForwardResult,
  Forwarder,
  ResponseReceiver,
  UpgradeResult,
} from './forwarder.ts';
import { withoutEmptyBody } from './empty-body.ts';
import { Http1Pool } from './http1-pool.ts';
import type { Http1Connection } from './http1-connection.ts';
import { OriginPools, originKeyOf } from './origin-pools.ts';
import type { OriginDialer } from './origin-pools.ts';

type Otherwise = (
  request: ForwardRequest,
  receiver: ResponseReceiver,
  error: unknown,
) => Promise<ForwardResult> | undefined;

export class Http1Forwarder implements Forwarder {
  readonly #pools: OriginPools<Http1Pool>;
  readonly #limits: Limits;
  readonly #otherwise: Otherwise | undefined;

  /** @param otherwise asked what becomes of a request that failed here; undefined: it fails */
  constructor(dialer: OriginDialer, limits: Limits, otherwise?: Otherwise) {
    this.#limits = limits;
    this.#otherwise = otherwise;
    this.#pools = new OriginPools(
      (key) => new Http1Pool(key, dialer, limits),
      (pool) => pool[Symbol.dispose](),
      limits,
    );
  }

  async forward(
    given: ForwardRequest,
    receiver: ResponseReceiver,
    key = originKeyOf(given),
  ): Promise<ForwardResult> {
    // A rewritten body can fail while the connection is waited for, which the exchange then finds.
    given.body?.on('error', () => undefined);
    const request = given.body === undefined ? given : await withoutEmptyBody(given, this.#limits);
    const { pool, release } = this.#pools.use(key);
    try {
      const connection = pool.takeReady(request.signal) ?? (await pool.take(request.signal));
      const { isKept } = connection;
      try {
        await connection.run(request, receiver);
        return { protocol: 'http/1.1' };
      } catch (error) {
        if (!isKept || !mayTryAgain(request, connection, error)) throw error;
      } finally {
        pool.put(connection);
      }
      return await forwardAgain(pool, request, receiver);
    } catch (error) {
      release();
      const other = this.#otherwise?.(given, receiver, error);
      if (other === undefined) throw error;
      return await other;
    } finally {
      release();
    }
  }

  /** Sends an upgrade request; a response other than 101 goes to the receiver as usual. */
  async upgrade(
    request: ForwardRequest,
    protocol: string,
    receiver: ResponseReceiver,
  ): Promise<UpgradeResult> {
    const { pool, release } = this.#pools.use(originKeyOf(request));
    try {
      // A request to switch is not sent twice, so it gets no connection that the origin may be closing.
      const connection = await pool.take(request.signal, true);
      try {
        const bodyless = { ...request, body: undefined, bodyLength: undefined };
        const switched = await connection.run(bodyless, receiver, protocol);
        if (switched === undefined) return { status: 0, rawHeaders: [], protocol: 'http/1.1' };
        return { status: 101, ...switched, protocol: 'http/1.1' };
      } finally {
        pool.put(connection);
      }
    } finally {
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pools[Symbol.dispose]();
  }
}

/** A kept connection that the origin closed just now loses the request; RFC 9112 §9.3.1 allows one more try. */
function mayTryAgain(request: ForwardRequest, connection: Http1Connection, error: unknown): boolean {
  const { method } = request.head;
  return (
    !connection.hasResponded &&
    request.body === undefined &&
    (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') &&
    error instanceof ProxyError &&
    error.code === 'origin_truncated'
  );
}

async function forwardAgain(
  pool: Http1Pool,
  request: ForwardRequest,
  receiver: ResponseReceiver,
): Promise<ForwardResult> {
  const connection = await pool.take(request.signal, true);
  try {
    await connection.run(request, receiver);
    return { protocol: 'http/1.1' };
  } finally {
    pool.put(connection);
  }
}
