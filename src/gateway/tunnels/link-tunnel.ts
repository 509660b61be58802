// The gateway's end of one tunnel with its streams, on one connection after another where that was agreed.

import { createHmac, randomBytes } from 'node:crypto';
import { TunnelLink } from '../../net/tunnel-link.ts';
import type { TunnelStream } from '../../net/tunnel-stream.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { LinkFrame, ResumableFrame } from '../../protocol/frame.ts';
import { ignore } from '../../protocol/ignore.ts';
import { resumeIdBytes, resumeSecretBytes } from '../../protocol/resume-frames.ts';
import type { AuthenticatedSession } from '../sessions/session-service.ts';
import type { SigningKey } from '../sessions/signing-key.ts';
import type { DatagramPort } from '../datagrams/datagram-relay.ts';
import { LinkModes, type LinkModesOptions } from './link-modes.ts';
import { handleStream } from './stream-handler.ts';
import type { IdentifiedAgent } from './tunnel-candidate.ts';
import type { StreamParts, StreamPort } from './stream-scene.ts';

export interface LinkTunnelOptions {
  readonly webSocket: WebSocketConnection;
  readonly session: AuthenticatedSession;
  /** What the TLS of the link gives to its two ends alone. */
  readonly exporter: Uint8Array | undefined;
  /** Where it had to show whose it is before. */
  readonly identified?: IdentifiedAgent | undefined;
  readonly parts: StreamParts;
  readonly publicOrigins: readonly string[];
  readonly signingKey: Pick<SigningKey, 'signText'>;
  /** Of the process that has the tunnel. */
  readonly incarnation: string;
  /** A limit was reached. */
  readonly onFault: (error: ProxyError | undefined) => void;
}

/** What was said at the start of a connection already. */
type LinkStart = Pick<LinkModesOptions, 'challenge' | 'tunnelId' | 'identity'>;

export class LinkTunnel {
  readonly sessionId: string;
  readonly endsMs: number;
  readonly link: TunnelLink;
  /** What it goes on by, where it outlives its connection. */
  readonly ticket: ResumableFrame | undefined;
  /** The number of the attempt that last took it on. */
  epoch = 0;
  /** Attempts that have not proven themselves yet. */
  readonly candidates = new Set<WebSocketConnection>();
  readonly #options: LinkTunnelOptions;
  #modes: LinkModes | undefined;
  #waitTimer: NodeJS.Timeout | undefined;

