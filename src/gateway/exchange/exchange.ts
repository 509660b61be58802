// THE request path, read top to bottom. Its order is fixed here and nowhere configurable:
// validate → decide → inject → (resolve, check, dial, verify: the dialer) → forward → scrub → audit.

import type { Readable } from 'node:stream';
import { validateProxyRequest, validateRequest } from '../../http/request-validation.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import { validateTrailers } from '../../http/trailers.ts';
import type { AllowDecision, DecidedPackage, RequestAccess } from '../../policy/decision.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { countExchange, isCounted, ownerOf, uncounted } from './spending-accounts.ts';
import { isServedHere, respondForOwnHost } from './own-host.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import { confirmDecision } from './confirm-decision.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { idLearner, learnedQuery } from './learn-ids.ts';
import { readsMessages } from './list-filter.ts';
import { injectionOf } from './inject-credentials.ts';
import { graphqlResponder } from './graphql-denial.ts';
import { setAsideFor } from './admit-call.ts';
import { forwardProven } from './asked-proof.ts';
import { judgeRequest } from './judge-request.ts';
import { mcpResponder } from './mcp-denial.ts';
import { modelResponder } from './model-denial.ts';
import { type ModelResponse, modelResponseOf } from './model-response.ts';
import { bodyFacts, declaredLength, hasBody } from './body-facts.ts';
import { bodyTooLarge, enforceBodies } from './enforce-bodies.ts';
import type { PromisedPackage } from '../packages/asked-package.ts';
import { ArchiveStandIn, type PromisedArchive, carrierOf, promisedArchive } from './archive-source.ts';
import { MetadataStandIn } from './metadata-source.ts';
import { captureOf } from './body-capture.ts';
import { throughTransform } from '../credentials/request/body-rewrite.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { releaseBody } from './hold-body.ts';
import { askedForPackage, filteredPackage } from './package-filter.ts';
import { packageResponder } from './package-denial.ts';
import { refusePush } from './git-denial.ts';
import { clientLeft, type ForwardRequest } from '../forward/forwarder.ts';
import { refuse } from './refusal.ts';
import { ResponseChain } from './response-chain.ts';
import { ResponseRoom } from './response-room.ts';
import { isSearched, leakWatchOf } from './leak-watch.ts';
import { windowBytes } from '../scrub/response-scrubber.ts';
import { askSearchable } from '../scrub/searchable-response.ts';
import { meteredStream, type SpendBytes } from '../forward/metered-stream.ts';
import { takesParts } from './shown-response.ts';
import type { ResponseScreen } from './response-screen.ts';

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
    const capture = captureOf(admitted, scene.principal, parts);
    try {
      if (isServedHere(head.destination, parts.credentials)) {
        const { principal, absence } = scene;
        const known = { client, head, principal, absence, record, parts };
        await respondForOwnHost(parts.desk, { ...known, limits: parts.limits, clock: parts.clock });
      } else {
        const own = capture === undefined ? admitted : { ...admitted, capture };
        await forward(client, scene, parts, { admitted: own, record });
      }
    } finally {
      capture?.[Symbol.dispose]();
    }
  } catch (error) {
    const fault = asProxyError(error);
    const { refusedPush: push, message, graphql, modelApi, fetched } = record;
    const responder =
      modelResponder(fault, modelApi) ??
      mcpResponder(fault, message, client.rawHeaders) ??
      graphqlResponder(fault, graphql) ??
      packageResponder(fault, fetched);
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
  const room = parts.audit.room?.(scene.principal.sessionId);
  if (room !== undefined) await roomInAudit(room, parts, scene.principal.sessionId);
  parts.budgets.admitRequest(ownerOf(scene.principal), parts.clock());
  const asked = validate(client, scene, parts.limits);
  record.validated(asked.head);
  const { destination, headers } = asked.head;
  const via = headers.all('via');
  parts.loops?.check(destination, scene.via ?? (via.length === 0 ? undefined : via.join(', ')));
  const { principal } = scene;
  const judging = judgeRequest({ client, validated: asked, principal }, parts, record);
  const judged = judging instanceof Promise ? await judging : judging;
  const { access, decision, basis, approval, call, validated: own, body } = judged;
  // What was true before somebody was asked need not be true behind it.
  if (approval !== undefined) requireAudit(parts, principal.sessionId);
  const archive: PromisedArchive =
    decision.package === undefined
      ? noArchive
      : await promisedArchive(decision, access, { principal, record, signal: client.signal }, parts);
  const { promised } = archive;
  const whole = askedInForm(own, access, decision, promised);
  const watch = isSearched(decision) ? await leakWatchOf(decision, principal, parts, record) : undefined;
  const validated = watch === undefined ? whole : { ...whole, head: watch.judgeHead(whole.head) };
  const read = body === undefined ? client : whatWasRead(client, body);
  const unread = enforceBodies(read, validated, decision, parts.limits);
  if (unread !== undefined) await unread;
  const sent = watch === undefined || !hasBody(validated) ? read : watch.guarded(read, validated.head);
  const { spendBytes, spendOut } = isCounted(decision)
    ? await countExchange(principal, decision, validated.head, parts)
    : uncounted;
  const called = call === undefined ? undefined : await setAsideFor(call, principal, parts, record);
  const facts = bodyFacts(sent, scene.principal, validated, record);
  const injecting = injectionOf({ client, validated, facts, principal }, decision, parts, record);
  const injected = injecting instanceof Promise ? await injecting : injecting;
  const stripped = (decision.removedFields ?? []).concat(injected.stripped);
  record.injected(
    { names: injected.names, stripped },
    decision.inject.map(({ credential }) => credential),
  );
  const ownBody = sent === client ? undefined : sent.body;
  const given = { validated, access, decision, basis, approval, body: ownBody, watch, injected };
  return { ...given, spendBytes, spendOut, called, promised, cacheKey: archive.cacheKey };
}

