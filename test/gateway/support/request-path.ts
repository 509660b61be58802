// The gateway's request path in one process: streams are handed in directly, without tunnel and sessions.

import { duplexPair, PassThrough } from 'node:stream';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { DatagramFlows } from '../../../src/gateway/datagrams/datagram-flows.ts';
import type { AccessDesk } from '../../../src/gateway/access/access-desk.ts';
import type { QuestionDesk } from '../../../src/gateway/access/question-desk.ts';
import { CredentialSet } from '../../../src/gateway/credentials/credential-set.ts';
import {
  agentUseOf,
  type CredentialConfig,
  logsInWith,
  signsObjects,
} from '../../../src/gateway/credentials/credential-kinds.ts';
import { openServiceFetch } from '../../../src/gateway/forward/service-fetch.ts';
import { ByProtocolForwarder } from '../../../src/gateway/forward/forward-by-protocol.ts';
import { HttpFront } from '../../../src/gateway/front/http-front.ts';
import { Http2Front } from '../../../src/gateway/front/http2-front.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ProtocolEnds } from '../../../src/gateway/tunnels/protocol-ends.ts';
import { RefusalCounts } from '../../../src/gateway/audit/refusal-counts.ts';
import { PublishTimes } from '../../../src/gateway/packages/publish-times.ts';
import { SeenVersions } from '../../../src/gateway/packages/seen-versions.ts';
import { LiveGrants } from '../../../src/gateway/policies/live-grants.ts';
import type { MetadataCache } from '../../../src/gateway/cache/metadata-cache.ts';
import type { PackageCache } from '../../../src/gateway/cache/package-cache.ts';
import type { InsideTokens } from '../../../src/gateway/credentials/inside/inside-tokens.ts';
import type { CapturedBodies } from '../../../src/gateway/captured/captured-bodies.ts';
import type { LeakLedger } from '../../../src/gateway/leaks/leak-ledger.ts';
import type { LoopGuard } from '../../../src/gateway/forward/loop-guard.ts';
import { Deciders } from '../../../src/gateway/deciders/deciders.ts';
import { RuleTrust } from '../../../src/gateway/forward/rule-trust.ts';
import { type KnownIdPlace, LearnedIds } from '../../../src/gateway/exchange/learned-ids.ts';
import { ListedTools } from '../../../src/gateway/exchange/listed-tools.ts';
import { ModelBudgets } from '../../../src/gateway/exchange/model-budgets.ts';
import type { BudgetStore } from '../../../src/store/budget-store.ts';
import { builtInPrices, LlmPrices } from '../../../src/understand/llm-prices.ts';
import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import type { FirstSeenStore } from '../../../src/store/first-seen-store.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';
import { handleStream } from '../../../src/gateway/tunnels/stream-handler.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import type { ClientHello } from '../../../src/intercept/client-hello.ts';
import { peekFirstBytes } from '../../../src/intercept/peek.ts';
import { TlsTerminator } from '../../../src/intercept/tls-terminator.ts';
import { createDialer } from '../../../src/net/dialer.ts';
import { createResolver } from '../../../src/net/resolver.ts';
import { createEphemeralAuthority } from '../../../src/pki/certificate-authority.ts';
import { BoundPolicies, ceilingName, mainName } from '../../../src/policy/bound-policies.ts';
import { CompiledPolicy } from '../../../src/policy/compiled-policy.ts';
import type { Policy, Principal } from '../../../src/policy/decision.ts';
import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { type KnownNames, parsePolicy } from '../../../src/policy/parse-policy.ts';
import { BlindHosts, blindHostsText } from '../../../src/protocol/blind-hosts.ts';
import { asProxyError, ProxyError } from '../../../src/protocol/error.ts';
import type { OpenFields } from '../../../src/protocol/frame.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { RecordingSink } from './recording-sink.ts';
import { patienceMs } from '../../support/patience.ts';
import { tlsEndsInAgent } from '../../support/tls-end.ts';

