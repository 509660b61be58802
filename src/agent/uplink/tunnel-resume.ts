// One attempt of the agent to go on with a tunnel upon another connection. docs/reference/wire.md has the order of what is said.

import { createHmac } from 'node:crypto';
import { MessageFrames } from '../../net/message-frames.ts';
import { resumeNameOf } from '../../net/resume-name.ts';
import type { TunnelLink } from '../../net/tunnel-link.ts';
import type { WebSocketConnection, WebSocketHandlers } from '../../net/websocket-connection.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { errorCodeOfWire } from '../../protocol/error-table.ts';
import { type Frame, type LinkFrame, type ResumableFrame, tunnelSubprotocol } from '../../protocol/frame.ts';
import { encodeFrame } from '../../protocol/frame-codec.ts';
import type { Limits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';
import { checkConfirmation, claimResume, type ResumeAttempt } from '../../protocol/resume-proof.ts';
import { unexpected } from '../../protocol/tunnel-fault.ts';
import type { AgentSession } from './enrol.ts';
import { openGatewayWebSocket } from './gateway-web-socket.ts';
import type { LinkAgreement } from './link-agreement.ts';

export interface TunnelResumeOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
  /** Without a connection. */
  readonly link: TunnelLink;
  readonly ticket: ResumableFrame;
  /** The number of the attempt: never used before for this tunnel. */
  readonly epoch: number;
  readonly asksForModes: boolean;
  readonly signal: AbortSignal;
  /** Makes the agreement on modes for the connection. */
  readonly agreeOn: (
    exporter: Uint8Array,
    send: (frame: LinkFrame) => void,
    onFault: (error: ProxyError) => void,
  ) => LinkAgreement;
  /** The tunnel goes on; called before anything of its new connection comes. */
  readonly onGoesOn: (agreement: LinkAgreement | undefined) => void;
}

/**
 * Resolves when the tunnel goes on. Throws `resume_refused` if it never will, `resume_unknown` if it will not at the gateway that was reached,
 * anything else if another attempt may do better.
 */
export async function resumeTunnel(options: TunnelResumeOptions): Promise<void> {
  const { ticket, epoch } = options;
  const { webSocket, exporter } = await openGatewayWebSocket({
    ...options,
    subprotocol: tunnelSubprotocol,
    resume: resumeNameOf({ tunnelId: ticket.tunnelId, epoch }),
  });
  const claimant = new ResumeClaimant(options, webSocket, exporter);
  try {
    await claimant.run();
  } catch (error) {
    webSocket.destroy();
    throw error;
  }
}

class ResumeClaimant {
  readonly #options: TunnelResumeOptions;
  readonly #webSocket: WebSocketConnection;
  readonly #frames: MessageFrames;
  readonly #done = Promise.withResolvers<void>();
  readonly #agreement: LinkAgreement | undefined;
  readonly #proven = Promise.withResolvers<LinkFrame | undefined>();
  #attempt: ResumeAttempt | undefined;
  /** Who gets what comes: the tunnel, once it goes on. */
  #handlers: WebSocketHandlers;

