// The gateway's end of the tunnels: authenticated upgrades, one link or one chunk stream each, ended with their session.

import { sessionProblem } from '../../protocol/session-messages.ts';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { formatAuthority } from '../../http/authority.ts';
import { encodeRefusal, encodeResponseHead } from '../../http/response-writer.ts';
import { ProxyHeadReader } from '../../http/proxy-head-reader.ts';
import type { ProxyHead } from '../../http/proxy-head.ts';
import { chunkStream } from '../../net/chunk-stream.ts';
import { linkExporter } from '../../net/link-exporter.ts';
import { TunnelLink } from '../../net/tunnel-link.ts';
import type { TunnelStream } from '../../net/tunnel-stream.ts';
import { acceptWebSocket, refuseUpgrade } from '../../net/websocket-handshake.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../protocol/frame.ts';
import { tunnelPath } from '../../protocol/session-messages.ts';
import { handleStream } from './stream-handler.ts';
import type { StreamParts, StreamPort } from './stream-scene.ts';
import { sessionRequestOf } from '../sessions/session-endpoints.ts';
import type { AuthenticatedSession, SessionService } from '../sessions/session-service.ts';
import type { SigningKey } from '../sessions/signing-key.ts';
import { LinkModes } from './link-modes.ts';
import type { SessionUpgrade, TunnelPlaces } from './tunnel-places.ts';

export interface TunnelServerOptions {
  readonly sessions: SessionService;
  readonly parts: StreamParts;
  /** Origins under which agents reach us, one of which the DPoP proof names. Looked at with each request. */
  readonly publicOrigins: readonly string[];
  /** Signs what is agreed for a tunnel. */
  readonly signingKey: Pick<SigningKey, 'signText'>;
  /** Of one of several processes: where the tunnels of a session are. */
  readonly places?: TunnelPlaces;
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly onSession: () => void;
}

interface OpenTunnel {
  readonly sessionId: string;
  drain(deadlineMs: number): Promise<void>;
  /** Ends it now; the agent learns the reason, where the protocol of the tunnel can say it. */
  dismiss(error: ProxyError): void;
  destroy(error: ProxyError): void;
}

export class TunnelServer {
  readonly #options: TunnelServerOptions;
  readonly #tunnels = new Set<OpenTunnel>();
  #draining = false;

  constructor(options: TunnelServerOptions) {
    this.#options = options;
    options.sessions.onEnded((sessionId, reason) => {
      this.#endSession(sessionId, reason);
    });
  }

  get tunnelCount(): number {
    return this.#tunnels.size;
  }

  /** How many tunnels each session has here; sessions without any are left out. */
  tunnelsBySession(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { sessionId } of this.#tunnels) counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
    return counts;
  }

