// The gateway put together: everything is opened here, in order, and ends in the reverse order.

import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openCertificateAuthority } from '../pki/certificate-authority.ts';
import type { Policy, Principal } from '../policy/decision.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { openAuditLog } from './audit/audit-log.ts';
import { AuditRetention } from './audit/audit-retention.ts';
import type { GatewayConfig } from './config/config.ts';
import { CredentialSet } from './credentials/credential-set.ts';
import { FollowedIdentity } from './followed-identity.ts';
import { openAccess } from './access/open-access.ts';
import { openIdentity, renewIdentity } from './gateway-identity.ts';
import { loadTrust, openParts, readFiles } from './gateway-parts.ts';
import { LiveReview } from './policies/live-review.ts';
import { LoopGuard } from './forward/loop-guard.ts';
import { Metrics, countingSink } from './metrics.ts';
import { listenMetrics } from './metrics-server.ts';
import { issuerFetch } from './sessions/oidc-fetch.ts';
import type { IssuerFetch } from './sessions/oidc-fetch.ts';
import { oidcIssuer } from './sessions/oidc-issuer.ts';
import { openPolicies } from './policies/open-policies.ts';
import { createPublicServer } from './public-server.ts';
import { RuleTrust } from './forward/rule-trust.ts';
import { handleSessionRequest } from './sessions/session-endpoints.ts';
import { SessionPresenceWriter } from './sessions/session-presence.ts';
import { openSessionService } from './sessions/session-service.ts';
import type { SessionService } from './sessions/session-service.ts';
import { ownIssuer } from './sessions/session-token.ts';
import { openSigningKey } from './sessions/signing-key.ts';
import { TunnelServer } from './tunnels/tunnel-server.ts';
import { openUpstream } from './upstream.ts';

