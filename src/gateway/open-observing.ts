// What people and programs look at a running gateway by: its metrics, and the admin API.

import type { LimitName } from '../protocol/limits.ts';
import type { ProxyError } from '../protocol/error.ts';
import type { StoreOutage } from '../store/store-outage.ts';
import type { SpooledAudit } from './audit/spool/spooled-audit.ts';
import type { Store } from '../store/store.ts';
import type { AdminParts } from './admin/admin-parts.ts';
import type { BrowserLogIn } from './admin/browser-log-in.ts';
import { listenAdmin } from './admin/admin-server.ts';
import type { LinkLogIn } from './admin/link-log-in.ts';
import { Followers } from './admin/followers.ts';
import { PolicyReads } from './admin/policy-reads.ts';
import { WholeAuditReads } from './admin/whole-audit.ts';
import type { AuditEvent } from '../api/audit-event.ts';
import { observedSink } from './audit/alarms.ts';
import type { AuditLog, DurableAuditSink } from './audit/audit-log.ts';
import { adminPlaces } from './config/admin-settings.ts';
import type { GatewayConfig } from './config/config.ts';
import { addedCounts, type Counts, type Metrics, type ProcessCounts } from './metrics.ts';
import { listenMetrics } from './metrics-server.ts';
import { type MetricsFormat, metricsText } from './metrics-text.ts';
import type { ServiceOctetFetch } from './forward/service-fetch.ts';
import type { Start } from './gateway-start.ts';
import type { SigningKey } from './sessions/signing-key.ts';
import type { Policies } from './policies/open-policies.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';
import type { TunnelServer } from './tunnels/tunnel-server.ts';
import type { WorkerPlace } from './workers/worker-place.ts';
import { SessionAudit } from './audit/session-audit.ts';
import { packageVersion } from '../system/package-version.ts';

/** The running gateway, as it is looked at. */
export interface Observed {
  readonly config: GatewayConfig;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly spool: Partial<Pick<SpooledAudit, 'state'>>;
  readonly outage: Pick<StoreOutage, 'awayMs'> | undefined;
  readonly policies: Policies;
  readonly parts: StreamParts;
  readonly tunnels: TunnelServer;
  readonly metrics: Metrics;
  readonly stack: AsyncDisposableStack;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly onFault: (error: ProxyError) => void;
  readonly onLimit: (limit: LimitName) => void;
  /** Counts events of people, and logs those that need a look. */
  readonly onSessionEvent: (event: AuditEvent) => void;
  /** Of a worker: where it stands among the others. */
  readonly place: WorkerPlace | undefined;
  /** Where log-in is by a link alone. */
  readonly link: LinkLogIn | undefined;
}

/** What this process has counted. */
export function countsOf({
  metrics,
  tunnels,
  parts,
  audit,
  policies,
  outage,
  spool,
}: Observed): () => Counts {
  return () =>
    metrics.counts({
      tunnels: tunnels.tunnelCount,
      waitingTunnels: tunnels.waitingCount,
      keptBytes: tunnels.keptBytes,
      liveGrants: parts.live.size,
      auditHealthy: audit.healthy,
      policyAgeSeconds: policies.ageMs() / 1000,
      policyStaleSeconds: policies.staleMs() / 1000,
      advisoriesStaleSeconds: (parts.advisories?.state().staleForMs ?? 0) / 1000,
      storeAwaySeconds: (outage?.awayMs ?? 0) / 1000,
      spoolBytes: spool.state?.waitingBytes ?? 0,
      sessionLeases: parts.credentials.leaseCounts.held,
      sessionLeasesNotGivenBack: parts.credentials.leaseCounts.failing,
      cacheBytes: (parts.cache?.bytes ?? 0) + (parts.metadata?.bytes ?? 0),
    });
}

/** What all processes of the gateway have counted. */
export function allCounts(observed: Observed): () => Promise<ProcessCounts> {
  const own = countsOf(observed);
  const seat = observed.place?.seat;
  if (seat === undefined) return async () => ({ counts: [own()], restarts: 0 });
  // The supervisor gives what it has, as the type says.
  return async () => (await seat.allCounts()) as ProcessCounts;
}