  /** Takes an HTTP upgrade on the tunnel path; never throws. `onSession` is told once it is known to be one of a living session. */
  async handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onSession: () => void = () => undefined,
  ): Promise<void> {
    socket.on('error', () => {
      socket.destroy();
    });
    try {
      await this.#open({ request, socket, head, onSession });
    } catch (error) {
      this.#refuse(socket, asProxyError(error));
    }
  }

  #refuse(socket: Duplex, fault: ProxyError): void {
    this.#count(fault);
    refuseUpgrade(socket, fault.httpStatus, sessionProblem(fault.code, fault.message));
  }

  /** Agents that end TLS are told where they leave it to the gateway now. */
  policyChanged(): void {
    for (const tunnel of this.#tunnels) if (tunnel instanceof LinkTunnel) tunnel.policyChanged();
  }

  /** New streams go elsewhere; the old ones may finish until the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const own = [...this.#tunnels].map((tunnel) => tunnel.drain(deadlineMs));
    await Promise.all([...own, this.#options.places?.drain(deadlineMs)]);
  }

  destroy(): void {
    this.#draining = true;
    for (const tunnel of this.#tunnels)
      tunnel.destroy(new ProxyError('shutting_down', 'the gateway is ending'));
  }

  async #open({ request, socket, head, onSession }: Upgrade): Promise<void> {
    if (this.#draining) throw draining();
    const { pathname } = new URL(request.url ?? '/', 'https://gateway.invalid');
    if (pathname !== tunnelPath)
      throw new ProxyError('request_malformed', 'there is no WebSocket at this path');
    const { sessions, parts, publicOrigins } = this.#options;
    const session = await sessions.authenticate(
      sessionRequestOf(request, publicOrigins, { nowMs: parts.clock() }),
    );
    onSession();
    const upgrade = { session, request, socket, head, exporter: linkExporter(socket) };
    if ((await this.#options.places?.passOn(upgrade)) === true) return;
    await this.#serve(upgrade);
  }

  /** Takes a tunnel that another process passed on; never throws. */
  async takePassed(upgrade: SessionUpgrade): Promise<void> {
    const { socket } = upgrade;
    try {
      if (this.#draining) throw draining();
      await this.#serve(upgrade);
    } catch (error) {
      this.#refuse(socket, asProxyError(error));
    }
  }

  async #serve({ session, request, socket, head, exporter }: SessionUpgrade): Promise<void> {
    const { parts } = this.#options;
    const { principal } = session;
    this.#checkCount(principal.sessionId);
    const webSocket = acceptWebSocket({
      request,
      socket,
      head,
      subprotocols: [tunnelSubprotocol, chunkSubprotocol],
      // A zero mask is fine inside TLS only (RFC 6455 §5.3 guards plain intermediaries).
      allowZeroMask: 'encrypted' in socket,
      allowModes: exporter !== undefined,
      limits: parts.limits,
    });
    const isChunks = webSocket.subprotocol === chunkSubprotocol;
    const tunnel = isChunks
      ? this.#serveChunks(webSocket, principal)
      : this.#serveLink(webSocket, session, exporter);
    await this.#endIfOver(tunnel);
  }

  /** The session may have ended since it was asked for: nobody could tell a tunnel that was not there yet. */
  async #endIfOver(tunnel: OpenTunnel): Promise<void> {
    try {
      await this.#options.sessions.requireAlive(tunnel.sessionId);
    } catch (error) {
      tunnel.dismiss(asProxyError(error));
      this.#options.places?.ended(tunnel.sessionId);
    }
  }

  /** What ends a tunnel or refuses it has no audit event, but may be a limit that was reached. */
  #count(fault: ProxyError | undefined): void {
    if (fault?.limit !== undefined) this.#options.parts.onLimit?.(fault.limit);
  }

  #checkCount(sessionId: string): void {
    const { tunnelsPerSessionMax, streamsMax } = this.#options.parts.limits;
    const own = [...this.#tunnels].filter((tunnel) => tunnel.sessionId === sessionId);
    const links = own.filter((tunnel) => tunnel instanceof LinkTunnel).length;
    if (links >= tunnelsPerSessionMax)
      throw new ProxyError(
        'limit_exceeded',
        `the session already has ${String(tunnelsPerSessionMax)} tunnels (tunnelsPerSessionMax)`,
        { limit: 'tunnelsPerSessionMax' },
      );
    // Of the seed protocol each is one connection of a client, as a stream is.
    if (own.length - links >= streamsMax)
      throw new ProxyError(
        'stream_limit',
        `the session already has ${String(streamsMax)} connections (streamsMax)`,
        { limit: 'streamsMax' },
      );
  }

  #serveLink(
    webSocket: WebSocketConnection,
    { principal, key }: AuthenticatedSession,
    exporter: Uint8Array | undefined,
  ): OpenTunnel {
    const { parts, publicOrigins, signingKey } = this.#options;
    let modes: LinkModes | undefined;
    const link = new TunnelLink({
      webSocket,
      role: 'gateway',
      limits: parts.limits,
      spare: parts.held.spare(principal.sessionId),
      unread: parts.unread.counted(principal.sessionId),
      onStream: (stream) => {
        void handleStream(linkPort(stream, modes), principal, parts);
      },
      agreesOnModes: webSocket.agreesOnModes,
      onLinkFrame: (frame) => modes?.receive(frame),
      onRefused: (error) => {
        this.#count(error);
      },
      onReceive: () => parts.loopWatch?.enter(principal.sessionId),
    });
    if (webSocket.agreesOnModes && exporter !== undefined)
      modes = new LinkModes({
        principal,
        key,
        exporter,
        publicOrigins,
        signingKey,
        policy: parts.policy,
        send: (frame) => {
          link.sendLinkFrame(frame);
        },
        limits: parts.limits,
      });
    const tunnel = new LinkTunnel(principal.sessionId, link, modes);
    this.#tunnels.add(tunnel);
    void link.closed.then((fault) => {
      this.#count(fault);
      this.#tunnels.delete(tunnel);
    });
    return tunnel;
  }

  #serveChunks(webSocket: WebSocketConnection, principal: Principal): OpenTunnel {
    const { parts } = this.#options;
    const duplex = chunkStream(webSocket, parts.limits, {
      onReceive: () => parts.loopWatch?.enter(principal.sessionId),
    });
    const destroy = (error: ProxyError): void => {
      duplex.destroy(error);
    };
    const tunnel: OpenTunnel = {
      sessionId: principal.sessionId,
      drain: () => Promise.resolve(),
      dismiss: destroy,
      destroy,
    };
    this.#tunnels.add(tunnel);
    duplex.once('close', () => this.#tunnels.delete(tunnel));
    duplex.on('error', () => {
      // The stream's end is told by 'close'.
    });
    void serveChunkStream(duplex, principal, parts);
    return tunnel;
  }

  #endSession(sessionId: string, reason: string): void {
    for (const tunnel of this.#tunnels) {
      if (tunnel.sessionId === sessionId)
        tunnel.dismiss(new ProxyError('session_revoked', `the session ended: ${reason}`));
    }
  }
}

