// THE request path, read top to bottom. Its order is fixed here and nowhere configurable:
// validate → decide → inject → (resolve, check, dial, verify: the dialer) → forward → scrub → audit.

import type { Readable } from 'node:stream';
import type { RequestHead } from '../../http/message-head.ts';
import { validateProxyRequest, validateRequest } from '../../http/request-validation.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import { validateTrailers } from '../../http/trailers.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { respondForOwnHost } from './own-host.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import { confirmDecision } from './confirm-decision.ts';
import { decidedRequest } from './decided-request.ts';
import { decideRequest } from './decide-request.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { idLearner, learnedQuery } from './learn-ids.ts';
import { mayHaveLists } from './list-filter.ts';
import { graphqlResponder } from './graphql-denial.ts';
import { calledRequest, setAsideFor } from './admit-call.ts';
import { mcpResponder } from './mcp-denial.ts';
import { modelResponder } from './model-denial.ts';
import { type ModelResponse, modelResponseOf } from './model-response.ts';
import { bodyFacts, declaredLength, hasBody } from './body-facts.ts';
import { bodyTooLarge, enforceBodies } from './enforce-bodies.ts';
import { captureOf } from './body-capture.ts';
import { type BodyFacts, throughTransform } from '../credentials/request/body-rewrite.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { releaseBody } from './hold-body.ts';
import { refusePush } from './git-denial.ts';
import { clientLeft, type ForwardRequest } from '../forward/forwarder.ts';
import { refuse } from './refusal.ts';
import { ResponseRelay } from './response-relay.ts';
import { ResponseRoom } from './response-room.ts';
import { leakWatchOf } from './leak-watch.ts';
import { injectOfHome } from './inject-of-home.ts';
import { windowBytes } from '../scrub/response-scrubber.ts';
import { askSearchable } from '../scrub/searchable-response.ts';
import { meteredStream, type SpendBytes } from '../forward/metered-stream.ts';
import { rewriteRequest } from './rewrite-request.ts';
import { shownResponse } from './shown-response.ts';
import { screenOf } from './screen-of.ts';
import { TokenGuard } from './token-guard.ts';

export type { ExchangeParts };

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
    const { refusedPush: push, message, graphql, modelApi } = record;
    const responder =
      modelResponder(fault, modelApi) ??
      mcpResponder(fault, message, client.rawHeaders) ??
      graphqlResponder(fault, graphql);
    if (push === undefined) refuse(client, fault, record, responder);
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
  await roomInAudit(parts, scene.principal.sessionId);
  parts.budgets.admitRequest(scene.principal.sessionId, parts.clock());
  const asked = validate(client, scene, parts.limits);
  record.validated(asked.head);
  const { destination, headers } = asked.head;
  const via = headers.all('via');
  parts.loops?.check(destination, scene.via ?? (via.length === 0 ? undefined : via.join(', ')));
  const decided = await decideRequest(
    { client, validated: asked, principal: scene.principal },
    parts,
    record,
  );
  const { decision, basis } = decided;
  const rewritten = rewriteRequest(
    { validated: decidedRequest(asked, decision, parts, record), ...decided, body: decided.body },
    scene.principal,
    parts,
    record,
  );
  const { access, call, validated: own, body } = calledRequest(rewritten, decision);
  const isRead =
    mayHaveLists(record.message, access, decision) ||
    learnedQuery(access, decision) !== undefined ||
    decision.rewrite?.response !== undefined;
  const readable = isRead || decision.screen !== undefined ? askedReadable(own, !isRead) : own;
  const watch = await leakWatchOf(decision, scene.principal, parts, record);
  const validated = watch === undefined ? readable : { ...readable, head: watch.judgeHead(readable.head) };
  const read = body === undefined ? client : whatWasRead(client, body);
  await enforceBodies(read, validated, decision, parts.limits);
  const sent = watch === undefined || !hasBody(validated) ? read : watch.guarded(read, validated.head);
  const { sessionId } = scene.principal;
  const spendBytes = await parts.budgets.admit(sessionId, decision, parts.clock());
  const spendOut = await parts.budgets.information.admit(sessionId, decision, validated.head, parts.clock());
  const called = await setAsideFor(call, scene.principal, parts, record);
  const facts = bodyFacts(sent, scene.principal, validated, record);
  const injected =
    injectOfHome(validated, decision, parts.homes) ??
    (await inject({ head: validated.head, body: facts }, decision, parts));
  const stripped = [...(decision.removedFields ?? []), ...injected.stripped];
  record.injected(
    { names: injected.names, stripped },
    decision.inject.map(({ credential }) => credential),
  );
  const ownBody = sent === client ? undefined : sent.body;
  return { validated, access, decision, basis, body: ownBody, watch, injected, spendBytes, spendOut, called };
}

