// What is known of an exchange so far, and the promise that exactly one audit event comes of it. Its verbs are what happens to an
// exchange, in the order in which it may happen: began → decided → dialled → responded → ended.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { PackageFacts, QuestionFacts } from '../../api/audit-facts.ts';
import type { Destination } from '../../http/destination.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { DecidedPackage, Decision, DenyDecision, Principal } from '../../policy/decision.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ExchangeSink } from '../audit/audit-log.ts';
import { newEventId, newTraceId, wholeText } from '../audit/event-identity.ts';
import type { OpenExchange } from '../audit/open-exchanges.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import type { OriginConnection } from '../forward/forwarder.ts';
import { gitFacts, type ReadPush } from '../git/git-facts.ts';
import type { RefusedPush } from '../git/refused-push.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { GraphqlRequest } from '../../understand/graphql-request.ts';
import type { LlmApi } from '../../understand/llm-endpoint.ts';
import type { McpMessage } from '../../understand/mcp-message.ts';
import { type ExchangeFacts, newFacts, type OpenFacts } from './exchange-facts.ts';
import { ExchangeTimes } from './exchange-times.ts';
import { graphqlFacts } from './graphql-facts.ts';
import type { DenialHelp } from './denial.ts';
import { mcpFacts } from './mcp-facts.ts';
import { type KnownOfPackage, packageFacts, packageWith } from './package-facts.ts';
import { type Finding, noteFault, noteFinding } from './note-finding.ts';
import { refusedForRate } from './record-faults.ts';
import {
  type AskedRequest,
  type FaultNotes,
  type JudgedBy,
  outOfOrder,
  type RareFacts,
} from './record-inputs.ts';

type State = 'began' | 'decided' | 'dialled' | 'responded' | 'ended';
const none: readonly (() => void)[] = [];

/** Collects facts and appends one event when it has ended; what comes later changes nothing. */
export class ExchangeRecord implements OpenExchange {
  readonly traceId: string;
  readonly #times = new ExchangeTimes();
  /** Becomes the event itself. */
  readonly #facts: OpenFacts;
  #kept: readonly (() => void)[] = none;
  readonly #sink: ExchangeSink;
  readonly #principal: Principal;
  /** Why it may not be at all: its session fills the audit. It has no event of its own then. */
  readonly overRate: ProxyError | undefined;
  /** Of clients that get their own form of response: of JSON-RPC, of GraphQL, of a service of models, and of packages. */
  message: McpMessage | undefined;
  graphql: GraphqlRequest | undefined;
  modelApi: LlmApi | undefined;
  fetched: DecidedPackage | undefined;
  openPlace: OpenExchange['openPlace'];
  #state: State = 'began';
  #effect: Decision['effect'] | undefined;
  /** Whether the denial is one that a request for access could change. */
  mayAskAccess = false;
  help: DenialHelp | undefined;
  /** Set where the refs of a push were refused: git gets its own form of response. */
  refusedPush: RefusedPush | undefined;
  #hidden = 0;
  #aliases: OriginConnection['aliases'];
  constructor(sink: ExchangeSink, kind: 'exchange' | 'stream', principal: Principal, nowMs: number) {
    this.#sink = sink;
    this.#principal = principal;
    this.traceId = newTraceId();
    this.overRate = sink.overRate(principal.sessionId);
    this.#facts = newFacts(kind, this.traceId, principal, nowMs);
  }

  get sessionId(): string {
    return this.#principal.sessionId;
  }

  /** What is known so far. */
  get facts(): Readonly<ExchangeFacts> {
    return this.#facts;
  }

