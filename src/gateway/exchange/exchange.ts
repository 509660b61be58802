// THE request path, read top to bottom. Its order is fixed here and nowhere configurable:
// validate → decide → inject → (resolve, check, dial, verify: the dialer) → forward → scrub → audit.

import type { RequestHead } from '../../http/message-head.ts';
import { validateProxyRequest, validateRequest } from '../../http/request-validation.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import { validateTrailers } from '../../http/trailers.ts';
import { defaultDenyName } from '../../policy/compiled-policy.ts';
import type { AllowDecision, Decision, Policy, Principal, RequestAccess } from '../../policy/decision.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { AccessDesk } from '../access/access-desk.ts';
import { respondForOwnHost } from './own-host.ts';
import type { ExchangeSink } from '../audit/audit-log.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import { confirmDecision, type DecisionBasis, denied } from './confirm-decision.ts';
import { decidedRequest } from './decided-request.ts';
import { bodyFacts, declaredLength, hasBody } from './body-facts.ts';
import { bodyTooLarge, enforceBodies } from './enforce-bodies.ts';
import { type BodyCapture, captureOf } from './body-capture.ts';
import type { CapturedBodies } from '../captured/captured-bodies.ts';
import { type BodyFacts, throughTransform } from '../credentials/request/body-rewrite.ts';
import type { CredentialSet, InjectedRequest } from '../credentials/credential-set.ts';
import type { HomeCredentials } from '../credentials/request/home-credentials.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { holdBody, releaseBody } from './hold-body.ts';
import { observedPush } from '../git/observed-push.ts';
import { readPush } from '../git/read-push.ts';
import { refusePush } from './git-denial.ts';
import { refusedPush } from '../git/refused-push.ts';
import type { ForwardRequest, Forwarder } from '../forward/forwarder.ts';
import type { LiveGrants } from '../policies/live-grants.ts';
import type { LoopGuard } from '../forward/loop-guard.ts';
import { refuse } from './refusal.ts';
import { ResponseRelay } from './response-relay.ts';
import { ResponseRoom } from './response-room.ts';
import type { RuleTrust } from '../forward/rule-trust.ts';
import { type HomeInjected, injectOfHome } from './inject-of-home.ts';
import { windowBytes } from '../scrub/response-scrubber.ts';
import { askSearchable } from '../scrub/searchable-response.ts';
import { meteredStream, type SpendBytes } from '../forward/metered-stream.ts';
import { TokenGuard } from './token-guard.ts';
import type { ContinuedTraces } from '../telemetry/trace-context.ts';
import type { SessionBudgets } from './session-budgets.ts';

export interface ExchangeParts {
  readonly policy: () => Policy;
  readonly credentials: CredentialSet;
  /** Of an embedded gateway: secrets of the caller's home. */
  readonly homes?: HomeCredentials;
  readonly audit: ExchangeSink;
  readonly forwarder: Forwarder;
  readonly budgets: SessionBudgets;
  /** What is held of sessions, and of all. */
  readonly held: HeldOctets;
  /** What came of them, or for them, and nobody takes. */
  readonly unread: HeldOctets;
  /** What runs longer than the decision that began it. */
  readonly live: LiveGrants;
  readonly ruleTrust: RuleTrust;
  /** Where traces are sent: those of clients that rules go on with. */
  readonly traces?: ContinuedTraces;
  readonly limits: Limits;
  /** Refuses what comes back to this gateway. */
  readonly loops?: LoopGuard;
  /** Keeps bodies where a rule asks for it. */
  readonly captured?: CapturedBodies;
  readonly clock: () => number;
  /** Takes requests for access, if that is enabled. */
  readonly desk?: AccessDesk;
}

/** A request that may go upstream, with everything that the decision gave it. */
export interface Admitted {
  readonly validated: ValidatedRequest;
  /** What was decided about. */
  readonly access: RequestAccess;
  readonly decision: AllowDecision;
  readonly basis: DecisionBasis;
  readonly injected: InjectedRequest | HomeInjected;
  /** Pays for bytes, of both directions, where the rule limits them. */
  readonly spendBytes: SpendBytes | undefined;
  /** Where the rule has bodies kept. */
  readonly capture?: BodyCapture | undefined;
}

