// The gateway put together: everything is opened here, in order, and ends in the reverse order.

import type { Policy } from '../policy/decision.ts';
import { ProxyError } from '../protocol/error.ts';
import { HeldOctets } from '../protocol/held-octets.ts';
import type { PublishedAuthority } from '../pki/certificate-authority.ts';
import type { Store } from '../store/store.ts';
import { openAccess, withNarrowed } from './access/open-access.ts';
import { openQuestions } from './access/open-questions.ts';
import { SessionAudit } from './audit/session-audit.ts';
import { observedSink } from './audit/alarms.ts';
import type { TakenChanges } from './changes/taken-changes.ts';
import { RefusalCounts } from './audit/refusal-counts.ts';
import { openKept } from './open-kept.ts';
import type { GatewayConfig } from './config/config.ts';
import { CredentialSet } from './credentials/credential-set.ts';
import { checkCanaries } from './credentials/leak-sources.ts';
import { drainGateway } from './drain.ts';
import { openAuthorityExpiry } from './authority-expiry.ts';
import { FollowedAuthority } from './followed-authority.ts';
import { LoopGuard } from './forward/loop-guard.ts';
import { Deciders } from './deciders/deciders.ts';
import { RuleTrust } from './forward/rule-trust.ts';
import { followServerAuthority } from './gateway-identity.ts';
import type { IdentityPlaces } from './identity/identity-places.ts';
import { loadPrices, loadTrust, openIssuers, openParts } from './gateway-parts.ts';
import { beginStart, type GatewayOptions, type Start } from './gateway-start.ts';
import { countingSink, type Counts } from './metrics.ts';
import { openChanges } from './open-changes.ts';
import { openActs } from './open-acts.ts';
import { openPackageFacts } from './open-package-facts.ts';
import { type GatewayLeases, openLeases } from './open-leases.ts';
import { openLogIns } from './open-log-ins.ts';
import { openLeakLedger } from './open-leaks.ts';
import { openGatewayStore } from './open-gateway-store.ts';
import { type GatewayKeys, isSharedStore, openGatewayKeys, readKeysAgain } from './open-gateway-keys.ts';
import { openPeers } from './open-peers.ts';
import { keepOperatorPorts } from './operator-ports.ts';
import { openRecords, type Records } from './open-records.ts';
import { openRetention } from './open-retention.ts';
import type { GatewayPresenceWriter } from './peers/gateway-presence.ts';
import { LiveReview } from './policies/live-review.ts';
import { openPolicies } from './policies/open-policies.ts';
import type { Policies } from './policies/open-policies.ts';
import { openCallbacks } from './open-callbacks.ts';
import { countsOf, openAdmin, openMetrics } from './open-observing.ts';
import { openTelemetry } from './open-telemetry.ts';
import { localUrl } from './public-listener.ts';
import { openPublicPort } from './public-port.ts';
import { FollowedSigningKey, type KeysReading } from './sessions/followed-signing-key.ts';
import { factsOf } from './session-facts.ts';
import { SessionPresenceWriter } from './sessions/session-presence.ts';
import { newNonceGiver } from './sessions/proof-nonces.ts';
import { openSessionService } from './sessions/session-service.ts';
import type { SessionService } from './sessions/session-service.ts';
import type { SessionServiceOptions } from './sessions/session-service-options.ts';
import { ownIssuer } from './sessions/session-token.ts';
import { gatewayNameOf } from './tunnels/incarnation.ts';
import type { LoopStall } from './tunnels/loop-watch.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';
import { TunnelServer } from './tunnels/tunnel-server.ts';
import { readUpstreamFiles } from './open-exits.ts';
import { openUpstream } from './upstream.ts';
import type { Upstream } from './upstream.ts';