export interface GatewayOptions {
  /** The environment at start, for credentials of source `env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly log?: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly clock?: () => number;
}

export interface Gateway extends AsyncDisposable {
  /** By which an agent on this machine reaches it. */
  readonly url: string;
  readonly port: number;
  /** What agents pin; undefined if the operator brought a certificate. */
  readonly serverCaPem: string | undefined;
  readonly sessions: SessionService;
  readonly store: Store;
  readonly policy: () => Policy;
  /** Takes the policy files, and the certificates that rules pin, again; rejects nothing: the last good one stays. */
  reloadPolicy(): Promise<void>;
  /** Ends: takes nothing new, lets what runs finish within `drainMs`. Ending twice is harmless. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Opens and starts a gateway. @throws ProxyError config_invalid, ca_key_unusable, store_*, relay_port_in_use */
export async function startGateway(config: GatewayConfig, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? Date.now;
  const log = options.log ?? (() => undefined);
  await using stack = new AsyncDisposableStack();
  const metrics = new Metrics();
  const store = stack.use(await openStore(config.store));
  const audit = stack.use(
    await openAuditLog({
      store: store.audit,
      limits: config.limits,
      onFault: (error) => {
        log('error', error.message);
      },
      onLimit: (limit) => {
        metrics.countLimit(limit);
      },
      ...(config.audit.file === undefined ? {} : { file: config.audit.file }),
    }),
  );
  await audit.recover((event) => {
    metrics.count(event);
  });
  const ruleTrust = await RuleTrust.open(config.trust);
  const policies = await openPolicies(config, { stack, log, ruleTrust, clock });
  const authority = await openCertificateAuthority(config.certificateAuthority.directory, { nowMs: clock() });
  const trust = await loadTrust(config);
  const environment = options.environment ?? {};
  const proxyCa = await readFiles(config.upstream.proxy?.ca ?? []);
  const loops = new LoopGuard();
  const upstream = openUpstream({ config, clock, trust, proxyCa, environment, stack, loops });
  const credentials = stack.use(
    new CredentialSet(config.credentials, environment, upstream.fetch, config.limits),
  );
  const sessions = stack.use(
    await openSessions({
      config,
      fetch: issuerFetch(upstream.fetch),
      store,
      audit,
      clock,
      log,
      facts: (principal) => factsOf(principal, policies.current(), credentials),
    }),
  );
  const onFault = (error: ProxyError): void => {
    log('error', error.message);
  };
  const { keepDays, keepEvents } = config.audit;
  stack.use(new AuditRetention({ store: store.audit, keepDays, keepEvents, clock, onFault }));
  const base = policies.current;
  const access = await openAccess({ config, store, audit, base, clock, onFault, stack });
  const parts = openParts({
    config,
    audit: countingSink(audit, metrics),
    clock,
    policy: access.policy,
    desk: access.desk,
    credentials,
    authority,
    upstream,
    ruleTrust,
    loops,
    stack,
    onLimit: (limit) => {
      metrics.countLimit(limit);
    },
    onStall: ({ sessionId, durationMs }) => {
      metrics.countLimit('loopStallMs');
      log('warn', `session ${sessionId} held the loop for ${durationMs} ms, in which no other was served`);
    },
  });
  sessions.onEnded((sessionId) => {
    parts.budgets.forget(sessionId);
  });
  const review = stack.use(new LiveReview({ live: parts.live, policy: access.policy, clock, onFault }));
  policies.onChange(() => review.now());
  access.onChange(() => review.now());
  const tunnels = new TunnelServer({ sessions, parts, publicOrigins: [] });
  stack.defer(() => {
    tunnels.destroy();
  });
  const policyVersion = (): string => policies.current().version;
  const tunnelsBySession = (): ReadonlyMap<string, number> => tunnels.tunnelsBySession();
  stack.use(
    new SessionPresenceWriter({
      store: store.presence,
      tunnels: tunnelsBySession,
      policyVersion,
      clock,
      onFault,
    }),
  );
  if (config.metrics !== undefined) {
    const text = (): string =>
      metrics.text({
        tunnels: () => tunnels.tunnelCount,
        liveGrants: () => parts.live.size,
        auditHealthy: () => audit.healthy,
        policyAgeSeconds: () => policies.ageMs() / 1000,
        policyStaleSeconds: () => policies.staleMs() / 1000,
      });
    stack.use(await listenMetrics({ ...config.metrics, text }));
  }
  const state = { ready: true };
  const { identity, renewable } = await openIdentity(config, clock());
  const server = createPublicServer({
    certificatePem: identity.certificatePem,
    keyPem: identity.keyPem,
    limits: config.limits,
    caCertificates: () => ({ pem: authority.certificatesPem, etag: authority.etag }),
    isReady: () => state.ready && audit.healthy,
    handleSession: (request, response) =>
      handleSessionRequest(request, response, {
        sessions,
        publicOrigins: [],
        limits: config.limits,
        clock,
        onLimit: (limit) => {
          metrics.countLimit(limit);
        },
        onFault: (error, traceId) => {
          log('error', `${traceId}: ${error.message}`);
        },
      }),
    handleUpgrade: (request, socket, head) => tunnels.handleUpgrade(request, socket, head),
  });
  await listen(server, config);
  stack.defer(() => closeServer(server));
  const { certificatePem } = identity;
  if (renewable) stack.use(renewIdentity(config, server, identity, clock));
  else stack.use(new FollowedIdentity({ config, server, certificatePem, clock, log }));
  const owned = stack.move();
  let closing: Promise<void> | undefined;
  const close = (drainMs: number): Promise<void> =>
    (closing ??= (async () => {
      state.ready = false;
      // New connections are refused from here on; tunnels drain on theirs.
      server.close();
      parts.http2Front.drain();
      if (drainMs > 0) await tunnels.drain(drainMs);
      await owned.disposeAsync();
    })());
  // A TLS server that listens has a port.
  const { port } = server.address() as AddressInfo;
  loops.listensAs([...config.publicNames, config.listen.address], port);
  return {
    url: `https://${urlHost(config)}:${String(port)}`,
    port,
    serverCaPem: renewable ? identity.caPem : undefined,
    sessions,
    store,
    policy: policies.current,
    reloadPolicy: policies.reload,
    close: ({ drainMs = 0 } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  };
}

function factsOf(
  principal: Principal,
  policy: Policy,
  credentials: CredentialSet,
): {
  placeholders: Readonly<Record<string, string>>;
  capturePorts: readonly number[];
  modes: readonly string[];
} {
  return {
    placeholders: credentials.placeholders,
    capturePorts: policy.capturePorts(principal),
    modes: ['raw', 'tls', 'proxy'],
  };
}

interface SessionParts {
  readonly config: GatewayConfig;
  readonly fetch: IssuerFetch;
  readonly store: Store;
  readonly audit: Awaited<ReturnType<typeof openAuditLog>>;
  readonly clock: () => number;
  readonly log: NonNullable<GatewayOptions['log']>;
  readonly facts: (principal: Principal) => ReturnType<typeof factsOf>;
}

async function openSessions({
  config,
  fetch,
  store,
  audit,
  clock,
  log,
  facts,
}: SessionParts): Promise<SessionService> {
  const signingKey = await openSigningKey(config.stateDirectory);
  return openSessionService({
    store,
    audit,
    signingKey,
    issuer: config.tokens.issuer,
    audience: config.tokens.audience,
    trust: [
      ownIssuer(signingKey, config.tokens.issuer),
      ...config.issuers.map((issuer) => oidcIssuer({ ...issuer, fetch, limits: config.limits })),
    ],
    sessionFacts: facts,
    limits: config.limits,
    clock,
    onFault: (error) => {
      log('error', error.message);
    },
  });
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

/** A wildcard address is no host to connect to: the first public name is. */
function urlHost(config: GatewayConfig): string {
  const { address } = config.listen;
  const isWildcard = address === '0.0.0.0' || address === '::';
  const host = isWildcard ? (config.publicNames[0] ?? 'localhost') : address;
  return host.includes(':') ? `[${host}]` : host;
}
