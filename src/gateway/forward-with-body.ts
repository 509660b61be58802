// Requests with a body, and upgrades, through node:http's client: its upload path measured better than undici's.

import { Agent, request as httpRequest } from 'node:http';
import type { AgentOptions, ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dialer } from '../net/dialer.ts';
import { hostField } from '../http/authority.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { answerLate, bodyFault, requireClient } from './forwarder.ts';
import type { ForwardRequest, ForwardResult, Forwarder, ResponseReceiver } from './forwarder.ts';
import { OriginPools, originKeyOf } from './origin-pools.ts';
import type { OriginKey } from './origin-pools.ts';

const connectionsPerOriginMax = 64;
const keepAliveMs = 4_000;

/** Connections by our dialer only: the address that was checked is the one that is used. */
class DialAgent extends Agent {
  readonly #key: OriginKey;
  readonly #dialer: Dialer;
  readonly #closing = new AbortController();
  address: string | undefined;

  constructor(key: OriginKey, dialer: Dialer) {
    const options: AgentOptions = {
      keepAlive: true,
      maxSockets: connectionsPerOriginMax,
      timeout: keepAliveMs,
    };
    super(options);
    this.#key = key;
    this.#dialer = dialer;
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    this.#dialer.dial({ ...this.#key, alpn: ['http/1.1'], signal: this.#closing.signal }).then(
      ({ socket, address }) => {
        this.address = address;
        // An answer that is refused while it is read ends the socket when node has let go of it already.
        socket.on('error', () => undefined);
        callback?.(null, socket);
      },
      (error: unknown) => {
        // Node's type demands a stream beside the error; its code reads only the error.
        callback?.(asProxyError(error), undefined as unknown as Duplex);
      },
    );
    return undefined;
  }

  /** A dial that is still under way would come back to an agent that is gone. */
  override destroy(): void {
    this.#closing.abort();
    super.destroy();
  }
}

export interface UpgradeResult {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  /** Present if the origin switched protocols; else the answer went to the receiver. */
  readonly socket?: Duplex;
  readonly head?: Buffer;
  readonly address: string | undefined;
  readonly protocol: ForwardResult['protocol'];
}

export class BodyForwarder implements Forwarder {
  readonly #agents: OriginPools<DialAgent>;
  readonly #limits: Limits;

