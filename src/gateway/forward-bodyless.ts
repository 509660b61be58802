// Requests without a body, through undici's `dispatch`: the fastest measured way for responses.

import { Pool, errors } from 'undici';
import type { Dispatcher } from 'undici';
import type { Dialer } from '../net/dialer.ts';
import { hostField } from '../http/authority.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { answerLate, requireClient } from './forwarder.ts';
import type { ForwardRequest, ForwardResult, Forwarder, ResponseReceiver } from './forwarder.ts';
import { OriginPools, originKeyOf } from './origin-pools.ts';
import type { OriginKey } from './origin-pools.ts';

/** Connections to one origin for one principal; browsers use 6, package managers up to 50. */
const connectionsPerOriginMax = 64;
/** Idle upstream connections are given up before common servers close them (5 s), so that fewer requests race. */
const keepAliveMs = 4_000;

interface OriginPool {
  readonly pool: Pool;
  readonly closing: AbortController;
  address: string | undefined;
}

export class BodylessForwarder implements Forwarder {
  readonly #pools: OriginPools<OriginPool>;

  constructor(dialer: Dialer, limits: Limits) {
    this.#pools = new OriginPools(
      (key) => openPool(key, dialer, limits),
      ({ pool, closing }) => {
        closing.abort();
        pool.destroy(new ProxyError('shutting_down', 'the connection pool was closed')).catch(() => {
          // Closing a pool that is closed already is not a fault.
        });
      },
      limits,
    );
  }

  async forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<ForwardResult> {
    const { pool: origin, release } = this.#pools.use(originKeyOf(request));
    try {
      await this.#dispatchWithRetry(origin.pool, request, receiver);
      return { address: origin.address, protocol: 'http/1.1' };
    } finally {
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pools[Symbol.dispose]();
  }

  /** A kept connection that the origin closed just now loses the request; RFC 9112 §9.3.1 allows one more try. */
  async #dispatchWithRetry(pool: Pool, request: ForwardRequest, receiver: ResponseReceiver): Promise<void> {
    const attempt = new Dispatch(request, receiver);
    // On a connection of its own a lost answer is the origin's: trying again would only ask twice.
    const reuses = pool.stats.free > 0;
    try {
      await attempt.run(pool);
    } catch (error) {
      if (!reuses || attempt.answered || !isLostConnection(error) || !isIdempotent(request.head.method))
        throw mapError(error, request);
      try {
        await new Dispatch(request, receiver).run(pool);
      } catch (secondError) {
        throw mapError(secondError, request);
      }
    }
  }
}

function openPool(key: OriginKey, dialer: Dialer, limits: Limits): OriginPool {
  const { destination } = key;
  const closing = new AbortController();
  const origin: OriginPool = {
    address: undefined,
    closing,
    pool: new Pool(`${destination.scheme}://${hostField(destination)}`, {
      connections: connectionsPerOriginMax,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.responseHeadTimeoutMs,
      bodyTimeout: limits.idleTimeoutMs,
      connect: (_options, callback) => {
        dialer.dial({ ...key, alpn: ['http/1.1'], signal: closing.signal }).then(
          ({ socket, address }) => {
            origin.address = address;
            callback(null, socket);
          },
          (error: unknown) => {
            callback(asProxyError(error), null);
          },
        );
      },
    }),
  };
  return origin;
}

/** One dispatch: undici's callbacks to the receiver, and a promise for the end. */
class Dispatch {
  readonly #request: ForwardRequest;
  readonly #receiver: ResponseReceiver;
  answered = false;

  constructor(request: ForwardRequest, receiver: ResponseReceiver) {
    this.#request = request;
    this.#receiver = receiver;
  }

  async run(pool: Pool): Promise<void> {
    const { head, signal } = this.#request;
    requireClient(this.#request);
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    let controllerInUse: Dispatcher.DispatchController | undefined;
    const onAbort = (): void => {
      const error = new ProxyError('cancelled', 'the client went away');
      controllerInUse?.abort(error);
      reject(error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      pool.dispatch(
        {
          path: head.path + head.query,
          // undici's type lists the standard methods; its parser takes any token.
          method: head.method as Dispatcher.HttpMethod,
          headers: ['host', hostField(head.destination), ...head.headers.toRaw()],
          body: null,
        },
        this.#handler((controller) => (controllerInUse = controller), resolve, reject),
      );
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #handler(
    onController: (controller: Dispatcher.DispatchController) => void,
    resolve: (value: undefined) => void,
    reject: (error: unknown) => void,
  ): Dispatcher.DispatchHandler {
    const receiver = this.#receiver;
    const guard = (controller: Dispatcher.DispatchController, step: () => void): void => {
      try {
        step();
      } catch (error) {
        reject(error);
        controller.abort(asProxyError(error));
      }
    };
    return {
      onRequestStart: (controller) => {
        onController(controller);
        if (this.#request.signal.aborted)
          controller.abort(new ProxyError('cancelled', 'the client went away'));
      },
      onResponseStart: (controller, status) => {
        this.answered = true;
        const raw = rawStrings(controller.rawHeaders);
        guard(controller, () => {
          if (status < 200) receiver.onInformation(status, raw);
          else receiver.onHead(status, raw);
        });
      },
      onResponseData: (controller, chunk) => {
        guard(controller, () => {
          const resume = (): void => {
            controller.resume();
          };
          if (!receiver.onData(chunk, resume)) controller.pause();
        });
      },
      onResponseEnd: (controller) => {
        guard(controller, () => {
          receiver.onTrailers(rawStrings(controller.rawTrailers));
          resolve(undefined);
        });
      },
      onResponseError: (_controller, error) => {
        reject(error);
      },
    };
  }
}

function rawStrings(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((item: Buffer | string) => (typeof item === 'string' ? item : item.toString('latin1')));
}

function isLostConnection(error: unknown): boolean {
  return (
    error instanceof errors.SocketError ||
    (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
  );
}

function isIdempotent(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function mapError(error: unknown, request: ForwardRequest): ProxyError {
  if (error instanceof ProxyError) return error;
  const { host } = request.head.destination;
  const cause = { cause: error };
  if (error instanceof errors.HeadersTimeoutError) return answerLate(host, error);
  if (error instanceof errors.BodyTimeoutError) {
    const message = `${host} sent nothing of its answer for too long (idleTimeoutMs)`;
    return new ProxyError('timeout', message, { ...cause, limit: 'idleTimeoutMs' });
  }
  if (error instanceof errors.HeadersOverflowError) {
    return new ProxyError('origin_malformed', `${host} answered with a head that is too large`, cause);
  }
  if (error instanceof errors.HTTPParserError || error instanceof errors.ResponseContentLengthMismatchError) {
    return new ProxyError('origin_malformed', `${host} answered with broken HTTP`, cause);
  }
  return new ProxyError(
    'origin_truncated',
    `${host} closed the connection before its answer was complete`,
    cause,
  );
}