/** On a port of their own, where the configuration has one. @throws ProxyError gateway_port_unusable */
export async function openMetrics(observed: Observed & Pick<Start, 'sockets'>): Promise<void> {
  const { config, stack, sockets } = observed;
  if (config.metrics === undefined) return;
  const counts = allCounts(observed);
  const text = async (format: MetricsFormat): Promise<string> => metricsText(await counts(), format);
  const server = stack.use(await listenMetrics({ ...config.metrics, text, descriptor: sockets.metrics }));
  observed.parts.loops?.keepForOperators(server.address, server.port);
}

/** What log-in at an identity provider and issuing tokens need beside: a way there, and a key that all gateways of one identity have. */
interface Reached {
  readonly fetch: ServiceOctetFetch;
  readonly signingKey: Pick<SigningKey, 'kid' | 'signText' | 'signJwt' | 'publicKeys'>;
}

/** @throws ProxyError gateway_port_unusable */
export async function openAdmin(
  observed: Observed & Pick<Start, 'environment' | 'sockets'> & { readonly isReady: () => boolean } & Reached,
): Promise<void> {
  const { config, store, policies, parts: serving, stack, clock, log, place } = observed;
  const { admin } = config;
  if (admin === undefined) return;
  const counts = allCounts(observed);
  const audit = observedSink(observed.audit, observed.onSessionEvent);
  const followers = stack.use(new Followers({ audit: store.audit, onFault: observed.onFault }));
  const records = new SessionAudit(audit);
  const { link } = observed;
  const parts: AdminParts = {
    store,
    link,
    operators: link?.operators ?? store.operators,
    logIn: await openLogInOf(observed, audit),
    config: place === undefined ? config : { ...config, limits: place.gatewayLimits },
    signingKey: observed.signingKey,
    policies,
    policy: serving.policy,
    isReady: observed.isReady,
    followers,
    captured: serving.captured,
    advisories: serving.advisories,
    policyReads: new PolicyReads(),
    wholeAudit: new WholeAuditReads(),
    clock,
    metricsText: async () => metricsText(await counts()),
    limitsReached: async () => addedCounts((await counts()).counts).limitHits,
    tunnels: async () => addedCounts((await counts()).counts).gauges.tunnels,
    record: (step) => records.record(step),
    isAuditHealthy: async () => addedCounts((await counts()).counts).gauges.auditHealthy,
    version: packageVersion(),
    startedMs: place?.startedMs ?? clock(),
  };
  const server = await listenAdmin({
    parts,
    socket: admin.socket,
    listen: admin.listen,
    descriptor: observed.sockets.admin,
    socketRoles: new Map(Object.entries(admin.socketRoles).map(([uid, role]) => [Number(uid), role])),
    log,
    onLimit: observed.onLimit,
    onStranger: (error, traceId) => {
      records.strangerRefused(error, clock(), traceId);
    },
  });
  stack.use(server);
  if (server.port !== undefined)
    for (const { address } of adminPlaces(admin.listen))
      serving.loops?.keepForOperators(address, server.port);
  if (admin.socket !== undefined) log('info', `the admin API is served at ${admin.socket}`);
}

/** The library behind it is loaded where it is used alone. */
async function openLogInOf(
  { config, store, environment, fetch, signingKey, clock, onLimit }: Parameters<typeof openAdmin>[0],
  audit: DurableAuditSink,
): Promise<BrowserLogIn | undefined> {
  const oidc = config.admin?.oidc;
  if (oidc === undefined) return undefined;
  const { openLogIn } = await import('./admin/open-log-in.ts');
  const { operators } = store;
  const { limits } = config;
  return await openLogIn(oidc, {
    operators,
    environment,
    fetch,
    signer: signingKey,
    limits,
    clock,
    onLimit,
    audit: new SessionAudit(audit),
  });
}