function draining(): ProxyError {
  return new ProxyError('shutting_down', 'the gateway is draining; connect to another one');
}

class LinkTunnel implements OpenTunnel {
  readonly sessionId: string;
  readonly #link: TunnelLink;
  readonly #modes: LinkModes | undefined;

  constructor(sessionId: string, link: TunnelLink, modes: LinkModes | undefined) {
    this.sessionId = sessionId;
    this.#link = link;
    this.#modes = modes;
  }

  policyChanged(): void {
    this.#modes?.policyChanged();
  }

  drain(deadlineMs: number): Promise<void> {
    return this.#link.drain(deadlineMs);
  }

  dismiss(error: ProxyError): void {
    this.#link.dismiss(error);
  }

  destroy(error: ProxyError): void {
    this.#link.destroy(error);
  }
}

function linkPort(stream: TunnelStream, modes: LinkModes | undefined): StreamPort {
  stream.on('error', () => {
    // Who uses the stream learns it from its own end; an unheard 'error' would end the process.
  });
  let accepted = false;
  return {
    duplex: stream,
    fields: stream.fields,
    allowsMode: (mode) => modes?.allows(mode) ?? false,
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

/** `upstreamproxy.chunk`: the client speaks the proxy conversation itself, beginning with CONNECT. */
async function serveChunkStream(duplex: Duplex, principal: Principal, parts: StreamParts): Promise<void> {
  try {
    const { bytes, head } = await readProxyHead(duplex, parts);
    const rest = head.state === 'connect' ? bytes.subarray(head.headBytes) : bytes;
    if (rest.length > 0) duplex.unshift(rest);
    const authority = head.state === 'connect' ? formatAuthority(head.authority) : '';
    const hops = head.state === 'connect' && head.via !== undefined ? { via: head.via } : {};
    await handleStream(chunkPort(duplex, authority, hops), principal, parts);
  } catch (error) {
    const fault = asProxyError(error);
    duplex.end(encodeRefusal(fault, fault.httpStatus));
  }
}

function chunkPort(duplex: Duplex, authority: string, hops: { readonly via?: string }): StreamPort {
  let responded = authority === '';
  return {
    duplex,
    fields: { authority, mode: authority === '' ? 'proxy' : 'raw', ...hops },
    allowsMode: () => false,
    accept: () => {
      if (!responded) duplex.write(encodeResponseHead(200));
      responded = true;
    },
    refuse: (error) => {
      if (responded) duplex.destroy(error);
      else duplex.end(encodeRefusal(error, error.httpStatus));
      responded = true;
    },
    reset: (error) => {
      duplex.destroy(error);
    },
  };
}

interface FirstHead {
  readonly bytes: Buffer;
  readonly head: Exclude<ProxyHead, { state: 'incomplete' }>;
}

async function readProxyHead(duplex: Duplex, parts: StreamParts): Promise<FirstHead> {
  const signal = AbortSignal.timeout(parts.limits.headTimeoutMs);
  const reader = new ProxyHeadReader(parts.limits);
  const onAbort = (): void => {
    duplex.destroy(
      new ProxyError('timeout', 'the first request head did not arrive in time', {
        limit: 'headTimeoutMs',
      }),
    );
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of duplex.iterator({ destroyOnReturn: false })) {
      // The stream gives Buffers: no encoding is set on it.
      const head = reader.push(chunk as Buffer);
      if (head.state !== 'incomplete') return { bytes: Buffer.from(reader.bytes), head };
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  throw new ProxyError('cancelled', 'the client ended before its first request');
}