  constructor(dialer: Dialer, limits: Limits) {
    this.#limits = limits;
    this.#agents = new OriginPools(
      (key) => new DialAgent(key, dialer),
      (agent) => {
        agent.destroy();
      },
      limits,
    );
  }

  async forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<ForwardResult> {
    const { pool: agent, release } = this.#agents.use(originKeyOf(request));
    try {
      const outgoing = this.#start(request, agent, framingFields(request));
      await exchangeBody(outgoing, request, receiver, { limits: this.#limits, mayUpgrade: false });
      return { address: agent.address, protocol: 'http/1.1' };
    } finally {
      release();
    }
  }

  /** Sends an upgrade request; an answer other than 101 goes to the receiver as usual. */
  async upgrade(
    request: ForwardRequest,
    protocol: string,
    receiver: ResponseReceiver,
  ): Promise<UpgradeResult> {
    const { pool: agent, release } = this.#agents.use(originKeyOf(request));
    try {
      const outgoing = this.#start(request, agent, ['connection', 'Upgrade', 'upgrade', protocol]);
      const { promise, resolve, reject } = Promise.withResolvers<UpgradeResult>();
      outgoing.once('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
        const { statusCode: status = 0, rawHeaders } = response;
        // It is nobody's until its user listens, and may break at any moment.
        socket.on('error', () => undefined);
        resolve({ status, rawHeaders, socket, head, address: agent.address, protocol: 'http/1.1' });
      });
      const options = { limits: this.#limits, mayUpgrade: true };
      const answered = exchangeBody(outgoing, request, receiver, options).then(() => {
        resolve({ status: 0, rawHeaders: [], address: agent.address, protocol: 'http/1.1' });
      });
      answered.catch(reject);
      return await promise;
    } finally {
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agents[Symbol.dispose]();
  }

  #start(request: ForwardRequest, agent: DialAgent, extra: readonly string[]): ClientRequest {
    requireClient(request);
    const { head } = request;
    return httpRequest({
      agent,
      host: head.destination.host,
      port: head.destination.port,
      method: head.method,
      path: head.path + head.query,
      setHost: false,
      maxHeaderSize: this.#limits.headBytesMax,
      // Name, value, name, value …: order and case stay as they were.
      headers: ['host', hostField(head.destination), ...head.headers.toRaw(), ...extra],
    });
  }
}

function framingFields(request: ForwardRequest): string[] {
  if (request.body === undefined) return [];
  if (request.bodyLength === undefined) return ['transfer-encoding', 'chunked'];
  return ['content-length', String(request.bodyLength)];
}

interface ExchangeOptions {
  readonly limits: Limits;
  /** A 101 is an answer to the request. */
  readonly mayUpgrade: boolean;
}

/** Pumps both directions; resolves when the response is complete, or when the connection was upgraded. */
async function exchangeBody(
  outgoing: ClientRequest,
  request: ForwardRequest,
  receiver: ResponseReceiver,
  { limits, mayUpgrade }: ExchangeOptions,
): Promise<void> {
  const { host } = request.head.destination;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let isOver = false;
  const fail = (error: unknown): void => {
    isOver = true;
    const mapped = mapError(error, host);
    reject(mapped);
    outgoing.destroy(mapped);
  };
  const onAbort = (): void => {
    fail(new ProxyError('cancelled', 'the client went away'));
  };
  request.signal.addEventListener('abort', onAbort, { once: true });
  outgoing.on('error', fail);
  outgoing.on('information', ({ statusCode, rawHeaders }) => {
    try {
      receiver.onInformation(statusCode, rawHeaders);
    } catch (error) {
      fail(error);
    }
  });
  outgoing.once('upgrade', (_response, socket: Duplex) => {
    if (mayUpgrade) {
      resolve(undefined);
      return;
    }
    socket.on('error', () => undefined).destroy();
    fail(
      new ProxyError(
        'origin_malformed',
        `${host} switched to a protocol that was not asked for, so its answer is refused`,
      ),
    );
  });
  outgoing.once('response', (response) => {
    // What was read together with what ended the request is parsed to its end.
    if (isOver) response.on('error', () => undefined).destroy();
    else receiveResponse(response, receiver, { resolve, fail, host });
  });
  outgoing.once('close', () => {
    fail(new ProxyError('origin_truncated', `${host} closed the connection before its answer was complete`));
  });
  outgoing.setTimeout(limits.responseHeadTimeoutMs, () => {
    fail(answerLate(host));
  });
  const stopSending = sendBody(outgoing, request, fail);
  try {
    await promise;
  } finally {
    request.signal.removeEventListener('abort', onAbort);
    stopSending();
    // An early final answer: what is left of the body must not become the next request.
    if (!outgoing.writableFinished && outgoing.socket !== null && !outgoing.destroyed) outgoing.destroy();
  }
}

/** Gives what ends the sending. */
function sendBody(
  outgoing: ClientRequest,
  request: ForwardRequest,
  fail: (error: unknown) => void,
): () => void {
  const { body } = request;
  if (body === undefined) {
    outgoing.end();
    return () => undefined;
  }
  const onFault = (error: unknown): void => {
    fail(bodyFault(error));
  };
  const onEnd = (): void => {
    try {
      const trailers = request.trailers?.() ?? [];
      for (let i = 0; i + 1 < trailers.length; i += 2)
        outgoing.addTrailers([[trailers[i] ?? '', trailers[i + 1] ?? '']]);
      outgoing.end();
    } catch (error) {
      fail(error);
    }
  };
  const onData = (chunk: Buffer): void => {
    try {
      request.onBodyBytes?.(chunk.length);
    } catch (error) {
      fail(error);
    }
  };
  body.once('error', onFault);
  // A rewritten body can be found wrong before the connection stands.
  if (body.errored !== null) onFault(body.errored);
  // Not before the connection stands: an origin that wants another protocol refuses it, and then gets the body whole.
  outgoing.once('socket', () => {
    body.once('end', onEnd).on('data', onData).pipe(outgoing, { end: false });
  });
  return () => {
    body.unpipe(outgoing).off('error', onFault).off('end', onEnd).off('data', onData);
  };
}

interface ResponseEnd {
  readonly resolve: (value: undefined) => void;
  readonly fail: (error: unknown) => void;
  readonly host: string;
}

function receiveResponse(response: IncomingMessage, receiver: ResponseReceiver, end: ResponseEnd): void {
  const resume = (): void => {
    response.resume();
  };
  try {
    receiver.onHead(response.statusCode ?? 0, response.rawHeaders);
  } catch (error) {
    end.fail(error);
    return;
  }
  response.on('data', (chunk: Buffer) => {
    try {
      if (!receiver.onData(chunk, resume)) response.pause();
    } catch (error) {
      end.fail(error);
    }
  });
  response.once('error', end.fail);
  response.once('end', () => {
    if (!response.complete) {
      end.fail(new ProxyError('origin_truncated', `${end.host} ended its answer before it was complete`));
      return;
    }
    try {
      receiver.onTrailers(response.rawTrailers);
      end.resolve(undefined);
    } catch (error) {
      end.fail(error);
    }
  });
}

function mapError(error: unknown, host: string): ProxyError {
  if (error instanceof ProxyError) return error;
  const cause = { cause: error };
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('HPE_'))
    return new ProxyError('origin_malformed', `${host} answered with broken HTTP`, cause);
  return new ProxyError(
    'origin_truncated',
    `${host} closed the connection before its answer was complete`,
    cause,
  );
}