export interface RequestPathOptions {
  /** YAML of the policy; `${name}` is nothing special here. */
  readonly policy: string;
  /** What decides on top of it. */
  readonly over?: (policy: Policy) => Policy;
  /** Of the token of each session, beside its subject. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly credentials?: Readonly<Record<string, CredentialConfig>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Variables of `environment` with planted values, by name. */
  readonly canaries?: Readonly<Record<string, { readonly env: string }>>;
  readonly leakLedger?: LeakLedger;
  /** Where ids that sessions were told are kept. */
  readonly knownIds?: KnownIdPlace;
  readonly deciders?: Deciders;
  /** Where versions that were seen are kept. */
  readonly firstSeen?: FirstSeenStore;
  /** Names to addresses; default: every name of `hosts` to 127.0.0.1. */
  readonly hosts: readonly string[];
  readonly trust: readonly string[];
  /** What rules can pin, PEM by name. */
  readonly ruleTrust?: Readonly<Record<string, readonly string[]>>;
  readonly limits?: Partial<Limits>;
  /** A desk for requests for access, whose host is then the gateway's own. */
  readonly loops?: LoopGuard;
  /** What budgets are counted in. */
  readonly budgetStore?: BudgetStore;
  readonly desk?: AccessDesk;
  /** Where people are asked about requests. */
  readonly questions?: QuestionDesk;
  /** Stands in for origins of archives. The caller disposes of it. */
  readonly cache?: (held: HeldOctets) => PackageCache;
  readonly metadata?: (held: HeldOctets) => MetadataCache;
  /** What is known against packages. */
  readonly advisories?: StreamParts['advisories'];
  readonly provenance?: StreamParts['provenance'];
  readonly checksums?: StreamParts['checksums'];
  /** Takes what rules have kept. */
  readonly captured?: CapturedBodies;
  /** Keeps tokens of log-ins from inside. */
  readonly inside?: InsideTokens;
}

export interface OpenedStream {
  /** The client's end. */
  readonly socket: Duplex;
  /** How the gateway ended it other than by an end. */
  readonly ended: Promise<ProxyError | undefined>;
}

export interface RequestPath extends AsyncDisposable {
  readonly audit: AuditEvent[];
  readonly caPem: string;
  readonly parts: StreamParts;
  /** Resolves when this many events are there. @throws if they do not come */
  events(count: number): Promise<readonly AuditEvent[]>;
  setPolicy(yaml: string): void;
  open(fields: OpenFields, principal?: string): OpenedStream;
  /** A stream to `host:port` with TLS up; ALPN as given. */
  tls(
    authority: string,
    options?: { alpn?: string[]; servername?: string; principal?: string },
  ): Promise<TLSSocket>;
}

export function compilePolicy(
  text: string,
  credentials: Iterable<string> = [],
  byKind: KnownNames = {},
): CompiledPolicy {
  const result = parsePolicy([{ file: 'policy.yaml', text }], { credentials, ...byKind });
  if ('problems' in result) throw new Error(result.problems.map((one) => one.message).join('\n'));
  return result.policy;
}

/** For `over`: the policy of the path below a ceiling. Of one policy it makes one, as a gateway does. */
export function underCeiling(text: string): (policy: Policy) => Policy {
  const ceiling = compilePolicy(text);
  let made: { readonly of: Policy; readonly policy: Policy } | undefined;
  return (policy) => {
    if (!(policy instanceof CompiledPolicy)) throw new Error('it is under something already');
    if (made?.of !== policy) {
      const both = [
        { name: ceilingName, policy: ceiling },
        { name: mainName, policy },
      ];
      made = { of: policy, policy: new BoundPolicies(policy.version, both) };
    }
    return made.policy;
  };
}

/** `name` has one session; `name/session` is another one of the same principal. */
export function testPrincipal(given: string): Principal {
  const [name = given, session = name] = given.split('/');
  return { id: `issuer|${name}`, sessionId: `session-${session}`, claims: { sub: name }, posture: [] };
}

