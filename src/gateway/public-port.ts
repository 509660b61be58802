// The port on which agents come: its server, its certificate, and the end of both.

import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import type { LimitName } from '../protocol/limits.ts';
import { descriptorShare } from './admission/descriptor-share.ts';
import { EnrolmentFailures } from './admission/enrolment-failures.ts';
import { networkList } from './admission/networks.ts';
import { PublicConnections } from './admission/public-connections.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { GatewayConfig } from './config/config.ts';
import type { FollowedAuthority } from './followed-authority.ts';
import { FollowedIdentity } from './followed-identity.ts';
import { openIdentity, renewIdentity } from './gateway-identity.ts';
import { createPublicServer } from './public-server.ts';
import { handleSessionRequest } from './sessions/session-endpoints.ts';
import type { PublicOrigins } from './sessions/public-origins.ts';
import type { SessionService } from './sessions/session-service.ts';
import type { TunnelServer } from './tunnels/tunnel-server.ts';

export interface PublicPort {
  readonly port: number;
  readonly serverCaPem: string | undefined;
  readonly server: Server;
  /** What load balancers are told. */
  readonly isReady: () => boolean;
  /** From then on load balancers are told to go elsewhere. */
  stopBeingReady(): void;
}

export interface PublicPortNeeds {
  readonly config: GatewayConfig;
  readonly stack: AsyncDisposableStack;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly onLimit: (limit: LimitName) => void;
  readonly authority: CertificateAuthority;
  /** Of the own certificate, where the operator gives none. */
  readonly serverAuthority: FollowedAuthority | undefined;
  readonly audit: AuditLog;
  readonly sessions: SessionService;
  readonly tunnels: TunnelServer;
  readonly origins: PublicOrigins;
}

/** The port on which agents come, and its certificate, kept fresh. */
export async function openPublicPort({
  config,
  stack,
  clock,
  log,
  onLimit,
  authority,
  serverAuthority,
  audit,
  sessions,
  tunnels,
  origins,
}: PublicPortNeeds): Promise<PublicPort> {
  let isOpen = true;
  const isReady = (): boolean => isOpen && audit.healthy;
  const { identity, renewable } = await openIdentity(config, clock());
  const { certificatePem, keyPem, caPem } = identity;
  const { limits } = config;
  const onFault = (error: ProxyError, traceId: string): void => {
    log('error', `${traceId}: ${error.message}`);
  };
  const { connections, failures } = await openAdmission(config, clock, onLimit);
  const endpoints = {
    sessions,
    get publicOrigins() {
      return origins.all;
    },
    limits,
    clock,
    onLimit,
    onFault,
    onServed: ({ socket }: IncomingMessage) => connections.showedSession(socket),
    onTokenRefused: (request: IncomingMessage, refusal: ProxyError) =>
      failures.told(connections.sourceOf(request), refusal),
  };
  const server = createPublicServer({
    certificatePem,
    keyPem,
    limits,
    caCertificates: () => ({ pem: authority.certificatesPem, etag: authority.etag }),
    isReady,
    handleSession: (request, response) => handleSessionRequest(request, response, endpoints),
    handleUpgrade: (request, socket, head) =>
      tunnels.handleUpgrade(request, socket, head, () => connections.showedSession(socket)),
  });
  connections.guard(server);
  await listen(server, config);
  stack.defer(() => closeServer(server));
  const of = serverAuthority === undefined ? {} : { authority: serverAuthority };
  if (renewable) stack.use(renewIdentity(config, { server, identity, ...of, clock, log }));
  else stack.use(new FollowedIdentity({ config, server, certificatePem, clock, log }));
  // A TLS server that listens has a port.
  const { port } = server.address() as AddressInfo;
  origins.listensAt(port);
  const stopBeingReady = (): void => {
    isOpen = false;
  };
  return { port, server, isReady, stopBeingReady, serverCaPem: renewable ? caPem : undefined };
}

/** What strangers on the port may cost. */
async function openAdmission(
  { limits, trustedProxies, listen: { proxyProtocol } }: GatewayConfig,
  clock: () => number,
  onLimit: (limit: LimitName) => void,
): Promise<{ readonly connections: PublicConnections; readonly failures: EnrolmentFailures }> {
  const connections = new PublicConnections({
    limits,
    descriptorShare: descriptorShare(await readFile('/proc/self/limits', 'utf8').catch(() => '')),
    isTrustedProxy: networkList(trustedProxies) ?? (() => false),
    requiresProxyProtocol: proxyProtocol === 'required',
    onLimit,
  });
  const failures = new EnrolmentFailures({
    perSecondMax: limits.enrolFailuresPerSecondMax,
    sourcesMax: limits.enrolFailureSourcesMax,
    delayMs: limits.enrolFailureDelayMs,
    clock,
  });
  return { connections, failures };
}

async function listen(server: Server, config: GatewayConfig): Promise<void> {
  const { address, port } = config.listen;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => {
    resolve(undefined);
  });
  try {
    await promise;
  } catch (error) {
    const reason = asProxyError(error).message;
    throw new ProxyError(
      'gateway_port_unusable',
      `the gateway cannot listen on ${address}:${String(port)}: ${reason}`,
      { cause: error },
    );
  } finally {
    server.off('error', reject);
  }
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