const noArchive: PromisedArchive = { promised: undefined, cacheKey: undefined };

/** In the form in which the response can be read, where it has to be. */
function askedInForm(
  own: ValidatedRequest,
  access: RequestAccess,
  decision: AllowDecision,
  promised: PromisedPackage | undefined,
): ValidatedRequest {
  // An archive is checked whole, and as its registry has it.
  if (promised !== undefined) return askedReadable(own, takesParts(promised, access));
  const filtered = filteredPackage(decision);
  if (filtered !== undefined) return askedWhole(own, filtered);
  const isRead =
    readsMessages(access, decision) ||
    learnedQuery(access, decision) !== undefined ||
    decision.rewrite?.response !== undefined;
  return isRead || decision.screen !== undefined ? askedReadable(own, !isRead) : own;
}

/** What is shown of a response has to be read first: whole, and not encoded. */
function askedReadable(request: ValidatedRequest, keepsRange: boolean): ValidatedRequest {
  const { head } = request;
  const headers = askSearchable(head.headers, { decode: false, keepsRange });
  return { ...request, head: { ...head, headers } };
}

/** What a registry says of a package is read for HEAD too: its length is another one. */
function askedWhole(request: ValidatedRequest, filtered: DecidedPackage): ValidatedRequest {
  const { head } = askedReadable(request, false);
  return { ...request, head: { ...head, method: 'GET', headers: askedForPackage(head.headers, filtered) } };
}

/** The client with a body that was read in place of the one that it sends. */
function whatWasRead(
  { signal }: ClientExchange,
  body: Readable,
): Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'> {
  return { signal, body, sendContinue: () => undefined };
}

/** Waits while the store lags behind the session. What was true before may not be behind it. @throws ProxyError as requireAudit */
async function roomInAudit(
  room: Promise<void>,
  parts: Pick<ExchangeParts, 'audit' | 'limits'>,
  sessionId: string,
): Promise<void> {
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
  const ended = client.endsAtHead;
  const { destination } = scene;
  if (destination === undefined)
    return validateProxyRequest({ method, target, rawHeaders, httpVersion, limits, ended });
  return validateRequest({ method, target, rawHeaders, httpVersion, limits, ended, destination });
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
  readonly screen?: ResponseScreen | undefined;
}

