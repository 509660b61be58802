// The start of a fresh tunnel: the gateway's challenge, then the agent's word whose tunnel it is. What else the agent has to say follows
// without waiting.

import { MessageFrames } from '../../net/message-frames.ts';
import type { WebSocketConnection, WebSocketHandlers } from '../../net/websocket-connection.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { errorCodeOfWire } from '../../protocol/error-table.ts';
import type { Frame } from '../../protocol/frame.ts';
import { encodeFrame } from '../../protocol/frame-codec.ts';
import type { Limits } from '../../protocol/limits.ts';
import { plainModes } from '../../protocol/link-frames.ts';
import type { Challenge } from '../../protocol/link-proof.ts';
import { printable } from '../../protocol/printable.ts';
import { identify, type IdentifyingAgent } from '../../protocol/tunnel-identity.ts';
import { unexpected } from '../../protocol/tunnel-fault.ts';
import type { AgentSession } from './enrol.ts';
import type { GatewayWebSocket } from './gateway-web-socket.ts';

interface FreshTunnel extends GatewayWebSocket {
  readonly session: Pick<AgentSession, 'gateway' | 'signText'>;
  readonly limits: Limits;
  readonly signal: AbortSignal | undefined;
}

/** Says whose it is, where the gateway asks; an earlier one serves at once. What follows does not wait for a reply. */
export async function identifyTunnel(tunnel: FreshTunnel): Promise<IdentifiedLink | undefined> {
  const { webSocket, session, limits, signal } = tunnel;
  if (!webSocket.isChallenged) return undefined;
  const exporter = webSocket.agreesOnModes ? tunnel.exporter : undefined;
  const agent = {
    origin: session.gateway.address.origin,
    exporter,
    modes: exporter === undefined ? [] : plainModes,
    sign: (text: Uint8Array<ArrayBuffer>) => session.signText(text),
  };
  return await identifyLink({ webSocket, agent, limits, signal });
}

export interface IdentifyOptions {
  /** At which nobody has read yet. */
  readonly webSocket: WebSocketConnection;
  readonly agent: IdentifyingAgent;
  readonly limits: Limits;
  readonly signal: AbortSignal | undefined;
}

export interface IdentifiedLink {
  readonly challenge: Challenge;
  /** Who gets what comes from here on; to be called before anything is awaited. */
  readonly begin: (handlers: WebSocketHandlers) => void;
}

/** Throws what the gateway says instead, `timeout` after `handshakeTimeoutMs`, `cancelled` or `tunnel_lost`. */
export async function identifyLink(options: IdentifyOptions): Promise<IdentifiedLink> {
  return await new IdentifiedStart(options).run();
}

class IdentifiedStart {
  readonly #options: IdentifyOptions;
  readonly #frames: MessageFrames;
  readonly #done = Promise.withResolvers<Challenge>();
  #isChallenged = false;
  /** Who gets what comes: the tunnel, once the agent has said whose it is. */
  #handlers: WebSocketHandlers;

  constructor(options: IdentifyOptions) {
    this.#options = options;
    this.#frames = new MessageFrames(options.limits);
    this.#handlers = {
      onData: (part) => this.#try(() => this.#frames.push(part)),
      onMessageEnd: () => this.#try(() => this.#take(this.#frames.take())),
      onClose: (error) => this.#done.reject(error ?? closedBefore()),
    };
  }

  async run(): Promise<IdentifiedLink> {
    const { webSocket, limits, signal } = this.#options;
    const { handshakeTimeoutMs } = limits;
    const late = new ProxyError(
      'timeout',
      `no challenge of the gateway came within ${handshakeTimeoutMs} ms`,
    );
    const timer = setTimeout(() => this.#done.reject(late), handshakeTimeoutMs);
    const onAbort = (): void => this.#done.reject(new ProxyError('cancelled', 'the agent is ending'));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    webSocket.start({
      onData: (part) => this.#handlers.onData(part),
      onMessageEnd: () => this.#handlers.onMessageEnd(),
      onClose: (error, wasCut) => this.#handlers.onClose(error, wasCut),
    });
    try {
      const challenge = await this.#done.promise;
      return { challenge, begin: (handlers) => (this.#handlers = handlers) };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #take(frames: readonly Frame[]): void {
    const [frame, ...rest] = frames;
    if (frame?.type === 'goaway')
      throw new ProxyError(errorCodeOfWire(frame.code), `the gateway says: ${printable(frame.message)}`);
    if (frame?.type !== 'challenge' || rest.length > 0 || this.#isChallenged)
      throw unexpected('something else than one challenge at the start of a tunnel');
    this.#isChallenged = true;
    this.#identify(frame).catch((error: unknown) => this.#done.reject(asProxyError(error)));
  }

  async #identify(challenge: Challenge): Promise<void> {
    const { webSocket, agent } = this.#options;
    webSocket.sendBinary([encodeFrame(await identify(challenge, agent))]);
    this.#done.resolve(challenge);
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#done.reject(asProxyError(error));
    }
  }
}

function closedBefore(): ProxyError {
  return new ProxyError('tunnel_lost', 'the gateway closed the connection before it challenged the agent');
}