  constructor(
    options: TunnelResumeOptions,
    webSocket: WebSocketConnection,
    exporter: Uint8Array | undefined,
  ) {
    this.#options = options;
    this.#webSocket = webSocket;
    this.#frames = new MessageFrames(options.limits);
    if (webSocket.agreesOnModes && exporter !== undefined)
      this.#agreement = options.agreeOn(
        exporter,
        (frame) => this.#proven.resolve(frame),
        (error) => this.#done.reject(error),
      );
    else this.#proven.resolve(undefined);
    this.#handlers = {
      onData: (part) => this.#try(() => this.#frames.push(part)),
      onMessageEnd: () => this.#try(() => this.#take(this.#frames.take())),
      onClose: (error) =>
        this.#done.reject(error ?? new ProxyError('tunnel_lost', 'the gateway closed the connection')),
    };
  }

  async run(): Promise<void> {
    const { limits, signal } = this.#options;
    const { handshakeTimeoutMs } = limits;
    if (!this.#webSocket.isResumable)
      throw new ProxyError('tunnel_lost', 'the gateway that was reached does not go on with tunnels');
    const late = new ProxyError('timeout', `no tunnel goes on within ${handshakeTimeoutMs} ms`);
    const timer = setTimeout(() => this.#done.reject(late), handshakeTimeoutMs);
    const onAbort = (): void => this.#done.reject(new ProxyError('cancelled', 'the agent is ending'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#webSocket.start({
      onData: (part) => this.#handlers.onData(part),
      onMessageEnd: () => this.#handlers.onMessageEnd(),
      onClose: (error, wasCut) => this.#handlers.onClose(error, wasCut),
    });
    try {
      await this.#done.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #take(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.type === 'goaway')
        throw new ProxyError(errorCodeOfWire(frame.code), `the gateway says: ${printable(frame.message)}`);
    }
    if (this.#attempt === undefined) this.#claim(frames);
    else this.#goOn(frames, this.#attempt);
  }

  #claim([frame, ...rest]: readonly Frame[]): void {
    const { ticket, epoch } = this.#options;
    if (frame?.type !== 'challenge' || rest.length > 0)
      throw unexpected('no challenge at the start of a link');
    if (!isSame(frame.tunnelId, ticket.tunnelId)) throw unexpected('a challenge for another tunnel');
    const attempt = { tunnelId: ticket.tunnelId, epoch, challenge: frame.challenge };
    this.#attempt = attempt;
    this.#agreement?.receive(frame);
    this.#sendClaim(attempt).catch((error: unknown) => this.#done.reject(asProxyError(error)));
  }

  /** No connection but this one can bring anything from here on: the tunnel has none, and there is one attempt at a time. */
  async #sendClaim(attempt: ResumeAttempt): Promise<void> {
    const { session, link } = this.#options;
    const proof = await this.#proven.promise;
    const claim = await claimResume(attempt, link.state.receivedBytes, {
      sign: (text) => session.signText(text),
      mac: (text) => this.#mac(text),
    });
    const frames = proof === undefined ? [claim] : [proof, claim];
    this.#webSocket.sendBinary(frames.map((frame) => encodeFrame(frame)));
  }

  #goOn(frames: readonly Frame[], attempt: ResumeAttempt): void {
    const { link } = this.#options;
    const confirmation = frames.at(-1);
    if (confirmation?.type !== 'resume') throw unexpected('no confirmation of a claim');
    for (const frame of frames.slice(0, -1)) {
      if ((frame.type !== 'agree' && frame.type !== 'hosts') || this.#agreement === undefined)
        throw unexpected(`${frame.type} before the confirmation of a claim`);
      this.#agreement.receive(frame);
    }
    const count = checkConfirmation(attempt, confirmation, (text) => this.#mac(text));
    if (link.isOver) throw new ProxyError('resume_unknown', 'the tunnel has ended meanwhile');
    if (link.state.carriedPlainModes && this.#agreement?.isProven !== true)
      return this.#unproven(this.#agreement);
    this.#options.onGoesOn(this.#agreement);
    this.#handlers = link.attach(this.#webSocket, count);
    this.#done.resolve();
  }

  /** A gateway that has switched its signing key proves itself at the next attempt: its keys are asked for now. What comes here is left alone. */
  #unproven(agreement: LinkAgreement | undefined): void {
    if (agreement?.isReconsidering !== true) throw unprovenLink();
    this.#handlers = { ...this.#handlers, onData: () => undefined, onMessageEnd: () => undefined };
    void agreement.judged.then(() => {
      const known = new ProxyError('tunnel_lost', 'the gateway has switched its signing key');
      this.#done.reject(agreement.isProven ? known : unprovenLink());
    });
  }

  #mac(text: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#options.ticket.secret).update(text).digest();
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#done.reject(asProxyError(error));
    }
  }
}

function unprovenLink(): ProxyError {
  const why = 'it is not proven that the TLS of this connection ends in the gateway';
  return new ProxyError('resume_refused', why);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}