  constructor(options: LinkTunnelOptions) {
    this.#options = options;
    const { webSocket, session, exporter, parts } = options;
    const { principal } = session;
    const { sessionId } = principal;
    this.sessionId = sessionId;
    this.endsMs = session.expiresMs;
    this.link = new TunnelLink({
      webSocket,
      begin: options.identified?.begin,
      role: 'gateway',
      limits: parts.limits,
      spare: parts.held.spare(sessionId),
      unread: parts.unread.counted(sessionId),
      isResumable: webSocket.isResumable,
      onStream: (stream) => {
        void handleStream(
          linkPort(stream, webSocket.agreesOnDatagrams, () => this.#modes),
          principal,
          parts,
        );
      },
      agreesOnModes: webSocket.agreesOnModes,
      onLinkFrame: (frame) => this.#modes?.receive(frame),
      onRefused: (error) => options.onFault(error),
      onReceive: () => parts.loopWatch?.enter(sessionId),
      onDetached: () => this.#waitForLink(),
    });
    const send = (frame: LinkFrame): void => this.link.sendLinkFrame(frame);
    if (webSocket.agreesOnModes && exporter !== undefined)
      this.#modes = this.modesOf(exporter, send, startOf(options.identified));
    if (webSocket.isResumable) this.link.sendLinkFrame((this.ticket = this.#newTicket()));
    void this.link.closed.then(() => {
      clearTimeout(this.#waitTimer);
      for (const candidate of this.candidates) candidate.destroy();
    });
  }

  /** Memory of what the agent has not acknowledged. */
  get keptBytes(): number {
    return this.link.state.output.keptBytes;
  }

  get session(): AuthenticatedSession {
    return this.#options.session;
  }

  get isWaiting(): boolean {
    return this.#waitTimer !== undefined;
  }

  /** The agreement on modes for one connection of the tunnel. */
  modesOf(exporter: Uint8Array, send: (frame: LinkFrame) => void, at: LinkStart = {}): LinkModes {
    const { session, parts, publicOrigins, signingKey } = this.#options;
    return new LinkModes({
      principal: session.principal,
      key: session.key,
      exporter,
      publicOrigins,
      signingKey,
      policy: parts.policy,
      send,
      limits: parts.limits,
      ...at,
    });
  }

  /** A keyed hash by the secret of the tunnel. */
  mac(text: Uint8Array): Uint8Array {
    return createHmac('sha256', this.ticket?.secret ?? randomBytes(resumeSecretBytes))
      .update(text)
      .digest();
  }

  /** Another connection took it on, for which these modes were agreed. */
  takenOn(epoch: number, modes: LinkModes | undefined): void {
    this.epoch = epoch;
    this.#modes = modes;
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
  }

  policyChanged(): void {
    this.#modes?.policyChanged();
  }

  drain(deadlineMs: number): Promise<void> {
    return this.link.drain(deadlineMs);
  }

  dismiss(error: ProxyError): void {
    this.link.dismiss(error);
  }

  destroy(error: ProxyError): void {
    this.link.destroy(error);
  }

  #newTicket(): ResumableFrame {
    return {
      type: 'resumable',
      tunnelId: newTunnelId(this.#options.incarnation),
      secret: new Uint8Array(randomBytes(resumeSecretBytes)),
      windowMs: this.#options.parts.limits.resumeWindowMs,
    };
  }

  /** Streams and what they hold stay for as long as another connection may come. */
  #waitForLink(): void {
    const { resumeWindowMs } = this.#options.parts.limits;
    const late = `no connection took the place of the lost one within ${resumeWindowMs} ms (resumeWindowMs)`;
    clearTimeout(this.#waitTimer);
    this.#waitTimer = setTimeout(() => {
      this.link.destroy(new ProxyError('tunnel_lost', late, { limit: 'resumeWindowMs' }));
    }, resumeWindowMs).unref();
  }
}

function startOf(identified: IdentifiedAgent | undefined): LinkStart {
  if (identified === undefined) return {};
  const { challenge, identity } = identified;
  return { challenge: challenge.challenge, tunnelId: challenge.tunnelId, identity };
}

/** Names who has the tunnel, and is of no other tunnel. */
function newTunnelId(incarnation: string): Uint8Array {
  const id = new Uint8Array(randomBytes(resumeIdBytes));
  id.set(Buffer.from(incarnation, 'hex'));
  return id;
}

function linkPort(
  stream: TunnelStream,
  agreesOnDatagrams: boolean,
  modes: () => LinkModes | undefined,
): StreamPort {
  // Who uses the stream learns it from its own end; an unheard 'error' would end the process.
  stream.on('error', ignore);
  let accepted = false;
  return {
    duplex: stream,
    fields: stream.fields,
    absence: stream.absence,
    ...(agreesOnDatagrams ? { datagrams: datagramsOf(stream) } : {}),
    allowsMode: (mode) => modes()?.allows(mode) ?? false,
    accept: () => {
      accepted = true;
      stream.accept();
    },
    refuse: (error) => {
      if (accepted) stream.reset(error);
      else stream.refuse(error);
    },
    reset: (error) => {
      stream.reset(error);
    },
  };
}

function datagramsOf(stream: TunnelStream): DatagramPort {
  return {
    send: (datagram) => stream.sendDatagram(datagram),
    onDatagram: (take) => void stream.on('datagram', take),
  };
}
