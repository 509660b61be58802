// A connection that wants a fresh tunnel: it gets a challenge, and nothing else before it has shown by that whose it is. A copy of its
// upgrade gets no further.

import { randomBytes } from 'node:crypto';
import { MessageFrames } from '../../net/message-frames.ts';
import type { WebSocketConnection, WebSocketHandlers } from '../../net/websocket-connection.ts';
import { closeCode } from '../../net/websocket-frame.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Frame } from '../../protocol/frame.ts';
import { encodeFrame } from '../../protocol/frame-codec.ts';
import { ignore } from '../../protocol/ignore.ts';
import type { Limits } from '../../protocol/limits.ts';
import { challengeBytes } from '../../protocol/link-frames.ts';
import type { Challenge, Identify } from '../../protocol/link-proof.ts';
import { checkIdentity } from '../../protocol/tunnel-identity.ts';
import { encodeGoaway, unexpected } from '../../protocol/tunnel-fault.ts';
import { tunnelIdBytes } from './link-modes.ts';

export interface TunnelCandidateOptions<Tunnel> {
  readonly webSocket: WebSocketConnection;
  readonly sessionId: string;
  readonly limits: Limits;
  /** Whether agents reach this gateway under it. */
  readonly isOwnOrigin: (origin: string) => boolean;
  /** By the key of the session. */
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
  /** Makes the tunnel, which begins before this returns. What it throws the agent is told. */
  readonly open: (identified: IdentifiedAgent) => Tunnel;
  /** Somebody said what is not so. */
  readonly onRefused: (error: ProxyError) => void;
}

/** An agent that has shown for this tunnel that it has the key of the session. */
export interface IdentifiedAgent {
  readonly challenge: Challenge;
  readonly identity: Identify;
  /** Who gets what comes from here on. */
  readonly begin: (handlers: WebSocketHandlers) => void;
}

export class TunnelCandidate<Tunnel> {
  readonly sessionId: string;
  /** What became of it; undefined where that is nothing. */
  readonly tunnel: Promise<Tunnel | undefined>;
  readonly #options: TunnelCandidateOptions<Tunnel>;
  readonly #challenge: Challenge;
  readonly #frames: MessageFrames;
  readonly #timer: NodeJS.Timeout;
  readonly #settle: (tunnel: Tunnel | undefined) => void;
  /** Who gets what comes: the tunnel, once it is there. */
  #handlers: WebSocketHandlers;

  constructor(options: TunnelCandidateOptions<Tunnel>) {
    const { webSocket, limits } = options;
    this.#options = options;
    this.sessionId = options.sessionId;
    ({ promise: this.tunnel, resolve: this.#settle } = Promise.withResolvers<Tunnel | undefined>());
    const challenge = new Uint8Array(randomBytes(challengeBytes));
    this.#challenge = { type: 'challenge', challenge, tunnelId: new Uint8Array(randomBytes(tunnelIdBytes)) };
    this.#frames = new MessageFrames(limits);
    const { handshakeTimeoutMs } = limits;
    const late = `the agent did not identify itself within ${handshakeTimeoutMs} ms (handshakeTimeoutMs)`;
    this.#timer = setTimeout(() => this.refuse(new ProxyError('timeout', late)), handshakeTimeoutMs).unref();
    this.#handlers = {
      onData: (part) => this.#try(() => this.#frames.push(part)),
      onMessageEnd: () => this.#try(() => this.#take(this.#frames.take())),
      onClose: () => this.#leave(undefined),
    };
    webSocket.start({
      onData: (part) => this.#handlers.onData(part),
      onMessageEnd: () => this.#handlers.onMessageEnd(),
      onClose: (error, wasCut) => this.#handlers.onClose(error, wasCut),
    });
    webSocket.sendBinary([encodeFrame(this.#challenge)]);
  }

  /** Ends it, and tells the agent why. */
  refuse(error: ProxyError): void {
    const { webSocket } = this.#options;
    this.#leave(undefined);
    this.#handlers = { onData: ignore, onMessageEnd: ignore, onClose: ignore };
    webSocket.sendBinary([encodeGoaway(0, error.wireCode, error.message)]);
    void webSocket.close(closeCode.protocolError, error.message.slice(0, 100));
  }

  destroy(): void {
    this.#options.webSocket.destroy();
    this.#leave(undefined);
  }

  #take(frames: readonly Frame[]): void {
    const [identity, ...rest] = frames;
    if (identity?.type !== 'identify' || rest.length > 0)
      throw unexpected('something else than the identity of the agent at the start of a tunnel');
    checkIdentity(this.#challenge, identity, this.#options);
    const begin = (handlers: WebSocketHandlers): void => {
      this.#handlers = handlers;
    };
    this.#leave(this.#options.open({ challenge: this.#challenge, identity, begin }));
  }

  #leave(tunnel: Tunnel | undefined): void {
    clearTimeout(this.#timer);
    this.#settle(tunnel);
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      const fault = asProxyError(error);
      this.refuse(fault);
      if (fault.code === 'proof_invalid') this.#options.onRefused(fault);
    }
  }
}
