// The gateway's end of the tunnels: authenticated upgrades, one link or one chunk stream each, ended with their session.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { linkExporter } from '../../net/link-exporter.ts';
import { parseResumeName, type ResumeName } from '../../net/resume-name.ts';
import {
  acceptWebSocket,
  challengeField,
  type HandshakeField,
  resumeField,
} from '../../net/websocket-handshake.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../protocol/frame.ts';
import { tunnelPath } from '../../protocol/session-messages.ts';
import { openChunkTunnel } from './chunk-tunnel.ts';
import { LinkTunnel } from './link-tunnel.ts';
import type { OpenTunnel } from './open-tunnel.ts';
import { challengeCandidate, staleAttempt } from './resume-candidate.ts';
import type { StreamParts } from './stream-scene.ts';
import { sessionRequestOf } from '../sessions/session-endpoints.ts';
import type { AuthenticatedSession, SessionService } from '../sessions/session-service.ts';
import { verifierOf } from '../sessions/session-signature.ts';
import type { SigningKey } from '../sessions/signing-key.ts';
import type { IdentifiedAgent } from './tunnel-candidate.ts';
import { TunnelCandidates } from './tunnel-candidates.ts';
import type { SessionUpgrade, TunnelPlaces } from './tunnel-places.ts';
import { draining, nonceFields, noTunnel, refuseTunnel, tunnelLimit } from './tunnel-refusals.ts';

/** `unknown`: the tunnel is not here. */
export type ResumeOutcome = 'resumed' | 'refused' | 'unknown';

export interface TunnelServerOptions {
  readonly sessions: SessionService;
  readonly parts: StreamParts;
  /** Origins under which agents reach us, one of which the DPoP proof names. Looked at with each request. */
  readonly publicOrigins: readonly string[];
  /** Signs what is agreed for a tunnel. */
  readonly signingKey: Pick<SigningKey, 'signText'>;
  /** What became of an attempt to go on with a tunnel. */
  readonly onResume?: (outcome: ResumeOutcome) => void;
  /** Somebody of a living session wanted to take on a tunnel that is not its own, or without the proofs. */
  readonly onResumeRefused?: (error: ProxyError, who: Pick<Principal, 'sessionId' | 'id'>) => void;
  /** Of this process, in the ids of its tunnels. */
  readonly incarnation: string;
  /** Of one of several processes: where the tunnels of a session are. */
  readonly places?: TunnelPlaces;
}

/** An upgrade that another gateway leads here, for a tunnel that is here: whose that is, this one knows itself. */
export interface SplicedUpgrade extends Omit<SessionUpgrade, 'session'> {
  /** Who asked, as the other one has authenticated. */
  readonly session: Pick<Principal, 'sessionId' | 'id'>;
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly onSession: () => void;
}

export class TunnelServer {
  readonly #options: TunnelServerOptions;
  readonly #tunnels = new Set<OpenTunnel>();
  /** Those that outlive their connection, by their id. */
  readonly #resumable = new Map<string, LinkTunnel>();
  readonly #candidates = new TunnelCandidates<LinkTunnel>();
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

