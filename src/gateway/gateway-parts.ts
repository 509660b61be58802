// What every stream of the gateway is served with: forwarder, TLS termination and the HTTP fronts.

import { DatagramFlows } from './datagrams/datagram-flows.ts';
import { readFile } from 'node:fs/promises';
import { ProtocolEnds } from './tunnels/protocol-ends.ts';
import { TlsTerminator } from '../intercept/tls-terminator.ts';
import { loadSystemTrust } from '../net/system-trust.ts';
import { checkCertificates } from '../pki/pem.ts';
import type { Policy } from '../policy/decision.ts';
import type { QuestionDesk } from './access/question-desk.ts';
import type { AccessDesk } from './access/access-desk.ts';
import type { ProxyError } from '../protocol/error.ts';
import { HeldOctets, unreadBounds } from '../protocol/held-octets.ts';
import type { LimitName } from '../protocol/limits.ts';
import type { BudgetStore } from '../store/budget-store.ts';
import type { FirstSeenStore } from '../store/first-seen-store.ts';
import type { KnownIdStore } from '../store/known-id-store.ts';
import type { RefusalCounts } from './audit/refusal-counts.ts';
import type { MetadataCache } from './cache/metadata-cache.ts';
import type { PackageCache } from './cache/package-cache.ts';
import type { CapturedBodies } from './captured/captured-bodies.ts';
import type { GatewayConfig } from './config/config.ts';
import type { CredentialSet } from './credentials/credential-set.ts';
import { ByProtocolForwarder } from './forward/forward-by-protocol.ts';
import { HttpFront } from './front/http-front.ts';
import { Http2Front } from './front/http2-front.ts';
import type { LeakLedger } from './leaks/leak-ledger.ts';
import type { LiveAdvisories } from './packages/advisories/live-advisories.ts';
import type { ChecksumDatabase } from './packages/checksums/checksum-database.ts';
import type { PackageProvenance } from './packages/package-provenance.ts';
import { PublishTimes } from './packages/publish-times.ts';
import { SeenVersions } from './packages/seen-versions.ts';
import { LiveGrants } from './policies/live-grants.ts';
import type { Deciders } from './deciders/deciders.ts';
import type { LoopGuard } from './forward/loop-guard.ts';
import type { HomeCredentials } from './credentials/request/home-credentials.ts';
import type { RuleTrust } from './forward/rule-trust.ts';
import type { ServiceFetch } from './forward/service-fetch.ts';
import { issuerFetch } from './sessions/oidc-fetch.ts';
import { oidcIssuer } from './sessions/oidc-issuer.ts';
import type { InsideTokens } from './credentials/inside/inside-tokens.ts';
import type { SigningKey } from './sessions/signing-key.ts';
import type { TokenIssuer } from './sessions/session-token.ts';
import { LearnedIds } from './exchange/learned-ids.ts';
import { ListedTools } from './exchange/listed-tools.ts';
import type { LlmPrices } from '../understand/llm-prices.ts';
import { pricesOf } from './config/price-file.ts';
import { ModelBudgets } from './exchange/model-budgets.ts';
import { SessionBudgets } from './exchange/session-budgets.ts';
import { ContinuedTraces } from './telemetry/trace-context.ts';
import { type LoopStall, LoopWatch } from './tunnels/loop-watch.ts';
import type { StreamParts } from './tunnels/stream-scene.ts';
import type { Upstream } from './upstream.ts';

export interface PartsInput {
  readonly config: GatewayConfig;
  readonly audit: StreamParts['audit'];
  readonly refusals: RefusalCounts;
  readonly clock: () => number;
  readonly policy: () => Policy;
  readonly desk: AccessDesk | undefined;
  readonly questions: QuestionDesk;
  readonly credentials: CredentialSet;
  readonly homes: HomeCredentials | undefined;
  readonly held: HeldOctets;
  readonly captured: CapturedBodies;
  readonly inside: InsideTokens;
  readonly cache: PackageCache | undefined;
  readonly metadata: MetadataCache | undefined;
  readonly leakLedger: LeakLedger;
  readonly deciders: Deciders;
  readonly advisories: LiveAdvisories | undefined;
  readonly provenance: PackageProvenance | undefined;
  readonly checksums: ChecksumDatabase;
  readonly authority: ConstructorParameters<typeof TlsTerminator>[0]['issuer'];
  readonly upstream: Upstream;
  readonly signingKey: Pick<SigningKey, 'signText'>;
  /** What rules pin beside it. */
  readonly ruleTrust: RuleTrust;
  readonly loops: LoopGuard;
  readonly stack: AsyncDisposableStack;
  readonly onLimit: (limit: LimitName) => void;
  readonly budgetStore: BudgetStore;
  readonly knownIds: KnownIdStore;
  readonly firstSeen: FirstSeenStore;
  /** Of sessions, as far back as it is kept. */
  readonly hasEnded: (sessionId: string) => boolean;
  /** Of models. */
  readonly prices: LlmPrices;
  readonly onFault: (error: ProxyError) => void;
  readonly onStall: (stall: LoopStall) => void;
}