/** What is shown of a response has to be read first: whole, and not encoded. */
function askedReadable(request: ValidatedRequest, keepsRange: boolean): ValidatedRequest {
  const { head } = request;
  const headers = askSearchable(head.headers, { decode: false, keepsRange });
  return { ...request, head: { ...head, headers } };
}

/** The client with a body that was read in place of the one that it sends. */
function whatWasRead(
  { signal }: ClientExchange,
  body: Readable,
): Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'> {
  return { signal, body, sendContinue: () => undefined };
}

/** Waits while the store lags behind the session. What was true before may not be behind it. @throws ProxyError as requireAudit */
async function roomInAudit(parts: Pick<ExchangeParts, 'audit' | 'limits'>, sessionId: string): Promise<void> {
  const room = parts.audit.room?.(sessionId);
  if (room === undefined) return;
  await room;
  // It is among the open ones by now, for which there is room: its refusal has an event of its own.
  const overRate = parts.audit.overRate(sessionId);
  if (overRate !== undefined) throw overRate;
  requireAudit(parts, sessionId);
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
  readonly model?: ModelResponse | undefined;
}

async function forward(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  { admitted, record }: Forwarding,
): Promise<void> {
  let ended: ProxyError | undefined;
  using model = modelResponseOf(client, admitted, parts);
  const end = (error: ProxyError): void => {
    ended = error;
    client.abort(error);
    model?.end();
  };
  const room = responseRoom(scene, parts, admitted.injected.searched);
  const learner = await idLearner(admitted, scene.principal.sessionId, parts.ids);
  using screen = screenOf(client, parts, { admitted, record, room, end });
  const shown = { admitted, record, room, learner, model };
  using relay = new ResponseRelay({
    client: shownResponse(screen?.client ?? client, scene, parts, shown),
    fail: end,
    searched: admitted.injected.searched,
    quietMs: admitted.decision.scrub?.quietMs,
    decode: admitted.injected.decode,
    request: admitted.validated.head,
    limits: parts.limits,
    spendBytes: admitted.spendBytes,
    onText: admitted.capture?.onText,
    room,
    onStatus: (status) => record.responded(status),
  });
  const request = forwardRequest(client, scene, parts, { admitted, record, model });
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
    if (model !== undefined && client.signal.aborted) throw client.fault ?? clientLeft();
    record.succeeded(protocol);
  } catch (error) {
    // What broke is the consequence of that.
    throw ended ?? relay.harmless(error);
  } finally {
    release();
    releaseBody(client, request);
    if (relay.status === 401) admitted.injected.onRejected(parts.clock());
    model?.tell(record);
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
  { admitted, record, model }: Forwarding,
): ForwardRequest {
  const { validated, decision, injected, watch } = admitted;
  const tls = ruleTrust.tlsOf(decision, injected.tls);
  let bodyBytes = 0;
  record.sent(0);
  return {
    head: injected.head,
    ...upstreamBody(client, admitted),
    acceptsTrailers: validated.trailersAccepted,
    trailers: () => {
      const trailers = validateTrailers(client.trailers(), 'request', limits);
      return (watch?.judgeTrailers(trailers) ?? trailers).toRaw();
    },
    principalId: scene.principal.id,
    sessionId: scene.principal.sessionId,
    addresses: decision.addresses,
    credentials:
      'isOfHome' in injected ? injected.names : decision.inject.map(({ credential }) => credential),
    isKeptAfterBody: decision.isByDestination === true,
    ...(tls === undefined ? {} : { tls }),
    ...(scene.via === undefined ? {} : { via: scene.via }),
    absence: scene.absence,
    signal: model?.signal ?? client.signal,
    onConnection: (connection) => {
      record.dialled(connection);
      model?.begun();
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
  { validated, injected, spendBytes, spendOut, capture, body: read }: Admitted,
): Pick<ForwardRequest, 'body' | 'bodyLength'> {
  if (!hasBody(validated)) return { body: undefined, bodyLength: undefined };
  const own = read ?? client.body;
  const sent = capture?.ofRequest(own) ?? own;
  const body = injected.body?.rewrite(sent) ?? sent;
  const bodyLength = injected.body === undefined ? declaredLength(validated) : injected.body.length;
  const paidOut = metered(client, body, spendOut);
  return { body: metered(client, paidOut, spendBytes), bodyLength };
}

function metered(client: ClientExchange, body: Readable, spendBytes: SpendBytes | undefined): Readable {
  if (spendBytes === undefined) return body;
  const paid = throughTransform(body, meteredStream(spendBytes));
  // Nobody else knows of a rewritten body, and it may hold what has to be given back.
  if (body !== client.body) paid.once('close', () => body.destroy());
  return paid;
}