  /** The audit is to have it even if this process ends first; what is learned of it later is kept too. */
  keep(): void {
    if (this.#state !== 'ended' && this.overRate === undefined) this.#sink.keep(this);
  }

  /** What has to be given back when it has ended, however it does; giving back twice is harmless. */
  keeps(release: () => void): void {
    if (this.#state === 'ended') release();
    else this.#kept = [...this.#kept, release];
  }

  /** By which its event will be found. */
  get eventId(): string {
    return (this.#facts.id ??= newEventId());
  }

  /** What of its bodies is kept beside the event. */
  captured(kept: NonNullable<AuditEvent['captured']>): void {
    this.#facts.captured = kept;
  }

  /** What the client said, in case it is refused. */
  asked({ method, target, protocol, destination }: AskedRequest): void {
    if (method !== undefined) this.#facts.method = method;
    if (target !== undefined) this.#facts.path = target;
    if (protocol !== undefined) this.#facts.protocol = protocol;
    if (destination !== undefined) this.reached(destination);
  }

  /** Where a stream or a request goes to, as far as it is known. */
  reached({ scheme, host, port }: Partial<Destination>): void {
    if (scheme !== undefined) this.#facts.scheme = scheme;
    if (host !== undefined) this.#facts.host = host;
    if (port !== undefined) this.#facts.port = port;
  }

  /** The request in the form in which it is judged and sent. */
  validated(head: RequestHead): void {
    this.reached(head.destination);
    this.#facts.method = head.method;
    this.#facts.path = wholeText(head.path, head.query);
    this.gitSeen(gitFacts(head));
  }

  /** The commands of a push. */
  pushRead(head: RequestHead, push: ReadPush | undefined): void {
    this.gitSeen(gitFacts(head, push));
  }

  /** The message in its body; undefined: it has none. */
  messageRead(message: McpMessage | UnreadableBody | undefined): void {
    if (message === undefined || message instanceof UnreadableBody) return;
    this.message = message;
    this.#facts.mcp = mcpFacts(message);
  }

  /** The operations that it asks for. */
  graphqlRead(graphql: GraphqlRequest | UnreadableBody): void {
    if (graphql instanceof UnreadableBody) return;
    this.graphql = graphql;
    this.#facts.graphql = graphqlFacts(graphql);
  }

  /** A call of a model, as far as it could be read; again with what it took. */
  callRead(api: LlmApi, facts: ExchangeFacts['llm']): void {
    this.modelApi = api;
    if (facts !== undefined) this.#facts.llm = facts;
  }

  /** What the policy said. One that allows and awaits more of the request is no decision yet: nothing may be dialled on it. */
  decided(decision: Decision, { policyVersion, mayAskAccess = false, help }: JudgedBy): void {
    this.#expect('decided', 'began');
    this.#facts.rule = decision.rule.name;
    this.#facts.policyName = decision.rule.policy;
    this.#facts.policyVersion = policyVersion;
    this.mayAskAccess = mayAskAccess;
    this.help = help;
    this.fetched = decision.package;
    if (decision.package !== undefined) this.#facts.package = packageFacts(decision.package);
    if (decision.effect === 'deny') this.#denied(decision);
    else if (decision.awaits !== undefined) return;
    else if (decision.observed !== undefined) this.#facts.observed = decision.observed;
    this.#effect = decision.effect;
    this.#times.decided();
    this.#enter('decided');
  }

  /** It goes on with the trace of its client, who said so in this field. */
  continuesTrace(traceparent: string): void {
    this.#facts.traceparent = traceparent;
  }

  /** A rule that explains a refusal, though it decided about something else. */
  explainedBy(rule: string, policyVersion?: string): void {
    this.#facts.rule = rule;
    if (policyVersion !== undefined) this.#facts.policyVersion = policyVersion;
  }

  /** Refs of a push that no rule allows. */
  pushRefused(push: RefusedPush): void {
    this.refusedPush = push;
  }

  /** A person was asked about it. */
  questioned(question: QuestionFacts): void {
    this.#facts.question = question;
  }

  /** What was put on the request, of the credentials that its rule has. */
  injected(
    { names, stripped }: Pick<InjectedRequest, 'names' | 'stripped'>,
    offered: readonly string[],
  ): void {
    this.#expectAllowed('injected');
    this.#facts.injected = names;
    if (names.length < offered.length) this.#facts.offered = offered;
    if (stripped.length > 0) this.#detailed({ stripped });
    this.keep();
  }

  /** Invariant 1: no dial before a decision that allows. Which connection carries it; again if it is sent once more. */
  dialled(connection: OriginConnection): void {
    if (this.#state === 'ended') return;
    this.#expectAllowed('dialled');
    const { address, aliases, isKept = false } = connection;
    this.#facts.address = address;
    this.#facts.connection = isKept ? 'kept' : 'new';
    this.#aliases = aliases;
    this.#times.dialled(connection);
    this.#enter('dialled');
    this.keep();
  }

  /** So many bytes of the request's body went out by now. */
  sent(bytes: number): void {
    this.#facts.requestBytes = bytes;
    if (bytes > 0) this.#times.sent();
  }

  /** The head of the origin's response has come. */
  responded(status: number): void {
    if (this.#state === 'ended') return;
    this.#expect('responded', 'dialled', 'responded');
    this.#facts.status = status;
    this.#times.responded();
    this.#enter('responded');
  }

  /** So many bytes of the response's body came by now. */
  received(bytes: number): void {
    this.#facts.responseBytes = bytes;
  }

  /** Secrets were taken out of the response, so many times. */
  scrubbed(count: number): void {
    if (count > 0) this.#detailed({ scrubbed: count });
  }

  /** So many items were taken out of lists. */
  hid(count: number): void {
    this.#hidden += count;
    if (this.#hidden > 0) this.#detailed({ hidden: this.#hidden });
  }

  noted(more: RareFacts): void {
    this.#detailed(more);
  }

  /** The archive that came is what its registry promises, or something runs of it. */
  knownOfPackage(known: KnownOfPackage): void {
    if (this.#facts.package !== undefined) this.#facts.package = packageWith(this.#facts.package, known);
  }

  /** Nothing is dialled for what the cache has, or the fetch of another exchange. Undefined: the origin is asked. */
  archiveFrom(cache: PackageFacts['cache']): void {
    this.#expectAllowed('served');
    this.knownOfPackage({ cache });
    if (cache !== undefined) this.#enter('dialled');
  }

  /** Tools of a list that are defined in another way than their pins say. */
  foundChanged(tools: readonly string[]): void {
    const { changedToolsToldMax: max } = defaultLimits;
    this.#detailed({ changed: tools.slice(0, max) });
  }

  /** Something was found in it, or said of it. */
  found(one: Finding): void {
    noteFinding(this.#facts, one);
  }

  /** So many fields of JSON were changed by its rule. */
  rewrote(side: 'request' | 'response', changes: number): void {
    this.#detailed({ [side === 'request' ? 'requestRewritten' : 'responseRewritten']: changes });
  }

  /** The origin switched to what was asked for; from here on bytes pass. */
  switched(status: number, upstreamProtocol: string): void {
    this.responded(status);
    this.#facts.verdict = 'allow';
    this.#facts.upstreamProtocol = upstreamProtocol;
    this.keep();
  }

  /** It went as asked, and the response over that protocol is whole; what is no HTTP has none. */
  succeeded(upstreamProtocol?: string): void {
    this.#expect('succeeded', 'dialled', 'responded');
    this.#facts.verdict = 'allow';
    if (upstreamProtocol === undefined) return;
    this.#facts.upstreamProtocol = upstreamProtocol;
    this.#times.completed();
  }

  /** It went on within what was allowed and dialled before. */
  passed(): void {
    this.#expectAllowed('passed');
    this.#facts.verdict = 'allow';
  }

  /** The gateway itself was asked, and responded. */
  servedHere(status: number, bytes: { readonly request: number; readonly response: number }): void {
    this.#facts.verdict = 'info';
    this.#facts.status = status;
    this.#facts.requestBytes = bytes.request;
    this.#facts.responseBytes = bytes.response;
  }

  /** Nothing was asked for. */
  stayedSilent(): void {
    this.#facts.verdict = 'info';
    this.#facts.message = 'the client sent nothing';
  }

  /** It may not be. */
  refused(error: ProxyError, notes?: FaultNotes): void {
    this.#facts.verdict = 'deny';
    noteFault(this.#facts, error, notes);
  }

  /** Something broke. */
  failed(error: ProxyError, notes?: FaultNotes): void {
    this.#facts.verdict = 'error';
    noteFault(this.#facts, error, notes);
  }

  /** It went as asked until this ended it. */
  cutShort(error: ProxyError): void {
    noteFault(this.#facts, error);
  }

  /** What the client was told when it did not go as asked. */
  refusedWith(status: number): void {
    this.#facts.status = status;
  }

  /** The one event. */
  ended(): void {
    if (this.#state === 'ended') return;
    this.#enter('ended');
    for (const release of this.#kept) release();
    this.#kept = none;
    const event = this.#event(this.#facts.verdict ?? 'error');
    this.#facts.durationMs = this.#times.sinceBeginMs();
    // The only events that share one; what went through has its own in any case.
    if (this.overRate === undefined || event.verdict === 'allow') this.#sink.append(event, this);
    else this.#sink.sum(refusedForRate(event, this.overRate));
  }

  unfinished(): AuditEvent {
    const decided = this.#effect;
    const message = 'The gateway ended before this did; what is said here was known shortly after it began.';
    const { verdict } = this.#facts;
    // A copy: what becomes known later is not in it.
    const event = { message, ...this.#event('unknown'), ...(decided === undefined ? {} : { decided }) };
    this.#facts.verdict = verdict;
    return event;
  }

  #denied({ operatorReason, field }: DenyDecision): void {
    this.#facts.message = operatorReason;
    if (field !== undefined) this.#facts.deniedField = field;
  }

  gitSeen(git: ExchangeFacts['git']): void {
    if (git !== undefined) this.#facts.git = git;
  }

  #detailed(more: Readonly<Record<string, unknown>>): void {
    this.#facts.details = { ...this.#facts.details, ...more };
  }

  #enter(state: State): void {
    if (this.#state !== 'ended') this.#state = state;
  }

  #expectAllowed(verb: string): void {
    this.#expect(verb, 'decided', 'dialled', 'responded');
    if (this.#effect !== 'allow') throw outOfOrder(verb, 'denied');
  }

  /** Fails closed: an exchange whose steps come in a wrong order does not go on. */
  #expect(verb: string, ...states: readonly State[]): void {
    if (!states.includes(this.#state)) throw outOfOrder(verb, this.#state);
  }

  /** The facts themselves: nothing is added to them any more. */
  #event(verdict: AuditEvent['verdict']): AuditEvent {
    const aliases = this.#aliases?.() ?? [];
    if (aliases.length > 0) this.#facts.aliases = aliases;
    this.#facts.times = this.#times.event();
    // The same id in the marker and in the event.
    const id = this.eventId;
    this.#facts.verdict = verdict;
    // It has all that an event has now.
    return this.#facts as OpenFacts & { readonly id: typeof id; readonly verdict: typeof verdict };
  }
}
