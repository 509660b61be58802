// The agent's end of the chunk protocol, behind the same interface as the tunnel's client: one WebSocket for each connection.

import { ResponseReader } from '../../http/response-reader.ts';
import { ChunkStream, chunkStream } from '../../net/chunk-stream.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { chunkSubprotocol, type OpenFields } from '../../protocol/frame.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';
import { askedDelayMs } from './asked-delay.ts';
import { delay } from './delay.ts';
import { DestinationRefused } from './destination-refused.ts';
import type { AgentSession } from './enrol.ts';
import { openGatewayWebSocket } from './gateway-web-socket.ts';
import { noNonceYet } from './session-key.ts';
import { endsSession, reasonOf } from './session-over.ts';

export interface ChunkClientOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
}

/** Connections of one session. `ended` resolves once, when there will be no more. */
export class ChunkClient implements AsyncDisposable {
  readonly #options: ChunkClientOptions;
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<ProxyError | undefined>();
  readonly #streams = new Set<ChunkStream>();
  #endReason: ProxyError | undefined;
  #renewing: Promise<void> | undefined;
  /** The last one that a gateway gave. */
  #nonce = noNonceYet;
  /** Until then connections are spread over gateways that know nothing of each other's nonces. */
  #withoutNonceUntilMs = Number.NEGATIVE_INFINITY;
  /** A gateway that refused for now asked for so long. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  private constructor(options: ChunkClientOptions) {
    this.#options = options;
  }

  /** Opens one WebSocket and closes it again, which proves that the gateway serves this session. Throws why not. */
  static async open(options: ChunkClientOptions, signal?: AbortSignal): Promise<ChunkClient> {
    const client = new ChunkClient(options);
    const webSocket = await client.#connect(signal);
    void webSocket.close();
    return client;
  }

  /** The error that ended it, or undefined after `close`. */
  get ended(): Promise<ProxyError | undefined> {
    return this.#ended.promise;
  }

  /** Each connection is tried for itself. */
  get isUp(): boolean {
    return this.#endReason === undefined;
  }

  /** Throws why there will be no more connections. */
  async whenUp(): Promise<void> {
    if (this.#endReason !== undefined) throw this.#endReason;
  }

  /**
   * Connects, and asks for the destination where the client named one. Throws DestinationRefused for what the gateway refuses, else
   * why it could not be asked, each within the deadlines of a connection.
   */
  async openStream(fields: OpenFields): Promise<ChunkStream> {
    const { limits } = this.#options;
    const webSocket = await this.#connectInSession();
    const stream = chunkStream(webSocket, limits, {
      client: { keepAliveMs: limits.pingIntervalMs, endTimeoutMs: defaultLimits.chunkEndTimeoutMs },
    });
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    // The conversation of a client that sends whole requests to a proxy is its own.
    if (fields.mode === 'proxy') return stream;
    try {
      await askForDestination(stream, fields, limits);
      return stream;
    } catch (error) {
      stream.destroy(asProxyError(error, 'tunnel_lost'));
      throw error;
    }
  }

  /** No new connections, and the open ones are dropped. Harmless when repeated. */
  close(): Promise<void> {
    this.#end(new ProxyError('shutting_down', 'the agent is ending'), undefined);
    return Promise.resolve();
  }

  /** The same, because of an error. */
  destroy(error: ProxyError): void {
    this.#end(error, error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(reason: ProxyError, told: ProxyError | undefined): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#ended.resolve(told);
    this.#abort.abort();
    for (const stream of this.#streams) stream.destroy(reason);
  }

  async #connectInSession(): Promise<WebSocketConnection> {
    await this.whenUp();
    try {
      await this.#asAsked();
      return await this.#connectOrRenew();
    } catch (error) {
      const fault = asProxyError(error);
      this.#notBeforeMs = performance.now() + askedDelayMs(fault, Math.random);
      if (endsSession(fault)) this.destroy(fault);
      throw this.#endReason ?? fault;
    }
  }

  /** A connection is not asked for sooner than the gateway wants to be asked again; it does not wait longer than for a tunnel. */
  async #asAsked(): Promise<void> {
    const leftMs = this.#notBeforeMs - performance.now();
    if (leftMs > 0)
      await delay(Math.min(leftMs, this.#options.limits.tunnelWaitTimeoutMs), this.#abort.signal);
  }

  async #connectOrRenew(): Promise<WebSocketConnection> {
    const { signal } = this.#abort;
    const { session } = this.#options;
    const { access_token: used } = session.response;
    try {
      return await this.#connect(signal);
    } catch (error) {
      if (reasonOf(asProxyError(error)) !== 'token_expired') throw error;
      // After a long sleep; the key still renews, and once for all whose token was the same.
      if (session.response.access_token === used) {
        this.#renewing ??= session.renew(signal).finally(() => {
          this.#renewing = undefined;
        });
        await this.#renewing;
      }
      return await this.#connect(signal);
    }
  }

  /** With a nonce of the gateway. Where another one is reached each time, by proofs that all of them remember. */
  async #connect(signal: AbortSignal | undefined): Promise<WebSocketConnection> {
    if (performance.now() < this.#withoutNonceUntilMs) return await this.#connectOnce(signal, undefined);
    for (let refusals = 0; refusals < defaultLimits.chunkNonceRefusalsMax; refusals += 1) {
      const used = this.#nonce;
      try {
        return await this.#connectOnce(signal, used);
      } catch (error) {
        const isOfNonce = reasonOf(asProxyError(error)) === 'proof_invalid' && this.#nonce !== used;
        if (!isOfNonce) throw error;
      }
    }
    this.#withoutNonceUntilMs = performance.now() + defaultLimits.proofNonceMs;
    return await this.#connectOnce(signal, undefined);
  }

  async #connectOnce(
    signal: AbortSignal | undefined,
    nonce: string | undefined,
  ): Promise<WebSocketConnection> {
    const { session, limits } = this.#options;
    const { webSocket } = await openGatewayWebSocket({
      session,
      limits,
      subprotocol: chunkSubprotocol,
      nonce,
      onNonce: (next) => {
        this.#nonce = next;
      },
      signal,
    });
    // It ended while the gateway took its time.
    if (this.#endReason === undefined) return webSocket;
    webSocket.destroy();
    throw this.#endReason;
  }
}