async function forward(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  { admitted, record }: Forwarding,
): Promise<void> {
  let ended: ProxyError | undefined;
  const { access, decision, approval } = admitted;
  const { principal } = scene;
  const model = modelResponseOf(client, admitted, parts);
  const end = (error: ProxyError): void => {
    ended = error;
    client.abort(error);
    model?.end();
  };
  const refuse = (error: ProxyError): void => void (ended = error);
  const standIn = ArchiveStandIn.of(admitted, parts, record);
  const metadataIn = MetadataStandIn.of(admitted, scene.principal.id, parts, record);
  let chain: ResponseChain | undefined;
  let request: ForwardRequest | undefined;
  let release: (() => void) | undefined;
  // In this order by hand: a stack of disposals costs each request more than all of its conditions.
  try {
    const learner =
      decision.learnsIds && (await idLearner({ access, decision }, principal.sessionId, parts.ids));
    const room = responseRoom(scene, parts, admitted.injected.searched);
    const made = { admitted, record, room, model, standIn, toldMs: metadataIn?.toldMs, end, refuse };
    chain = ResponseChain.open(client, scene, parts, { ...made, learner });
    request = forwardRequest(client, scene, parts, { admitted, record, model, screen: chain.screen });
    release = parts.live.add({ principal, access, decision, end });
    // From here on a change of the policy ends it.
    if (approval !== undefined) await approval.use();
    confirmDecision(admitted, principal, parts);
    throwIfGone(client);
    client.sendContinue();
    const carrier = carrierOf(standIn ?? metadataIn, admitted, parts);
    const proven = admitted.injected.reprove === undefined ? undefined : { ...admitted, clock: parts.clock };
    const { protocol } = await (proven === undefined
      ? carrier.forward(request, chain.receiver)
      : forwardProven(carrier, request, chain.receiver, proven));
    const rest = chain.end();
    if (rest !== undefined) await rest;
    if (model !== undefined && client.signal.aborted) throw client.fault ?? clientLeft();
    record.succeeded(protocol);
  } catch (error) {
    // What broke is the consequence of that.
    throw ended ?? (chain === undefined ? error : chain.relay.harmless(error));
  } finally {
    release?.();
    if (request !== undefined) releaseBody(client, request);
    try {
      if (release !== undefined) chain?.told(parts.clock());
    } finally {
      chain?.[Symbol.dispose]();
      model?.[Symbol.dispose]();
    }
  }
}

/** What goes upstream, from the admitted request: nothing is copied from the client's bytes. */
export function forwardRequest(
  client: ClientExchange,
  scene: ExchangeScene,
  { limits, ruleTrust }: Pick<ExchangeParts, 'limits' | 'ruleTrust'>,
  { admitted, record, model, screen }: Forwarding,
): ForwardRequest {
  const { validated, decision, injected, watch } = admitted;
  const tls = ruleTrust.tlsOf(decision, injected.tls);
  const signal = model?.signal ?? client.signal;
  let bodyBytes = 0;
  record.sent(0);
  const { body, bodyLength } = upstreamBody(client, admitted);
  // One literal, without spreads: it is made for each request.
  return {
    head: injected.head,
    body,
    bodyLength,
    acceptsTrailers: validated.trailersAccepted,
    trailers: () => {
      const trailers = validateTrailers(client.trailers(), 'request', limits);
      const judged = watch?.judgeTrailers(trailers) ?? trailers;
      // What was read whole is spoken of in the head, with a digest or a signature: a field behind it could say otherwise.
      return injected.body?.isWhole === true ? [] : judged.toRaw();
    },
    principalId: scene.principal.id,
    sessionId: scene.principal.sessionId,
    addresses: decision.addresses,
    exit: decision.exit,
    credentials:
      'isOfHome' in injected ? injected.names : decision.inject.map(({ credential }) => credential),
    isKeptAfterBody: decision.isByDestination === true,
    tls,
    via: scene.via,
    absence: scene.absence,
    signal: screen?.signalWith(signal) ?? signal,
    onConnection: (connection) => {
      record.dialled(connection);
      model?.begun();
      if ('inside' in injected) injected.inside?.begun();
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
