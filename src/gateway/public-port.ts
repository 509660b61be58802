// The port on which agents come: its server, its certificate, and the end of both.

import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import { closeServer, socketsOf } from '../net/close-server.ts';
import type { PublishedAuthority } from '../pki/certificate-authority.ts';
import type { StoreAbsence } from '../store/store-outage.ts';
import type { ProxyError } from '../protocol/error.ts';
import { EnrolmentFailures } from './admission/enrolment-failures.ts';
import { networkList } from './admission/networks.ts';
import { PublicConnections } from './admission/public-connections.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { GatewayConfig } from './config/config.ts';
import type { FollowedAuthority } from './followed-authority.ts';
import { FollowedIdentity } from './followed-identity.ts';
import { type CertificateGivers, openIdentity, renewIdentity } from './gateway-identity.ts';
import type { ListeningSockets } from './listening-sockets.ts';
import { openProxy, type ProxyNeeds } from './open-proxy.ts';
import { listen, openFailures, openStrangers } from './public-listener.ts';
import { createPublicServer } from './public-server.ts';
import { handleSessionRequest, type SessionEndpointContext } from './sessions/session-endpoints.ts';
import type { PublicOrigins } from './sessions/public-origins.ts';
import type { TunnelServer } from './tunnels/tunnel-server.ts';
import type { PortIdentity } from './workers/worker-messages.ts';
import type { WorkerPlace } from './workers/worker-place.ts';

export interface PublicPort {
  readonly port: number;
  /** That of clients without an agent. */
  readonly proxyPort: number | undefined;
  readonly serverCaPem: string | undefined;
  /** What load balancers are told. */
  readonly isReady: () => boolean;
  /** From then on load balancers are told to go elsewhere. */
  stopBeingReady(): void;
  /** Takes no client without an agent from then on, and waits for those that it has. */
  readonly drainProxy: (deadlineMs: number) => Promise<void>;
  /** No connection is taken from then on. */
  stopListening(): void;
}

export interface PublicPortNeeds extends ProxyNeeds {
  readonly sockets: ListeningSockets;
  readonly authority: PublishedAuthority;
  /** Of the own certificate. */
  readonly givers: CertificateGivers & { readonly authority: FollowedAuthority | undefined };
  readonly outage: StoreAbsence | undefined;
  readonly tunnels: TunnelServer;
  readonly origins: PublicOrigins;
  /** Of a worker: whose port it is. */
  readonly place: WorkerPlace | undefined;
}

/** The port on which agents come, that of clients without one, and the certificate of both, kept fresh. */
export async function openPublicPort(needs: PublicPortNeeds): Promise<PublicPort> {
  const { config, stack, clock, sockets: open, onLimit, authority } = needs;
  const { audit, outage, tunnels, origins, place } = needs;
  let isOpen = true;
  const { isReady, degraded } = readiness(audit, outage, () => isOpen);
  const { identity, renewable } = place ?? (await openIdentity(config, needs.givers, clock()));
  const { certificatePem, keyPem, caPem } = identity;
  const { limits } = config;
  const { connections, failures } = await openAdmission(config, { clock, onLimit, place });
  const endpoints = endpointsOf(needs, { connections, failures });
  const server = createPublicServer({
    certificatePem,
    keyPem,
    limits,
    caCertificates: () => ({ pem: authority.certificatesPem, etag: authority.etag }),
    isReady,
    degraded,
    handleSession: (request, response) => handleSessionRequest(request, response, endpoints),
    handleUpgrade: (request, socket, head) =>
      tunnels.handleUpgrade(request, socket, head, () => connections.showedSession(socket)),
  });
  connections.guard(server);
  const sockets = socketsOf(server);
  const port = place === undefined ? await listen(server, config, open.gateway) : serveHanded(server, place);
  stack.defer(() => closeServer(server, sockets));
  const proxy = await openProxy(needs, identity);
  const secured: Secured = {
    setSecureContext: (context) => {
      for (const one of [server, proxy]) one?.setSecureContext(context);
    },
  };
  keepCertificate(secured, needs, { identity, renewable });
  origins.listensAt(port);
  return {
    port,
    proxyPort: proxy?.port,
    isReady,
    stopBeingReady: () => (isOpen = false),
    drainProxy: async (deadlineMs) => await proxy?.drain(deadlineMs),
    stopListening: () => stopListening(server, place),
    serverCaPem: renewable ? caPem : undefined,
  };
}