export interface Gateway extends AsyncDisposable {
  /** By which an agent on this machine reaches it. */
  readonly url: string;
  readonly port: number;
  /** That of clients without an agent; undefined where the configuration has none. */
  readonly proxyPort: number | undefined;
  /** What agents pin; undefined if the operator brought a certificate. */
  readonly serverCaPem: string | undefined;
  readonly sessions: SessionService;
  readonly store: Store;
  readonly policy: () => Policy;
  /** What it has counted so far, and its gauges. */
  counts(): Counts;
  /** Takes policy files, certificates that rules pin, authority and signing key again; rejects nothing: the last good one stays. */
  reload(): Promise<void>;
  /** Ends: takes nothing new, lets what runs finish within `drainMs`. Ending twice is harmless. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Opens and starts a gateway, phase by phase: what it remembers, what it decides by, how it goes out, who may come in, how requests
 * are served, and only then the port. @throws ProxyError config_invalid, ca_key_unusable, store_*, relay_port_in_use
 */
export async function startGateway(config: GatewayConfig, options: GatewayOptions = {}): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const start = beginStart(config, options, stack);
  const opened = await openGatewayStore(start);
  const keys = await openGatewayKeys(start, { ...opened.store, isShared: isSharedStore(opened.store) });
  const { signingKey: place } = keys.places;
  const readAgain = (): Promise<KeysReading> => readKeysAgain(config, keys, opened.outage);
  const signingKey = stack.use(await FollowedSigningKey.open({ place, readAgain, log: start.log }));
  const records = await openRecords(start, opened, signingKey);
  const rules = await openRules(start, records);
  const ways = await openWays(start, { places: keys.places, signingKey, records });
  const sessions = await openSessions(start, { ...records, ...ways }, rules.policies.current);
  const { parts, changes } = await openServing(start, { ...records, ...rules, ...ways, sessions });
  const { policies } = rules;
  const served = { ...records, parts, policies, keys };
  const { tunnels, presence } = await openTunnels(start, { ...served, sessions, signingKey, changes });
  const observed = { ...start, ...served, tunnels };
  const counts = countsOf(observed);
  await openOutlooks(observed, ways.upstream);
  const { port, proxyPort, serverCaPem, isReady, stopBeingReady, ...listening } = await openPublicPort({
    ...start,
    ...served,
    signingKey,
    authority: ways.authority,
    givers: { authority: ways.serverAuthority, port: keys.places.port },
    sessions,
    tunnels,
  });
  await openAdmin({ ...observed, isReady, fetch: ways.upstream.fetch, signingKey });
  ways.loops.listensAs([...config.publicNames, config.listen.address], port);
  opened.known?.started();
  const owned = stack.move();
  let closing: Promise<void> | undefined;
  const close = (drainMs: number): Promise<void> =>
    (closing ??= (async () => {
      stopBeingReady();
      presence.drain();
      // Tunnels that lose their connection meanwhile come back by the port; to others it says that the gateway ends.
      if (drainMs > 0) await drainGateway({ tunnels, parts, drainMs, ...listening });
      listening.stopListening();
      // Before what they stand on: the server waits for the connections that it gave up to them.
      tunnels.destroy();
      await owned.disposeAsync();
    })());
  return {
    url: localUrl(config, port),
    port,
    proxyPort,
    serverCaPem,
    sessions,
    store: records.store,
    policy: rules.policies.current,
    counts,
    reload: async () => {
      const followed = [ways.authority, ways.serverAuthority, signingKey];
      await keys.look();
      await Promise.all([policies.reload(), ...followed.map((one) => one?.look())]);
    },
    close: ({ drainMs = 0 } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  };
}

interface Rules {
  readonly policies: Policies;
  /** The certificates that rules pin. */
  readonly ruleTrust: RuleTrust;
}

/** What it decides by. */
async function openRules(start: Start, { store, audit }: Records): Promise<Rules> {
  const { config, stack, log, clock, onFault, onSessionEvent, isOnDuty } = start;
  const ruleTrust = await RuleTrust.open(config.trust);
  const told = new SessionAudit(observedSink(audit, onSessionEvent));
  const record: SessionAudit['record'] = (step) => told.record(step);
  const parts = { stack, log, ruleTrust, clock, store, record, onFault, isOnDuty };
  return { ruleTrust, policies: await openPolicies(config, parts) };
}

interface Ways {
  readonly authority: FollowedAuthority<PublishedAuthority>;
  /** Of its own certificate, where the operator gives none. */
  readonly serverAuthority: FollowedAuthority | undefined;
  readonly upstream: Upstream;
  readonly loops: LoopGuard;
  readonly credentials: CredentialSet;
  readonly leases: GatewayLeases;
  /** The budget of what is held of sessions. */
  readonly held: HeldOctets;
  /** Of tokens, and of what clients of SSH see of servers. */
  readonly signingKey: FollowedSigningKey;
}

interface WayNeeds {
  readonly places: IdentityPlaces;
  readonly signingKey: FollowedSigningKey;
  readonly records: Records;
}

/** How it goes out, as whom, and how it is believed inside. */
async function openWays(start: Start, { places, signingKey, records }: WayNeeds): Promise<Ways> {
  const { config, stack, clock, log, environment, place } = start;
  const authority = stack.use(await FollowedAuthority.open({ place: places.interception, clock, log }));
  const followed = await followServerAuthority(config, places, { clock, log });
  const serverAuthority = followed === undefined ? undefined : stack.use(followed);
  const trust = await loadTrust(config);
  const files = await readUpstreamFiles(config);
  const loops = new LoopGuard();
  for (const { address: at, port } of place?.operatorPorts ?? []) loops.keepForOperators(at, port);
  keepOperatorPorts(config, loops, place?.workers ?? 1);
  const upstream = openUpstream({ config, clock, trust, files, environment, stack, loops });
  const held = new HeldOctets(config.limits);
  await checkCanaries(config.canaries, environment, clock());
  const leases = openLeases(start, records, signingKey);
  const bounds = { limits: config.limits, canaries: config.canaries, held };
  const credentials = stack.use(
    new CredentialSet(config.credentials, environment, upstream.fetch, {
      ...bounds,
      leases: leases.leases,
      logIns: openLogIns(start, records, { signingKey, fetch: upstream.fetch }),
      onFault: start.onFault,
    }),
  );
  return { authority, serverAuthority, upstream, loops, credentials, leases, held, signingKey };
}

/** Who may come in. */
async function openSessions(
  { config, stack, clock, onFault, onSessionEvent, isOnDuty, place, incarnation }: Start,
  { store, audit, outage, known, upstream, credentials, serverAuthority, signingKey, leases }: Records & Ways,
  policy: () => Policy,
): Promise<SessionService> {
  const { limits, tokens } = config;
  const { strangerRefusalsPerMinuteMax } = limits;
  const judging = withNarrowed(policy);
  const sessions = stack.use(
    await openSessionService({
      store,
      audit: observedSink(audit, onSessionEvent),
      signingKey,
      issuer: tokens.issuer,
      audience: tokens.audience,
      trust: [ownIssuer(signingKey, tokens.issuer), ...(await openIssuers(config, upstream.fetch))],
      sessionFacts: (principal) => ({
        ...factsOf(principal, judging(), { credentials, limits, signingKey, onFault }),
        gatewayCa: serverAuthority?.certificatesPem,
      }),
      limits,
      clock,
      onFault,
      isOnDuty,
      strangerRefusalsPerMinuteMax: Math.ceil(strangerRefusalsPerMinuteMax / (place?.workers ?? 1)),
      absence: outage,
      nonces: noncesOf(incarnation, place),
      handed: () => known?.handed?.endings,
    }),
  );
  sessions.onEnded((sessionId) => place?.seat.ended(sessionId));
  leases.serve(credentials, sessions);
  return sessions;
}

function noncesOf(incarnation: string, place: Start['place']): NonNullable<SessionServiceOptions['nonces']> {
  const gatewayName = gatewayNameOf(incarnation);
  if (place === undefined) return { giver: newNonceGiver(gatewayName) };
  return { giver: { gatewayName, key: place.nonceKey }, memory: place.seat.proofs };
}

/** How requests are served: what decides them, what carries them, and what judges again those that run. */
async function openServing(
  start: Start,
  {
    store,
    audit,
    policies,
    ruleTrust,
    authority,
    upstream,
    credentials,
    held,
    sessions,
    ...known
  }: Records & Rules & Ways & { readonly sessions: SessionService },
): Promise<{ readonly parts: StreamParts; readonly changes: TakenChanges }> {
  const { config, homes, stack, clock, metrics, onFault, onLimit } = start;
  stack.use(openRetention({ ...start, store: store.audit, audit }));
  const sink = openActs(start, { store, audit });
  const access = await openAccess({ ...start, store, audit: sink, base: policies.current, credentials });
  const { policy, desk } = access;
  const refusals = new RefusalCounts();
  const record: SessionAudit['record'] = (step) => new SessionAudit(sink).record(step);
  stack.use(openAuthorityExpiry({ ...start, authority, record }));
  const parts = openParts({
    config,
    audit: refusals.counting(countingSink(audit, metrics)),
    refusals,
    clock,
    policy,
    desk,
    questions: openQuestions({ ...start, store, record, limits: config.limits }),
    credentials,
    homes,
    held,
    ...(await openKept(start, { ...known, policies, held, audit: sink, upstream, store, sessions })),
    authority,
    upstream,
    signingKey: known.signingKey,
    ruleTrust,
    loops: known.loops,
    stack,
    onLimit,
    budgetStore: store.budgets,
    knownIds: store.knownIds,
    firstSeen: store.firstSeen,
    hasEnded: (sessionId) => sessions.watch.ended.has(sessionId),
    deciders: stack.use(await openDeciders(start, upstream)),
    ...(await openPackageFacts(start, store, record)),
    leakLedger: openLeakLedger({ limits: config.limits, clock, sessions, record, onFault }),
    prices: await loadPrices(config),
    onFault,
    onStall: stallTeller(start),
  });
  sessions.onEnded((sessionId) => {
    for (const one of [parts.budgets, parts.tools, parts.ids, refusals]) one.forget(sessionId);
  });
  const review = stack.use(new LiveReview({ live: parts.live, policy, clock, onFault }));
  for (const changing of [policies, access]) changing.onChange(() => review.now());
  return { parts, changes: await openChanges(start, { ...known, store, audit, sessions, policies, access }) };
}

function openDeciders(
  { config: { deciders, limits }, environment, clock, onFault }: Start,
  { dialersBy }: Upstream,
): Promise<Deciders> {
  return Deciders.open(deciders, { environment, clock, limits, onFault, dialersBy });
}

function stallTeller({ metrics, log }: Start): (stall: LoopStall) => void {
  return ({ sessionId, durationMs }) => {
    metrics.countLimit('loopStallMs');
    log('warn', `session ${sessionId} held the loop for ${durationMs} ms, in which no other was served`);
  };
}

type TunnelNeeds = Records & {
  readonly parts: StreamParts;
  readonly sessions: SessionService;
  readonly signingKey: FollowedSigningKey;
  readonly policies: Policies;
  readonly changes: TakenChanges;
  readonly keys: GatewayKeys;
};

/** The tunnels, and what tells others of them. */
async function openTunnels(
  start: Start,
  { store, audit, outage, known, from, parts, sessions, signingKey, policies, changes, keys }: TunnelNeeds,
): Promise<{ readonly tunnels: TunnelServer; readonly presence: GatewayPresenceWriter }> {
  const { stack, clock, metrics, onFault, onSessionEvent, origins, incarnation } = start;
  const { watch, nonceProofs } = sessions;
  const following = { changes, watch, nonceProofs, outage, known, from };
  const peers = await openPeers(start, store, following, keys);
  const sink = observedSink(audit, onSessionEvent);
  const refusals = new SessionAudit(sink, parts.limits.strangerRefusalsPerMinuteMax);
  const tunnels = new TunnelServer({
    sessions,
    parts,
    signingKey,
    incarnation,
    ...(peers.places === undefined ? {} : { places: peers.places }),
    onResume: (outcome) => metrics.countResume(outcome),
    onResumeRefused: (error, { sessionId, id }) =>
      refusals.resumeRefused({ nowMs: clock(), sessionId, principal: id, error }),
    get publicOrigins() {
      return origins.all;
    },
  });
  // What leads here ends behind the tunnels: it waits for those that others passed on.
  const presence = await peers.serve(tunnels);
  policies.onChange(() => tunnels.policyChanged());
  outage?.onStillAway(() => {
    if (outage.isPast) tunnels.dismissAll(awayTooLong());
    else tunnels.dismissOver(clock());
  });
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
  return { tunnels, presence };
}

function awayTooLong(): ProxyError {
  return new ProxyError('store_unavailable', 'the store of the gateway is away for too long (storeOutageMs)');
}

/** What is told to others, and what they may send back. */
async function openOutlooks(
  observed: Parameters<typeof openTelemetry>[0],
  upstream: Upstream,
): Promise<void> {
  await openMetrics(observed);
  await openTelemetry(observed, upstream);
  await openCallbacks(observed);
}