  /** Tunnels that wait for another connection. */
  get waitingCount(): number {
    return [...this.#resumable.values()].filter(({ isWaiting }) => isWaiting).length;
  }

  /** Memory of what agents have not acknowledged. */
  get keptBytes(): number {
    return [...this.#resumable.values()].reduce((sum, { keptBytes }) => sum + keptBytes, 0);
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
    refuseTunnel(socket, fault);
  }

  /** Agents that end TLS are told where they leave it to the gateway now. */
  policyChanged(): void {
    for (const tunnel of this.#tunnels) if (tunnel instanceof LinkTunnel) tunnel.policyChanged();
  }

  /**
   * New streams go elsewhere; the old ones may finish until the deadline. Tunnels are told one after the other, as each goes elsewhere with
   * a handshake; `onTold` is called behind the last one.
   */
  async drain(deadlineMs: number, onTold?: () => void): Promise<void> {
    this.#draining = true;
    const beganMs = performance.now();
    const leftMs = (): number => Math.max(1, deadlineMs - (performance.now() - beganMs));
    const elsewhere = this.#options.places?.drain(deadlineMs);
    // What they become meanwhile is in no list of before.
    const candidates = this.#candidates.drain(leftMs);
    const tunnels = [...this.#tunnels];
    const { drainedTunnelsPerSecond } = this.#options.parts.limits;
    const stepMs = Math.min(1000 / drainedTunnelsPerSecond, deadlineMs / 3 / tunnels.length);
    const drained: Promise<void>[] = [];
    for (const [i, tunnel] of tunnels.entries()) {
      const earlyMs = i * stepMs - (performance.now() - beganMs);
      if (earlyMs >= 1) await wait(earlyMs);
      drained.push(tunnel.drain(leftMs()));
    }
    onTold?.();
    await Promise.all([...drained, candidates, elsewhere]);
  }

  /** Ends every tunnel, and refuses none: whether another one may be had is for the session to say. */
  dismissAll(error: ProxyError): void {
    this.#candidates.refuse(error);
    for (const tunnel of this.#tunnels) tunnel.dismiss(error);
  }

  /** Ends those whose session has had its time, which the store would have said. */
  dismissOver(nowMs: number): void {
    for (const tunnel of this.#tunnels)
      if (nowMs >= tunnel.endsMs)
        tunnel.dismiss(new ProxyError('session_unknown', 'the session reached its longest life'));
  }

  destroy(): void {
    this.#draining = true;
    this.#candidates.destroy();
    for (const tunnel of this.#tunnels)
      tunnel.destroy(new ProxyError('shutting_down', 'the gateway is ending'));
  }

  async #open({ request, socket, head, onSession }: Upgrade): Promise<void> {
    // What is here already may come back while it ends.
    if (this.#draining && parseResumeName(request.headers[resumeField]) === undefined) throw draining();
    const { pathname } = new URL(request.url ?? '/', 'https://gateway.invalid');
    if (pathname !== tunnelPath)
      throw new ProxyError('request_malformed', 'there is no WebSocket at this path');
    const { sessions, parts, publicOrigins } = this.#options;
    const session = await sessions.authenticate({
      ...sessionRequestOf(request, publicOrigins, { nowMs: parts.clock() }),
      canChallenge: true,
    });
    onSession();
    const upgrade = { session, request, socket, head, exporter: linkExporter(socket) };
    if ((await this.#options.places?.passOn(upgrade)) === true) return;
    await this.#serve(upgrade);
  }

  /** Takes a tunnel that another process passed on; never throws. */
  async takePassed(upgrade: SessionUpgrade): Promise<void> {
    const { socket } = upgrade;
    try {
      await this.#serve(upgrade);
    } catch (error) {
      this.#refuse(socket, asProxyError(error));
    }
  }

  /** Takes a connection on which another gateway leads an agent here; never throws, and never leads on. */
  takeSpliced(upgrade: SplicedUpgrade): void {
    const { session, request, socket } = upgrade;
    try {
      const name = parseResumeName(request.headers[resumeField]);
      if (name === undefined) throw new ProxyError('request_malformed', 'it names no tunnel');
      this.#takeOn({ ...upgrade, who: session }, name);
    } catch (error) {
      this.#refuse(socket, asProxyError(error));
    }
  }

  async #serve(upgrade: SessionUpgrade): Promise<void> {
    const { session, request, exporter } = upgrade;
    const { principal, isChallenged = false } = session;
    const name = parseResumeName(request.headers[resumeField]);
    if (name !== undefined) return this.#takeOn({ ...upgrade, who: principal }, name);
    if (this.#draining) throw draining();
    this.#checkCount(principal.sessionId, isChallenged ? 'later' : 'now');
    const nextNonce = (subprotocol: string): readonly HandshakeField[] =>
      subprotocol === chunkSubprotocol
        ? nonceFields(this.#options.sessions.nonceFor(principal.sessionId))
        : [];
    // The other protocol has no challenge: what is worth nothing without one opens none of its connections.
    if (isChallenged) {
      this.#candidates.checkCount(principal.sessionId, this.#options.parts.limits.tunnelsPerSessionMax);
      return this.#challenge(
        this.#accept(upgrade, [tunnelSubprotocol], () => [challengeField]),
        upgrade,
      );
    }
    const webSocket = this.#accept(upgrade, [tunnelSubprotocol, chunkSubprotocol], nextNonce);
    const tunnel =
      webSocket.subprotocol === chunkSubprotocol
        ? this.#serveChunks(webSocket, session)
        : this.#serveLink(webSocket, session, exporter);
    await this.#endIfOver(tunnel, session);
  }

  /** Nothing is served, nothing ends and nobody makes room before the agent has shown that it has the key of the session. */
  #challenge(webSocket: WebSocketConnection, { session, exporter }: SessionUpgrade): void {
    const { parts, publicOrigins, onResumeRefused } = this.#options;
    const { principal, key } = session;
    this.#candidates.add({
      webSocket,
      sessionId: principal.sessionId,
      limits: parts.limits,
      isOwnOrigin: (origin) => publicOrigins.includes(origin),
      verify: verifierOf(key),
      open: (identified) => {
        this.#checkCount(principal.sessionId, 'now');
        const tunnel = this.#serveLink(webSocket, session, exporter, identified);
        void this.#endIfOver(tunnel, session);
        return tunnel;
      },
      onRefused: (error) => onResumeRefused?.(error, principal),
    });
  }

  #serveChunks(webSocket: WebSocketConnection, { principal, expiresMs }: AuthenticatedSession): OpenTunnel {
    const onEnd = (): void => void this.#tunnels.delete(tunnel);
    const tunnel = openChunkTunnel({ webSocket, principal, expiresMs, parts: this.#options.parts, onEnd });
    this.#tunnels.add(tunnel);
    return tunnel;
  }

  #accept(
    { request, socket, head, exporter }: Omit<SessionUpgrade, 'session'>,
    subprotocols: readonly string[],
    extraFields: (subprotocol: string) => readonly HandshakeField[] = () => [],
  ): WebSocketConnection {
    const { limits } = this.#options.parts;
    return acceptWebSocket({
      request,
      socket,
      head,
      subprotocols,
      extraFields,
      // A zero mask is fine inside TLS only (RFC 6455 §5.3 guards plain intermediaries).
      allowZeroMask: 'encrypted' in socket,
      allowModes: exporter !== undefined,
      allowResume: true,
      limits,
    });
  }

  /** Another connection for a tunnel that is here. Nothing of the tunnel is touched before its proofs. */
  #takeOn(
    upgrade: Omit<SessionUpgrade, 'session'> & { readonly who: SplicedUpgrade['session'] },
    { tunnelId, epoch }: ResumeName,
  ): void {
    const { who } = upgrade;
    const { onResume, onResumeRefused, incarnation } = this.#options;
    const onRefused = (error: ProxyError): void => {
      onResume?.('refused');
      onResumeRefused?.(error, who);
    };
    const tunnel = this.#resumable.get(Buffer.from(tunnelId).toString('hex'));
    if (tunnel === undefined) {
      onResume?.('unknown');
      throw noTunnel(tunnelId, incarnation);
    }
    if (tunnel.sessionId !== who.sessionId) {
      onRefused(new ProxyError('resume_refused', 'the tunnel is of another session'));
      throw noTunnel(tunnelId, incarnation);
    }
    if (epoch <= tunnel.epoch) {
      onRefused(staleAttempt());
      throw staleAttempt();
    }
    const { limits } = this.#options.parts;
    if (tunnel.candidates.size >= limits.tunnelsPerSessionMax) throw tunnelLimit(limits.tunnelsPerSessionMax);
    challengeCandidate({
      webSocket: this.#accept(upgrade, [tunnelSubprotocol]),
      tunnel,
      tunnelId,
      epoch,
      exporter: upgrade.exporter,
      limits,
      verify: verifierOf(tunnel.session.key),
      onResumed: () => onResume?.('resumed'),
      onRefused,
    });
  }

  /** The session may have ended since it was asked for: nobody could tell a tunnel that was not there yet. */
  async #endIfOver(tunnel: OpenTunnel, { isKnownHere }: AuthenticatedSession): Promise<void> {
    const { sessions } = this.#options;
    try {
      await sessions.requireAlive(tunnel.sessionId, isKnownHere);
    } catch (error) {
      tunnel.dismiss(asProxyError(error));
      this.#options.places?.ended(tunnel.sessionId);
    }
  }

  /** What ends a tunnel or refuses it has no audit event, but may be a limit that was reached. */
  #count(fault: ProxyError | undefined): void {
    if (fault?.limit !== undefined) this.#options.parts.onLimit?.(fault.limit);
  }

  /** One that waits for nothing makes room `now`, or would `later`. */
  #checkCount(sessionId: string, when: 'now' | 'later'): void {
    const { tunnelsPerSessionMax, streamsMax } = this.#options.parts.limits;
    const own = [...this.#tunnels].filter((tunnel) => tunnel.sessionId === sessionId);
    const ownLinks = own.filter((tunnel) => tunnel instanceof LinkTunnel);
    const links = ownLinks.length;
    if (links >= tunnelsPerSessionMax) {
      const idle = ownLinks.find(({ isWaiting, link }) => isWaiting && link.state.isSettled);
      if (idle === undefined) throw tunnelLimit(tunnelsPerSessionMax);
      if (when === 'now')
        idle.destroy(new ProxyError('tunnel_lost', 'a tunnel without streams made room for another one'));
    }
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
    session: AuthenticatedSession,
    exporter: Uint8Array | undefined,
    identified?: IdentifiedAgent,
  ): LinkTunnel {
    const { parts, publicOrigins, signingKey, incarnation } = this.#options;
    const tunnel = new LinkTunnel({
      webSocket,
      session,
      exporter,
      identified,
      parts,
      publicOrigins,
      signingKey,
      incarnation,
      onFault: (error) => this.#count(error),
    });
    this.#tunnels.add(tunnel);
    const id = tunnel.ticket === undefined ? undefined : Buffer.from(tunnel.ticket.tunnelId).toString('hex');
    if (id !== undefined) this.#resumable.set(id, tunnel);
    void tunnel.link.closed.then((fault) => {
      this.#count(fault);
      this.#tunnels.delete(tunnel);
      if (id !== undefined) this.#resumable.delete(id);
    });
    return tunnel;
  }

  #endSession(sessionId: string, reason: string): void {
    const error = new ProxyError('session_revoked', `the session ended: ${reason}`);
    this.#candidates.refuse(error, sessionId);
    for (const tunnel of this.#tunnels) if (tunnel.sessionId === sessionId) tunnel.dismiss(error);
  }
}