/** Runs one exchange to its end; never throws: every outcome is a response and one audit event. */
export async function runExchange(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
): Promise<void> {
  const record = new ExchangeRecord(parts.audit, 'exchange', scene.principal, parts.clock());
  record.keep();
  try {
    const admitted = await admit(client, scene, parts, record);
    const { head } = admitted.validated;
    using capture = captureOf(admitted, scene.principal, parts);
    if (head.destination.host === accessHost) {
      const { principal, absence } = scene;
      const known = { client, head, principal, absence, record, policy: parts.policy() };
      await respondForOwnHost(parts.desk, { ...known, limits: parts.limits, clock: parts.clock });
    } else {
      await forward(client, scene, parts, { admitted: { ...admitted, capture }, record });
    }
  } catch (error) {
    const fault = asProxyError(error);
    const { refusedPush: push } = record;
    if (push === undefined) refuse(client, fault, record);
    else await refusePush(client, fault, record, { push, limits: parts.limits });
  } finally {
    // Invariant 4: exactly one audit event for each exchange, on every path.
    record.ended();
  }
}

/** Validate, decide, inject: the steps before anything is dialled. @throws ProxyError for a refusal */
export async function admit(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Promise<Admitted> {
  record.asked({
    method: client.method,
    target: client.target,
    protocol: scene.protocol,
    destination: scene.destination,
  });
  if (record.overRate !== undefined) throw record.overRate;
  requireAudit(parts, scene.principal.sessionId);
  parts.budgets.admitRequest(scene.principal.sessionId, parts.clock());
  const asked = validate(client, scene, parts.limits);
  record.validated(asked.head);
  const { destination, headers } = asked.head;
  const via = headers.all('via');
  parts.loops?.check(destination, scene.via ?? (via.length === 0 ? undefined : via.join(', ')));
  const { decision, access, basis } = await decide({ client, validated: asked }, scene, parts, record);
  const validated = decidedRequest(asked, decision, parts, record);
  await enforceBodies(client, validated, decision, parts.limits);
  const spendBytes = await parts.budgets.admit(scene.principal.sessionId, decision, parts.clock());
  const body = bodyFacts(client, scene.principal, validated, record);
  const injected =
    injectOfHome(validated, decision, parts.homes) ??
    (await inject({ head: validated.head, body }, decision, parts));
  const stripped = [...(decision.removedFields ?? []), ...injected.stripped];
  record.injected(
    { names: injected.names, stripped },
    decision.inject.map(({ credential }) => credential),
  );
  return { validated, access, decision, basis, injected, spendBytes };
}

/** Nothing is begun that the audit could not tell of. @throws ProxyError audit_unavailable, limit_exceeded */
export function requireAudit(
  { audit, limits }: Pick<ExchangeParts, 'audit' | 'limits'>,
  sessionId: string,
): void {
  if (!audit.healthy)
    throw new ProxyError('audit_unavailable', 'the audit log cannot be written, so nothing is forwarded');
  const max = limits.openExchangesPerSessionMax;
  if (audit.openOf(sessionId) <= max) return;
  throw new ProxyError(
    'limit_exceeded',
    `the session may have ${max} requests and streams at once (openExchangesPerSessionMax)`,
    { limit: 'openExchangesPerSessionMax' },
  );
}

function validate(client: ClientExchange, scene: ExchangeScene, limits: Limits): ValidatedRequest {
  const { method, target, rawHeaders, httpVersion } = client;
  const ended = client.endsAtHead === undefined ? {} : { ended: client.endsAtHead };
  const input = { method, target, rawHeaders, httpVersion, limits, ...ended };
  const { destination } = scene;
  return destination === undefined ? validateProxyRequest(input) : validateRequest({ ...input, destination });
}

/**
 * Invariant 1: no dial before a decision; no decision without a rule. A push by git whose refs a rule looks at is decided
 * twice: by its head, and by the commands that its body begins with.
 */
async function decide(
  { client, validated }: { readonly client: ClientExchange; readonly validated: ValidatedRequest },
  { principal }: ExchangeScene,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Promise<Pick<Admitted, 'decision' | 'access' | 'basis'>> {
  const { head } = validated;
  const { destination, method, path, query, headers } = head;
  const access = { depth: 'request', destination, method, path, query, headers } as const;
  const { decision: first, basis } = judge(access, principal, parts, record);
  if (first.effect === 'allow') {
    const room = holdBody(client, validated, principal, parts);
    if (room !== undefined) record.keeps(() => room.release());
  }
  if (first.effect === 'deny' || first.awaits === undefined) {
    const decision = allowed(first);
    if (decision.observed !== undefined)
      record.pushRead(head, await observedPush(client, head, parts.limits));
    return { decision, access, basis };
  }
  client.sendContinue();
  const commands = await readPush(client.body, headers, parts.limits);
  const push = { ...access, pushed: commands.updates, pushOptions: commands.options };
  record.pushRead(head, commands);
  const { decision, basis: pushBasis } = judge(push, principal, parts, record);
  if (decision.effect === 'deny') {
    const isAllowed = (one: RequestAccess): boolean =>
      parts.policy().decide(principal, one, parts.clock()).effect === 'allow';
    record.pushRefused(refusedPush(commands, push, isAllowed));
  }
  return { decision: allowed(decision), access: push, basis: pushBasis };
}

function judge(
  access: RequestAccess,
  principal: Principal,
  parts: ExchangeParts,
  record: ExchangeRecord,
): { readonly decision: Decision; readonly basis: DecisionBasis } {
  const basis = { policy: parts.policy(), atMs: parts.clock() };
  const { policy } = basis;
  const decision = policy.decide(principal, access, basis.atMs);
  const mayAskAccess =
    decision.effect === 'deny' && parts.desk !== undefined && decision.rule.name === defaultDenyName;
  record.decided(decision, { policyVersion: policy.version, mayAskAccess });
  return { decision, basis };
}

/** @throws ProxyError policy_denied */
function allowed(decision: Decision): AllowDecision {
  if (decision.effect === 'deny') throw denied(decision);
  return decision;
}

/** Invariant: a credential goes only on a request that its own rule admitted, and never in the clear. */
async function inject(
  { head, body }: { readonly head: RequestHead; readonly body: BodyFacts | undefined },
  decision: AllowDecision,
  parts: ExchangeParts,
): Promise<InjectedRequest> {
  if (decision.inject.length === 0)
    return {
      head,
      names: [],
      searched: undefined,
      decode: false,
      keepsRange: true,
      stripped: [],
      onRejected: () => undefined,
    };
  if (head.destination.scheme !== 'https') {
    throw new ProxyError(
      'credential_unavailable',
      'a credential is never sent over cleartext HTTP; use https',
    );
  }
  const injected = await parts.credentials
    .inject(head, decision.inject, parts.clock(), body)
    .catch((error: unknown) => {
      throw withoutReason(error);
    });
  if (injected.searched === undefined) return injected;
  const headers = askSearchable(injected.head.headers, injected);
  return { ...injected, head: { ...injected.head, headers } };
}

/** Room for what is held back of a response that is searched. @throws ProxyError limit_exceeded */
export function responseRoom(
  { principal }: ExchangeScene,
  { held, unread }: Pick<ExchangeParts, 'held' | 'unread'>,
  searched: InjectedRequest['searched'],
  windows = 1,
): ResponseRoom {
  const room = new ResponseRoom({ held, unread }, principal.sessionId);
  if (searched !== undefined) room.keep(windows * windowBytes(searched.tables));
  return room;
}

interface Forwarding {
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
}

async function forward(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  { admitted, record }: Forwarding,
): Promise<void> {
  let ended: ProxyError | undefined;
  const end = (error: ProxyError): void => {
    ended = error;
    client.abort(error);
  };
  using relay = new ResponseRelay({
    client: admitted.capture?.ofResponse(client) ?? client,
    fail: end,
    searched: admitted.injected.searched,
    quietMs: admitted.decision.scrub?.quietMs,
    decode: admitted.injected.decode,
    request: admitted.validated.head,
    limits: parts.limits,
    spendBytes: admitted.spendBytes,
    onText: admitted.capture?.onText,
    room: responseRoom(scene, parts, admitted.injected.searched),
    onStatus: (status) => record.responded(status),
  });
  const request = forwardRequest(client, scene, parts, { admitted, record });
  const release = parts.live.add({
    principal: scene.principal,
    access: admitted.access,
    decision: admitted.decision,
    end,
  });
  try {
    // From here on a change of the policy ends it.
    confirmDecision(admitted, scene.principal, parts);
    throwIfGone(client);
    client.sendContinue();
    const guard =
      'isOfHome' in admitted.injected ? new TokenGuard(relay, request.head.destination.host) : undefined;
    const { protocol } = await parts.forwarder.forward(request, guard ?? relay);
    guard?.end();
    await relay.end();
    record.succeeded(protocol);
  } catch (error) {
    // What broke is the consequence of that.
    throw ended ?? relay.harmless(error);
  } finally {
    release();
    releaseBody(client, request);
    if (relay.status === 401) admitted.injected.onRejected(parts.clock());
    record.received(relay.bodyBytes);
    record.scrubbed(relay.scrubbed);
    admitted.capture?.keep(record);
  }
}

/** What goes upstream, from the admitted request: nothing is copied from the client's bytes. */
export function forwardRequest(
  client: ClientExchange,
  scene: ExchangeScene,
  { limits, ruleTrust }: Pick<ExchangeParts, 'limits' | 'ruleTrust'>,
  { admitted, record }: Forwarding,
): ForwardRequest {
  const { validated, decision, injected } = admitted;
  const tls = ruleTrust.tlsOf(decision, injected.tls);
  let bodyBytes = 0;
  record.sent(0);
  return {
    head: injected.head,
    ...upstreamBody(client, admitted),
    acceptsTrailers: validated.trailersAccepted,
    trailers: () => validateTrailers(client.trailers(), 'request', limits).toRaw(),
    principalId: scene.principal.id,
    sessionId: scene.principal.sessionId,
    addresses: decision.addresses,
    credentials:
      'isOfHome' in injected ? injected.names : decision.inject.map(({ credential }) => credential),
    isKeptAfterBody: decision.isByDestination === true,
    ...(tls === undefined ? {} : { tls }),
    ...(scene.via === undefined ? {} : { via: scene.via }),
    absence: scene.absence,
    signal: client.signal,
    onConnection: (connection) => {
      record.dialled(connection);
    },
    onBodyBytes: (bytes) => {
      bodyBytes += bytes;
      record.sent(bodyBytes);
      client.checkFraming?.(bodyBytes);
      client.onBodyTaken?.(bodyBytes);
      const max = decision.limits.bodyBytes;
      if (max !== undefined && bodyBytes > max) throw bodyTooLarge(max, decision);
    },
  };
}

function upstreamBody(
  client: ClientExchange,
  { validated, injected, spendBytes, capture }: Admitted,
): Pick<ForwardRequest, 'body' | 'bodyLength'> {
  if (!hasBody(validated)) return { body: undefined, bodyLength: undefined };
  const sent = capture?.ofRequest(client.body) ?? client.body;
  const body = injected.body?.rewrite(sent) ?? sent;
  const bodyLength = injected.body === undefined ? declaredLength(validated) : injected.body.length;
  if (spendBytes === undefined) return { body, bodyLength };
  const metered = throughTransform(body, meteredStream(spendBytes));
  // Nobody else knows of a rewritten body, and it may hold what has to be given back.
  if (body !== client.body) metered.once('close', () => body.destroy());
  return { body: metered, bodyLength };
}