/** Opens the request path; dispose it at the end. */
export function openRequestPath(options: RequestPathOptions): RequestPath {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const waiters = new Set<() => void>();
  const refusals = new RefusalCounts();
  // Beside the sink, which tests change.
  const counting = refusals.counting(new RecordingSink());
  const sink = new RecordingSink(() => {
    const event = sink.events.at(-1);
    if (event !== undefined) counting.append(event);
    for (const waiter of waiters) waiter();
  });
  const audit = sink.events;
  const credentialNames = Object.keys(options.credentials ?? {});
  const ofKind = (is: (one: CredentialConfig) => boolean): readonly string[] =>
    Object.entries(options.credentials ?? {}).flatMap(([name, one]) => (is(one) ? [name] : []));
  const byKind = {
    logins: ofKind((one) => logsInWith(one) === 'password'),
    sshKeys: ofKind((one) => logsInWith(one) === 'key'),
    signingKeys: ofKind(signsObjects),
    logInKeys: ofKind((one) => agentUseOf(one) === 'log-in'),
    hashKeys: ofKind((one) => agentUseOf(one) === 'hashes'),
  };
  let policy: Policy = compilePolicy(options.policy, credentialNames, byKind);
  const authority = createEphemeralAuthority(Date.now());
  const terminator = new TlsTerminator({
    issuer: authority,
    limits,
    clock: Date.now,
    isOwnName: (host) => options.loops?.isOwnName(host) === true,
  });
  const resolver = createResolver({
    limits,
    hosts: Object.fromEntries(['localhost', ...options.hosts].map((host) => [host, ['127.0.0.1']])),
    hostsFile: false,
  });
  const dialer = createDialer({ resolver, trust: options.trust, limits });
  const held = new HeldOctets(limits);
  const forwarder = new ByProtocolForwarder(dialer, limits, held);
  const services = openServiceFetch({ dialer, loopback: dialer }, { isUsed: true });
  const credentials = new CredentialSet(
    options.credentials ?? {},
    options.environment ?? {},
    services.fetch,
    { limits, ...(options.canaries === undefined ? {} : { canaries: options.canaries }) },
  );
  const { desk } = options;
  const { accessBodyBytesMax: bodyBytes } = limits;
  const granted = (): Policy => {
    if (options.over !== undefined) return options.over(policy);
    const emulated = credentials.emulations.hosts;
    if (desk === undefined && credentials.emulations.isEmpty) return policy;
    return new GrantedPolicy(policy, [], { bodyBytes }, { emulated });
  };
  const store = options.budgetStore ?? memoryBudgets();
  const common = {
    policy: granted,
    ...(desk === undefined ? {} : { desk }),
    ...(options.questions === undefined ? {} : { questions: options.questions }),
    ...(options.cache === undefined ? {} : { cache: options.cache(held) }),
    ...(options.metadata === undefined ? {} : { metadata: options.metadata(held) }),
    ...(options.inside === undefined ? {} : { inside: options.inside }),
    ...(options.captured === undefined ? {} : { captured: options.captured }),
    ...(options.advisories === undefined ? {} : { advisories: options.advisories }),
    ...(options.checksums === undefined ? {} : { checksums: options.checksums }),
    ...(options.provenance === undefined ? {} : { provenance: options.provenance }),
    ...(options.leakLedger === undefined ? {} : { leakLedger: options.leakLedger }),
    ...(options.deciders === undefined ? {} : { deciders: options.deciders }),
    ...(options.loops === undefined ? {} : { loops: options.loops }),
    credentials,
    audit: sink,
    forwarder,
    limits,
    clock: Date.now,
    live: new LiveGrants(),
    tools: new ListedTools(),
    ids: new LearnedIds(held, options.knownIds),
    budgets: new SessionBudgets(store, { limits }),
    models: new ModelBudgets(store, { prices: new LlmPrices(builtInPrices()), clock: Date.now }),
    held,
    unread: new HeldOctets(limits, unreadBounds),
    publishTimes: new PublishTimes(limits, Date.now),
    seenVersions: new SeenVersions(options.firstSeen ?? memoryFirstSeen(), Date.now),
    ruleTrust: new RuleTrust({}, new Map(Object.entries(options.ruleTrust ?? {}))),
  };
  const counted = { ...common, refusals };
  const front = new HttpFront(counted);
  const http2Front = new Http2Front(counted);
  const parts: StreamParts = {
    ...counted,
    front,
    http2Front,
    terminator,
    dialer,
    protocolEnds: new ProtocolEnds(limits, createSigningKey()),
    datagramFlows: new DatagramFlows(limits),
  };
  const open = (fields: OpenFields, principal = 'alice', isTls = false): OpenedStream => {
    const [socket, far] = duplexPair();
    const { promise: ended, resolve } = Promise.withResolvers<ProxyError | undefined>();
    socket.on('error', () => undefined);
    far.on('error', () => undefined);
    far.once('close', () => {
      resolve(undefined);
      // Closed without an end: the client sees a reset.
      if (!far.writableFinished) socket.destroy(new ProxyError('stream_reset', 'the gateway broke off'));
    });
    // As on a network: the far end learns that the client is gone.
    socket.once('close', () => far.destroy());
    const end = (error: ProxyError): void => {
      resolve(error);
      far.destroy();
      // As a reset: the client's socket is destroyed with an error, not ended.
      socket.destroy(error);
    };
    const serve = (duplex: Duplex, opened: OpenFields): void => {
      const port = { duplex, fields: opened, allowsMode: () => true, accept: () => undefined };
      const { claims, ...who } = testPrincipal(principal);
      const whose = { ...who, claims: { ...claims, ...options.claims } };
      void handleStream({ ...port, refuse: end, reset: end }, whose, parts);
    };
    if (isTls && tlsEndsInAgent) void endTls(far, fields, { terminator, parts, serve, principal });
    else serve(far, fields);
    return { socket, ended };
  };
  const tls: RequestPath['tls'] = async (text, { alpn, servername, principal } = {}) => {
    const { socket } = open({ authority: text, mode: 'raw' }, principal, true);
    const host = text.slice(0, text.lastIndexOf(':'));
    const secured = connectTls({
      socket,
      servername: servername ?? host,
      ca: authority.certificatesPem,
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
    });
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    secured.once('secureConnect', () => resolve(undefined));
    secured.once('error', reject);
    await promise;
    secured.on('error', () => undefined);
    return secured;
  };
  return {
    audit,
    caPem: authority.certificatesPem,
    parts,
    events: (count) => waitForEvents(audit, waiters, count),
    setPolicy: (text) => {
      policy = compilePolicy(text, credentialNames, byKind);
      common.live.review(granted(), Date.now());
    },
    open,
    tls,
    [Symbol.asyncDispose]: async () => {
      front.close();
      http2Front.close();
      terminator.close();
      parts.protocolEnds.close();
      await forwarder[Symbol.asyncDispose]();
      await credentials[Symbol.asyncDispose]();
      await services[Symbol.asyncDispose]();
    },
  };
}