export function readFiles(paths: readonly string[]): Promise<readonly string[]> {
  return Promise.all(paths.map((path) => readFile(path, 'utf8')));
}

/** What origins and issuers are verified against: the system's list unless told otherwise, and the operator's own. */
export async function loadTrust({ upstream }: GatewayConfig): Promise<readonly string[]> {
  const extra = await readFiles(upstream.ca);
  return upstream.systemTrust ? loadSystemTrust({ extra }) : extra.flatMap(checkCertificates);
}

/** What models cost. @throws InvalidFilesError */
export async function loadPrices({ modelPrices: file }: GatewayConfig): Promise<LlmPrices> {
  return pricesOf(file === undefined ? undefined : { file, text: await readFile(file, 'utf8') });
}

/** What the configuration's issuers are asked with: each is verified against its own authorities too, which count for nothing else. */
export function openIssuers(
  { issuers, limits }: Pick<GatewayConfig, 'issuers' | 'limits'>,
  fetch: ServiceFetch,
): Promise<readonly TokenIssuer[]> {
  return Promise.all(
    issuers.map(async (issuer) => {
      const ca = (await readFiles(issuer.ca)).flatMap(checkCertificates);
      return oidcIssuer({ ...issuer, fetch: issuerFetch(fetch, ca), limits });
    }),
  );
}

function keptOf({ captured, inside, cache, metadata }: PartsInput): Partial<StreamParts> {
  return { captured, inside, cache, metadata };
}

export function openParts(input: PartsInput): StreamParts {
  const { config, audit, clock, policy, credentials, held, authority, stack, prices } = input;
  const { limits } = config;
  const { dialer } = input.upstream;
  // Before what carries exchanges: they are settled when that has ended.
  const models = stack.use(new ModelBudgets(input.budgetStore, { prices, clock, onFault: input.onFault }));
  const forwarder = stack.use(new ByProtocolForwarder(dialer, limits, held));
  const terminator = stack.adopt(
    new TlsTerminator({ issuer: authority, limits, clock, isOwnName: (host) => input.loops.isOwnName(host) }),
    (one) => {
      one.close();
    },
  );
  const front = {
    policy,
    credentials,
    ...(input.homes === undefined ? {} : { homes: input.homes }),
    held,
    ...keptOf(input),
    leakLedger: input.leakLedger,
    deciders: input.deciders,
    ...(input.advisories === undefined ? {} : { advisories: input.advisories }),
    ...(input.provenance === undefined ? {} : { provenance: input.provenance }),
    checksums: input.checksums,
    unread: new HeldOctets(limits, unreadBounds),
    audit,
    forwarder,
    limits,
    clock,
    live: new LiveGrants(),
    budgets: stack.use(new SessionBudgets(input.budgetStore, { limits, onFault: input.onFault })),
    tools: new ListedTools(),
    ids: new LearnedIds(held, { store: input.knownIds, clock, onFault: input.onFault }, input.hasEnded),
    models,
    publishTimes: new PublishTimes(limits, clock),
    seenVersions: new SeenVersions(input.firstSeen, clock),
    ruleTrust: input.ruleTrust,
    ...((config.telemetry?.otlp?.tracesSampled ?? 0) > 0
      ? { traces: new ContinuedTraces(limits.continuedTracesPerSecondMax) }
      : {}),
    loops: input.loops,
    questions: input.questions,
    help: config.denials,
    ...(input.desk === undefined ? {} : { desk: input.desk }),
  };
  const close = (one: HttpFront | Http2Front): void => {
    one.close();
  };
  const http1 = stack.adopt(new HttpFront(front), close);
  const http2 = stack.adopt(new Http2Front(front), close);
  const loopWatch = new LoopWatch({ stallMs: limits.loopStallMs, onStall: input.onStall });
  const { onLimit, refusals } = input;
  const protocolEnds = stack.adopt(new ProtocolEnds(limits, input.signingKey), (one) => {
    one.close();
  });
  const ends = { front: http1, http2Front: http2, terminator, protocolEnds };
  const datagramFlows = new DatagramFlows(limits);
  return { ...front, ...ends, datagramFlows, dialer, onLimit, refusals, loopWatch };
}
