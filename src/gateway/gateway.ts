// The gateway put together: everything is opened here, in order, and ends in the reverse order.

import type { AuditEvent } from '../api/audit-event.ts';
import type { Policy } from '../policy/decision.ts';
import type { ProxyError } from '../protocol/error.ts';
import type { LimitName } from '../protocol/limits.ts';
import { HeldOctets } from '../protocol/held-octets.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { openAccess } from './access/open-access.ts';
import { alarmText, observedSink } from './audit/alarms.ts';
import { openAuditLog } from './audit/audit-log.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { RefusalCounts } from './audit/refusal-counts.ts';
import type { GatewayConfig } from './config/config.ts';
import { CredentialSet } from './credentials/credential-set.ts';
import type { HomeCredentials } from './credentials/request/home-credentials.ts';
import { FollowedAuthority } from './followed-authority.ts';
import { LoopGuard } from './forward/loop-guard.ts';
import { RuleTrust } from './forward/rule-trust.ts';
import { followServerAuthority } from './gateway-identity.ts';
import { loadTrust, openParts, readFiles } from './gateway-parts.ts';
import { Metrics, countingSink } from './metrics.ts';
import { openRetention } from './open-retention.ts';
import { LiveReview } from './policies/live-review.ts';
import { openPolicies } from './policies/open-policies.ts';
import type { Policies } from './policies/open-policies.ts';
import { openAdmin, openMetrics } from './open-observing.ts';
import { openPublicPort } from './public-port.ts';
import { FollowedSigningKey } from './sessions/followed-signing-key.ts';
import { issuerFetch } from './sessions/oidc-fetch.ts';
import { oidcIssuer } from './sessions/oidc-issuer.ts';
import { factsOf } from './session-facts.ts';
import { SessionPresenceWriter } from './sessions/session-presence.ts';
import { openSessionService } from './sessions/session-service.ts';
import { PublicOrigins } from './sessions/public-origins.ts';
import type { SessionService } from './sessions/session-service.ts';
import { ownIssuer } from './sessions/session-token.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';
import { TunnelServer } from './tunnels/tunnel-server.ts';
import { openUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

export interface GatewayOptions {
  /** The environment at start, for credentials of source `env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Of an embedded gateway: secrets of the caller's home. */
  readonly homes?: HomeCredentials;
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
  /** Takes policy files, certificates that rules pin, authority and signing key again; rejects nothing: the last good one stays. */
  reload(): Promise<void>;
  /** Ends: takes nothing new, lets what runs finish within `drainMs`. Ending twice is harmless. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** What every phase of the start has at hand. */
interface Start {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homes: HomeCredentials | undefined;
  readonly log: NonNullable<GatewayOptions['log']>;
  readonly clock: () => number;
  readonly metrics: Metrics;
  /** What is opened goes here, and ends in the reverse order. */
  readonly stack: AsyncDisposableStack;
  readonly onFault: (error: ProxyError) => void;
  readonly onLimit: (limit: LimitName) => void;
  /** Counts events of sessions, and logs those that need a look. */
  readonly onSessionEvent: (event: AuditEvent) => void;
  /** Under which agents reach it. */
  readonly origins: PublicOrigins;
}

/**
 * Opens and starts a gateway, phase by phase: what it remembers, what it decides by, how it goes out, who may come in, how requests
 * are served, and only then the port. @throws ProxyError config_invalid, ca_key_unusable, store_*, relay_port_in_use
 */
export async function startGateway(config: GatewayConfig, options: GatewayOptions = {}): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const start = beginStart(config, options, stack);
  const records = await openRecords(start);
  const rules = await openRules(start);
  const ways = await openWays(start);
  const signingKey = stack.use(
    await FollowedSigningKey.open({ directory: config.stateDirectory, log: start.log }),
  );
  const sessions = await openSessions(start, { ...records, ...ways, signingKey }, rules.policies.current);
  const parts = await openServing(start, { ...records, ...rules, ...ways, sessions });
  const tunnels = openTunnels(start, { ...records, parts, sessions, signingKey, policies: rules.policies });
  const observing = { ...start, ...records, parts, tunnels, policies: rules.policies };
  await openMetrics(observing);
  const { port, serverCaPem, server, isReady, stopBeingReady } = await openPublicPort({
    ...start,
    authority: ways.authority,
    serverAuthority: ways.serverAuthority,
    audit: records.audit,
    sessions,
    tunnels,
  });
  await openAdmin({ ...observing, isReady });
  ways.loops.listensAs([...config.publicNames, config.listen.address], port);
  const owned = stack.move();
  let closing: Promise<void> | undefined;
  const close = (drainMs: number): Promise<void> =>
    (closing ??= (async () => {
      stopBeingReady();
      // New connections are refused from here on; tunnels drain on theirs.
      server.close();
      parts.http2Front.drain();
      if (drainMs > 0) await tunnels.drain(drainMs);
      await owned.disposeAsync();
    })());
  return {
    url: `https://${urlHost(config)}:${String(port)}`,
    port,
    serverCaPem,
    sessions,
    store: records.store,
    policy: rules.policies.current,
    reload: async () => {
      const { authority, serverAuthority } = ways;
      const followed = [authority.look(), serverAuthority?.look(), signingKey.look()];
      await Promise.all([rules.policies.reload(), ...followed]);
    },
    close: ({ drainMs = 0 } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  };
}

function beginStart(config: GatewayConfig, options: GatewayOptions, stack: AsyncDisposableStack): Start {
  const { environment = {}, homes, log = () => undefined, clock = Date.now } = options;
  const metrics = new Metrics();
  return {
    config,
    environment,
    homes,
    log,
    clock,
    metrics,
    stack,
    origins: new PublicOrigins(config),
    onFault: (error) => {
      log('error', error.message);
    },
    onLimit: (limit) => {
      metrics.countLimit(limit);
    },
    onSessionEvent: (event) => {
      metrics.count(event);
      const text = alarmText(event);
      if (text !== undefined) log('warn', text);
    },
  };
}

interface Records {
  readonly store: Store;
  readonly audit: AuditLog;
}

/** What the gateway remembers: the store, and the audit with what an earlier process left open in it. */
async function openRecords({ config, stack, metrics, onFault, onLimit }: Start): Promise<Records> {
  const store = stack.use(await openStore(config.store));
  const { file } = config.audit;
  const audit = stack.use(
    await openAuditLog({
      store: store.audit,
      limits: config.limits,
      onFault,
      onLimit,
      ...(file === undefined ? {} : { file }),
    }),
  );
  await audit.recover((event) => {
    metrics.count(event);
  });
  return { store, audit };
}

interface Rules {
  readonly policies: Policies;
  /** The certificates that rules pin. */
  readonly ruleTrust: RuleTrust;
}

/** What it decides by. */
async function openRules({ config, stack, log, clock }: Start): Promise<Rules> {
  const ruleTrust = await RuleTrust.open(config.trust);
  return { ruleTrust, policies: await openPolicies(config, { stack, log, ruleTrust, clock }) };
}

interface Ways {
  readonly authority: FollowedAuthority;
  /** Of its own certificate, where the operator gives none. */
  readonly serverAuthority: FollowedAuthority | undefined;
  readonly upstream: Upstream;
  readonly loops: LoopGuard;
  readonly credentials: CredentialSet;
  /** The budget of what is held of sessions. */
  readonly held: HeldOctets;
}

/** How it goes out, as whom, and how it is believed inside. */
async function openWays({ config, stack, clock, log, environment }: Start): Promise<Ways> {
  const { directory } = config.certificateAuthority;
  const authority = stack.use(await FollowedAuthority.open({ directory, clock, log }));
  const followed = await followServerAuthority(config, { clock, log });
  const serverAuthority = followed === undefined ? undefined : stack.use(followed);
  const trust = await loadTrust(config);
  const proxyCa = await readFiles(config.upstream.proxy?.ca ?? []);
  const loops = new LoopGuard();
  keepOperatorPorts(config, loops);
  const upstream = openUpstream({ config, clock, trust, proxyCa, environment, stack, loops });
  const held = new HeldOctets(config.limits);
  const credentials = stack.use(
    new CredentialSet(config.credentials, environment, upstream.fetch, { limits: config.limits, held }),
  );
  return { authority, serverAuthority, upstream, loops, credentials, held };
}

/** Known before they are open, so that no worker dials one of another process. */
function keepOperatorPorts({ metrics, admin }: GatewayConfig, loops: LoopGuard): void {
  for (const place of [metrics, admin?.listen])
    if (place !== undefined && place.port !== 0) loops.keepForOperators(place.address, place.port);
}

/** Who may come in. */
async function openSessions(
  { config, stack, clock, onFault, onSessionEvent }: Start,
  {
    store,
    audit,
    upstream,
    credentials,
    serverAuthority,
    signingKey,
  }: Records & Ways & { readonly signingKey: FollowedSigningKey },
  policy: () => Policy,
): Promise<SessionService> {
  const { limits, tokens, issuers } = config;
  const fetch = issuerFetch(upstream.fetch);
  return stack.use(
    await openSessionService({
      store,
      audit: observedSink(audit, onSessionEvent),
      signingKey,
      issuer: tokens.issuer,
      audience: tokens.audience,
      trust: [
        ownIssuer(signingKey, tokens.issuer),
        ...issuers.map((issuer) => oidcIssuer({ ...issuer, fetch, limits })),
      ],
      sessionFacts: (principal) => ({
        ...factsOf(principal, policy(), { credentials, limits }),
        gatewayCa: serverAuthority?.certificatesPem,
      }),
      limits,
      clock,
      onFault,
    }),
  );
}

/** How requests are served: what decides them, what carries them, and what judges again those that run. */
async function openServing(
  { config, homes, stack, clock, log, metrics, onFault, onLimit, onSessionEvent }: Start,
  {
    store,
    audit,
    policies,
    ruleTrust,
    authority,
    upstream,
    loops,
    credentials,
    held,
    sessions,
  }: Records & Rules & Ways & { readonly sessions: SessionService },
): Promise<StreamParts> {
  stack.use(openRetention({ config, store: store.audit, audit, clock, log, onFault }));
  const access = await openAccess({
    config,
    store,
    audit: observedSink(audit, onSessionEvent),
    base: policies.current,
    clock,
    onFault,
    stack,
  });
  const { policy, desk } = access;
  const refusals = new RefusalCounts();
  const parts = openParts({
    config,
    audit: refusals.counting(countingSink(audit, metrics)),
    refusals,
    clock,
    policy,
    desk,
    credentials,
    homes,
    held,
    authority,
    upstream,
    ruleTrust,
    loops,
    stack,
    onLimit,
    budgetStore: store.budgets,
    onFault,
    onStall: ({ sessionId, durationMs }) => {
      metrics.countLimit('loopStallMs');
      log('warn', `session ${sessionId} held the loop for ${durationMs} ms, in which no other was served`);
    },
  });
  sessions.onEnded((sessionId) => {
    parts.budgets.forget(sessionId);
    refusals.forget(sessionId);
  });
  const review = stack.use(new LiveReview({ live: parts.live, policy, clock, onFault }));
  policies.onChange(() => review.now());
  access.onChange(() => review.now());
  return parts;
}

type TunnelNeeds = Records & {
  readonly parts: StreamParts;
  readonly sessions: SessionService;
  readonly signingKey: FollowedSigningKey;
  readonly policies: Policies;
};

/** The tunnels, and what tells others of them. */
function openTunnels(
  { stack, clock, onFault, origins }: Start,
  { store, parts, sessions, signingKey, policies }: TunnelNeeds,
): TunnelServer {
  const tunnels = new TunnelServer({
    sessions,
    parts,
    signingKey,
    get publicOrigins() {
      return origins.all;
    },
  });
  policies.onChange(() => tunnels.policyChanged());
  stack.defer(() => {
    tunnels.destroy();
  });
  stack.use(
    new SessionPresenceWriter({
      store: store.presence,
      tunnels: () => tunnels.tunnelsBySession(),
      policyVersion: () => policies.current().version,
      clock,
      onFault,
    }),
  );
  return tunnels;
}

/** A wildcard address is no host to connect to: the first public name is. */
function urlHost(config: GatewayConfig): string {
  const { address } = config.listen;
  const isWildcard = address === '0.0.0.0' || address === '::';
  const host = isWildcard ? (config.publicNames[0] ?? 'localhost') : address;
  return host.includes(':') ? `[${host}]` : host;
}
