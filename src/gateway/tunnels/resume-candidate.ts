// A connection that wants to take a tunnel on: it proves the key of the session and the secret of the tunnel, each for this attempt,
// before anything of the tunnel is touched.

import { randomBytes } from 'node:crypto';
import { MessageFrames } from '../../net/message-frames.ts';
import type { WebSocketConnection, WebSocketHandlers } from '../../net/websocket-connection.ts';
import { closeCode } from '../../net/websocket-frame.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Frame, LinkFrame } from '../../protocol/frame.ts';
import { encodeFrame } from '../../protocol/frame-codec.ts';
import { ignore } from '../../protocol/ignore.ts';
import type { Limits } from '../../protocol/limits.ts';
import { challengeBytes } from '../../protocol/link-frames.ts';
import {
  checkClaim,
  confirmResume,
  type ResumeAttempt,
  type ResumeFrame,
} from '../../protocol/resume-proof.ts';
import { encodeGoaway, unexpected } from '../../protocol/tunnel-fault.ts';
import type { LinkModes } from './link-modes.ts';
import type { LinkTunnel } from './link-tunnel.ts';

export interface ResumeCandidateOptions {
  readonly webSocket: WebSocketConnection;
  readonly tunnel: LinkTunnel;
  readonly tunnelId: Uint8Array;
  readonly epoch: number;
  readonly exporter: Uint8Array | undefined;
  readonly limits: Limits;
  /** By the key of the session. */
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
  readonly onResumed: () => void;
  /** Somebody said what is not so. */
  readonly onRefused: (error: ProxyError) => void;
}

/** Challenges whoever connected; what it proves it gets. */
export function challengeCandidate(options: ResumeCandidateOptions): void {
  new ResumeCandidate(options).start();
}

class ResumeCandidate {
  readonly #options: ResumeCandidateOptions;
  readonly #attempt: ResumeAttempt;
  readonly #frames: MessageFrames;
  readonly #timer: NodeJS.Timeout;
  /** What goes into the next message, until the tunnel has the connection. */
  #sending: Frame[] = [];
  #modes: LinkModes | undefined;
  /** Who gets what comes: the tunnel, once it was taken on. */
  #handlers: WebSocketHandlers;

  constructor(options: ResumeCandidateOptions) {
    this.#options = options;
    const { webSocket, tunnel, tunnelId, epoch, exporter, limits } = options;
    const challenge = new Uint8Array(randomBytes(challengeBytes));
    this.#attempt = { tunnelId, epoch, challenge };
    this.#frames = new MessageFrames(limits);
    tunnel.candidates.add(webSocket);
    this.#timer = setTimeout(() => webSocket.destroy(), limits.handshakeTimeoutMs).unref();
    this.#handlers = {
      onData: (part) => this.#try(() => this.#frames.push(part)),
      onMessageEnd: () => this.#try(() => this.#take(this.#frames.take())),
      onClose: () => this.#leave(),
    };
    if (webSocket.agreesOnModes && exporter !== undefined)
      this.#modes = tunnel.modesOf(exporter, (frame) => this.#send(frame), { challenge, tunnelId });
    else this.#sending.push({ type: 'challenge', challenge, tunnelId });
  }

  start(): void {
    const { webSocket } = this.#options;
    webSocket.start({
      onData: (part) => this.#handlers.onData(part),
      onMessageEnd: () => this.#handlers.onMessageEnd(),
      onClose: (error, wasCut) => this.#handlers.onClose(error, wasCut),
    });
    this.#flush();
  }

  #take(frames: readonly Frame[]): void {
    const claim = frames.at(-1);
    if (claim?.type !== 'resume') throw unexpected('something else than a claim to a tunnel');
    for (const frame of frames.slice(0, -1)) {
      if (frame.type !== 'prove' || this.#modes === undefined)
        throw unexpected(`${frame.type} before a claim to a tunnel`);
      this.#modes.receive(frame);
    }
    this.#takeOn(claim);
  }

  /** In this order: the old connection is silent before it is said how much came on it. */
  #takeOn(claim: ResumeFrame): void {
    const { webSocket, tunnel, epoch, verify } = this.#options;
    const mac = (text: Uint8Array): Uint8Array => tunnel.mac(text);
    const count = checkClaim(this.#attempt, claim, { verify, mac });
    if (epoch <= tunnel.epoch) throw staleAttempt();
    const { link } = tunnel;
    if (link.isOver) throw new ProxyError('resume_unknown', 'the tunnel has ended meanwhile');
    link.detach();
    const isProven = this.#modes?.allows('http1') === true && this.#modes.allows('http2');
    if (link.state.carriedPlainModes && !isProven) {
      const error = unprovenLink();
      tunnel.destroy(error);
      throw error;
    }
    this.#leave();
    this.#sending.push(confirmResume(this.#attempt, link.state.receivedBytes, mac));
    this.#flush();
    tunnel.takenOn(epoch, this.#modes);
    this.#handlers = link.attach(webSocket, count);
    if (link.isOver) this.#options.onRefused(impossibleClaim());
    else this.#options.onResumed();
  }

  #send(frame: LinkFrame): void {
    const { tunnel, webSocket } = this.#options;
    if (tunnel.candidates.has(webSocket)) this.#sending.push(frame);
    else tunnel.link.sendLinkFrame(frame);
  }

  #flush(): void {
    const parts = this.#sending.map((frame) => encodeFrame(frame));
    this.#sending = [];
    this.#options.webSocket.sendBinary(parts);
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#options.tunnel.candidates.delete(this.#options.webSocket);
  }

  /** A candidate that fails leaves the tunnel as it is. */
  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      const fault = asProxyError(error);
      const { webSocket, onRefused } = this.#options;
      this.#leave();
      this.#handlers = { onData: ignore, onMessageEnd: ignore, onClose: ignore };
      webSocket.sendBinary([encodeGoaway(0, fault.wireCode, fault.message)]);
      void webSocket.close(closeCode.protocolError, fault.message.slice(0, 100));
      onRefused(fault);
    }
  }
}

export function staleAttempt(): ProxyError {
  return new ProxyError('resume_refused', 'a later attempt has taken the tunnel on already');
}

function unprovenLink(): ProxyError {
  return new ProxyError(
    'resume_refused',
    'the tunnel carried plaintext of TLS that ended in the agent, and it is not proven where the TLS of this connection ends',
  );
}

function impossibleClaim(): ProxyError {
  return new ProxyError('resume_refused', 'whoever took the tunnel on counts octets that cannot be');
}