/** The client's side of CONNECT. What came behind the response is in the stream again. */
async function askForDestination(stream: ChunkStream, fields: OpenFields, limits: Limits): Promise<void> {
  const { authority, via } = fields;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { headTimeoutMs } = limits;
  const timer = setTimeout(() => {
    reject(new ProxyError('timeout', `the gateway did not respond for ${authority} in ${headTimeoutMs} ms`));
  }, headTimeoutMs);
  const reader = new ResponseReader({
    request: { method: 'CONNECT', asksToSwitch: false },
    limits: { headBytesMax: limits.connectHeadBytesMax, headersCountMax: limits.headersCountMax },
    bodyBytesMax: limits.agentBodyBytesMax,
    fault: (reason) => new ProxyError('gateway_protocol', `the gateway's response to CONNECT: ${reason}`),
  });
  const onData = (chunk: Buffer): void => {
    try {
      reader.push(chunk);
    } catch (error) {
      return reject(asProxyError(error));
    }
    if (reader.head === undefined) return;
    if (reader.head.status >= 300) return reader.response === undefined ? undefined : reject(refusal(reader));
    stream.pause();
    if (reader.rest.length > 0) stream.unshift(reader.rest);
    resolve();
  };
  const lost = (error?: Error): void => {
    // A refusal may be cut short; its status and its field are what count.
    if ((reader.head?.status ?? 0) >= 300) return reject(refusal(reader));
    reject(error ?? new ProxyError('tunnel_lost', 'the gateway closed the connection before its response'));
  };
  const onEnd = (): void => lost();
  stream.on('data', onData).on('error', lost).on('end', onEnd).on('close', onEnd);
  const hops = via === undefined ? '' : `Via: ${via}\r\n`;
  stream.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${hops}\r\n`, 'latin1');
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    stream.off('data', onData).off('error', lost).off('end', onEnd).off('close', onEnd);
  }
}

/** The gateway says why in a field, and in the first line of its text. */
function refusal({ head, bodySoFar }: ResponseReader): ProxyError {
  const [line = ''] = Buffer.from(bodySoFar).toString('utf8').split('\n', 1);
  const message = printable(line.replace(/^upstreamproxy: /, ''));
  const code = knownErrorCode(head?.headers.first('x-deny-reason'));
  if (code === undefined)
    return new ProxyError('gateway_protocol', `the gateway refused CONNECT with ${String(head?.status)}`);
  return new DestinationRefused(code, message === '' ? `the gateway refused: ${code}` : message);
}