interface AgentEnd {
  readonly terminator: TlsTerminator;
  readonly parts: StreamParts;
  readonly serve: (duplex: Duplex, fields: OpenFields) => void;
  readonly principal: string;
}

/** What an agent does that ends TLS, with the one root that the tests trust. */
async function endTls(
  far: Duplex,
  fields: OpenFields,
  { terminator, parts, serve, principal }: AgentEnd,
): Promise<void> {
  const { authority } = fields;
  const policy = parts.policy();
  const blind = new BlindHosts(
    blindHostsText(policy.version, policy.blindHosts(testPrincipal(principal)), 1 << 20),
  );
  if (blind.covers(authority)) return serve(far, fields);
  const first = await peekFirstBytes(far, { timeoutMs: patienceMs, limits: parts.limits });
  const hello = first.kind === 'tls' ? first.hello : undefined;
  const outcome = hello === undefined ? undefined : await terminateAs(hello, { terminator, far, authority });
  if (outcome === undefined) serve(far, fields);
  else if ('socket' in outcome) serve(outcome.socket, { ...fields, ...outcome.claims });
  else {
    const report = new PassThrough();
    // As the stream of a tunnel does: whoever serves it may have refused it before the failure comes.
    report.on('error', () => undefined);
    serve(report, { ...fields, mode: 'http1', ...outcome.claims });
    report.destroy(outcome.failed);
  }
}

async function terminateAs(
  hello: ClientHello,
  { terminator, far, authority }: { terminator: TlsTerminator; far: Duplex; authority: string },
): Promise<
  | { readonly socket: Duplex; readonly claims: Partial<OpenFields> }
  | { readonly failed: ProxyError; readonly claims: Partial<OpenFields> }
  | undefined
> {
  const host = authority.slice(0, authority.lastIndexOf(':'));
  const offered = hello.alpn.filter((name) => name === 'h2' || name === 'http/1.1');
  if ((hello.sni !== undefined && hello.sni !== host) || (hello.alpn.length > 0 && offered.length === 0))
    return undefined;
  const sni = hello.sni === undefined ? {} : { sni: hello.sni };
  try {
    const common = (['h2', 'http/1.1'] as const).filter((name) => offered.includes(name));
    const { socket, alpn } = await terminator.terminate(far, { host, alpn: common });
    return {
      socket,
      claims: {
        ...sni,
        mode: alpn === 'h2' ? 'http2' : 'http1',
        ...(alpn === undefined ? {} : { alpn }),
        ...(offered.length === 0 ? {} : { alpnOffer: offered.join(' ') }),
        tlsVersion: socket.getProtocol() ?? 'unknown',
      },
    };
  } catch (error) {
    const failed = asProxyError(error);
    // The bytes are where they were, and the gateway says what its limit is.
    return failed.code === 'limit_exceeded' ? undefined : { failed, claims: sni };
  }
}

async function waitForEvents(
  audit: readonly AuditEvent[],
  waiters: Set<() => void>,
  count: number,
): Promise<readonly AuditEvent[]> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    reject(new Error(`${audit.length} of ${count} events: ${JSON.stringify(audit)}`));
  }, patienceMs);
  const check = (): void => {
    if (audit.length >= count) resolve(undefined);
  };
  waiters.add(check);
  check();
  try {
    await promise;
  } finally {
    waiters.delete(check);
    clearTimeout(timer);
  }
  return audit;
}