function endpointsOf(
  { sessions, origins, config: { limits }, clock, onLimit, log }: PublicPortNeeds,
  { connections, failures }: Awaited<ReturnType<typeof openAdmission>>,
): SessionEndpointContext {
  return {
    sessions,
    get publicOrigins() {
      return origins.all;
    },
    limits,
    clock,
    onLimit,
    onFault: (error: ProxyError, traceId: string) => log('error', `${traceId}: ${error.message}`),
    onServed: ({ socket }: IncomingMessage) => connections.showedSession(socket),
    onTokenRefused: (request: IncomingMessage, refusal: ProxyError) =>
      failures.told(connections.sourceOf(request), refusal),
  };
}

type Secured = Pick<Server, 'setSecureContext'>;

/** Fresh for as long as the server runs. */
function keepCertificate(
  server: Secured,
  {
    config,
    stack,
    clock,
    log,
    givers: { authority, port },
    place,
  }: Pick<PublicPortNeeds, 'config' | 'stack' | 'clock' | 'log' | 'givers' | 'place'>,
  { identity, renewable }: Pick<WorkerPlace, 'identity' | 'renewable'>,
): void {
  if (place !== undefined) place.seat.onIdentity((one) => take(server, one));
  else if (renewable) stack.use(renewIdentity(config, { server, identity, authority, clock, log }));
  else {
    const { certificatePem } = identity;
    stack.use(new FollowedIdentity({ config, port, server, certificatePem, clock, log }));
  }
}

function stopListening(server: Server, place: WorkerPlace | undefined): void {
  place?.seat.onConnection('public', undefined);
  server.close();
}

/** What load balancers and people are told. */
function readiness(
  audit: AuditLog,
  outage: StoreAbsence | undefined,
  isOpen: () => boolean,
): { readonly isReady: () => boolean; readonly degraded: () => string | undefined } {
  return {
    isReady: () => isOpen() && audit.healthy && outage?.isPast !== true,
    degraded: () => (outage?.sinceMs === undefined ? undefined : 'the store is away'),
  };
}

interface AdmissionNeeds extends Pick<PublicPortNeeds, 'clock' | 'onLimit'> {
  readonly place: WorkerPlace | undefined;
}

/** What strangers on the port may cost. */
export async function openAdmission(
  config: GatewayConfig,
  { clock, onLimit, place }: AdmissionNeeds,
): Promise<{ readonly connections: PublicConnections; readonly failures: EnrolmentFailures }> {
  const { limits, trustedProxies } = config;
  const connections = new PublicConnections({
    limits,
    strangers: place?.seat.strangers ?? (await openStrangers(config)),
    isTrustedProxy: networkList(trustedProxies) ?? (() => false),
    requiresProxyProtocol: config.listen.proxyProtocol === 'required',
    onLimit,
  });
  const count = place?.seat.failuresAt('public') ?? openFailures(config, clock);
  return { connections, failures: new EnrolmentFailures(count, limits.enrolFailureDelayMs) };
}

/** Connections come from the supervisor, which listens. */
function serveHanded(server: Server, { seat, port }: WorkerPlace): number {
  // The deadlines of heads and requests begin with this event, and this server never listens itself.
  server.emit('listening');
  seat.onConnection('public', (socket) => {
    // As the server's own option has it for connections that it accepts itself.
    socket.setNoDelay(true);
    server.emit('connection', socket);
  });
  return port;
}

function take(server: Secured, { certificatePem, keyPem }: PortIdentity): void {
  server.setSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' });
}
