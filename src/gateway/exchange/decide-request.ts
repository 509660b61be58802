// The decision about a request: by its head, and again by what of its body a rule looks at, before anything of it goes out.

import type { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import { defaultDenyName } from '../../policy/compiled-policy.ts';
import type {
  AwaitedPart,
  DecidedPackage,
  Decision,
  Principal,
  RequestAccess,
} from '../../policy/decision.ts';
import type { PushCommands } from '../../policy/git-commands.ts';
import type { NamedRegistry } from '../../policy/known-package.ts';
import { llmRequestIn } from '../../policy/llm-rule.ts';
import { messageOf } from '../../policy/mcp-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { llmEndpointOf } from '../../understand/llm-endpoint.ts';
import { observedPush } from '../git/observed-push.ts';
import { readPush } from '../git/read-push.ts';
import { refusedPush } from '../git/refused-push.ts';
import { readOperations } from '../policies/read-operations.ts';
import { knownProvenance } from './known-provenance.ts';
import { knownPackage } from './known-versions.ts';
import type { Asking } from './ask-registry.ts';
import { bodyFacts, declaredLength, hasBody } from './body-facts.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import { type DecisionBasis, denied } from './confirm-decision.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { holdBody } from './hold-body.ts';
import { inspectBody } from './inspect-body.ts';
import { modelFacts } from './model-facts.ts';
import { publishedBody, readPublished } from './read-published.ts';
import { withAdvisories } from './with-advisories.ts';

export interface AskedRequest {
  readonly client: ClientExchange;
  readonly validated: ValidatedRequest;
  readonly principal: Principal;
}

interface Judged {
  readonly decision: Decision;
  readonly basis: DecisionBasis;
}

/** What was read of a request's body by now. */
interface ReadParts {
  readonly access: RequestAccess;
  readonly commands?: PushCommands;
  /** The body to send, where the client's own was read. */
  readonly body?: Readable;
}

/** What a request is allowed by, and what was read of it for that. */
export type Decided = Pick<Admitted, 'decision' | 'access' | 'basis' | 'body'>;

/**
 * Invariant 1: no dial before a decision; no decision without a rule. What a decision awaits is read, and it is made again, until it
 * awaits nothing: each part of a request, and of what is known of it, is read once.
 * @throws ProxyError policy_denied, and what reading throws
 */
export function decideRequest(
  asked: AskedRequest,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Decided | Promise<Decided> {
  const { client, validated, principal } = asked;
  const { destination, method, path, query, headers } = validated.head;
  const depth = 'request';
  const body = withoutBody(validated);
  const plain: RequestAccess =
    body === undefined
      ? { depth, destination, method, path, query, headers }
      : { depth, destination, method, path, query, headers, body };
  const access = withAdvisories(plain, parts);
  const judged = judge(access, principal, parts, record);
  const { decision, basis } = judged;
  if (decision.effect === 'deny') throw denied(decision);
  const room = holdBody(client, validated, principal, parts);
  if (room !== undefined) record.keeps(() => room.release());
  if (decision.awaits === undefined && decision.observed === undefined)
    return { decision, access, basis, body: undefined };
  return decideByParts(judged, access, { asked, parts, record });
}

async function decideByParts(first: Judged, access: RequestAccess, reading: Reading): Promise<Decided> {
  const { asked, parts, record } = reading;
  const { client, validated, principal } = asked;
  let read: ReadParts = { access };
  let judged = first;
  for (let next = awaitedBy(judged); next !== undefined; next = awaitedBy(judged)) {
    read = await readPart(next, read, reading);
    judged = judge(read.access, principal, parts, record);
  }
  const { decision, basis } = judged;
  if (decision.effect === 'deny') {
    noteRefusedPush(read, principal, parts, record);
    throw denied(decision);
  }
  const { commands } = read;
  if (decision.observed !== undefined && commands === undefined && read.body === undefined)
    record.pushRead(validated.head, await observedPush(client, validated.head, parts.limits));
  return { decision, access: read.access, basis, body: read.body };
}

/** A body that is not there needs no reading, and a WebSocket has messages instead. */
function withoutBody(validated: ValidatedRequest): RequestAccess['body'] {
  if (validated.upgrade !== undefined) {
    const webSocket = validated.head.headers
      .all('sec-websocket-protocol')
      .flatMap((value) => value.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '');
    return { kind: 'unreadable', reason: 'is that of a WebSocket, into which no rule looks', webSocket };
  }
  return hasBody(validated) && declaredLength(validated) !== 0 ? undefined : { kind: 'none' };
}

interface Awaited {
  readonly part: AwaitedPart;
  /** What cannot be read refuses nothing. */
  readonly isOnTrial: boolean;
  readonly fetched: DecidedPackage | undefined;
  readonly publishesAt: NamedRegistry | undefined;
}

function awaitedBy({ decision }: Judged): Awaited | undefined {
  if (decision.effect === 'deny' || decision.awaits === undefined) return undefined;
  const { awaits: part, awaitsOnTrial, awaitsOf: publishesAt, package: fetched } = decision;
  return { part, isOnTrial: awaitsOnTrial === true, fetched, publishesAt };
}

interface Reading {
  readonly asked: AskedRequest;
  readonly parts: ExchangeParts;
  readonly record: ExchangeRecord;
}

async function readPart(
  { part, isOnTrial, fetched, publishesAt }: Awaited,
  { access, ...others }: ReadParts,
  { asked: { client, validated, principal }, parts, record }: Reading,
): Promise<ReadParts> {
  const { head } = validated;
  if (part === 'publish-times' || part === 'provenance')
    return { ...others, access: await withKnown(part, fetched, access, { principal, record, parts }) };
  if (part === 'publication') {
    const ofBody = bodyFacts(client, principal, validated, record);
    if (ofBody === undefined || publishesAt === undefined) throw readTwice();
    return { ...others, ...(await readPublication(ofBody, access, { publishesAt, isOnTrial, parts })) };
  }
  if (part === 'graphql' && access.body !== undefined) {
    if (access.graphql !== undefined) throw readTwice();
    const graphql = await readOperations(access);
    record.graphqlRead(graphql);
    if (!(graphql instanceof UnreadableBody)) {
      // It is kept as long as the request runs: a change of the policy asks about it again.
      const room = parts.held.reserve(principal.sessionId, graphql.tokens * octetsPerToken);
      record.keeps(() => room.release());
    }
    const asked = { ...access, graphql };
    const knownIds = await parts.ids.known(principal.sessionId, access, (known) => {
      const decision = parts.policy().decide(principal, { ...asked, knownIds: known }, parts.clock());
      return decision.effect === 'allow';
    });
    return { ...others, access: { ...asked, knownIds } };
  }
  if (part !== 'git-commands') {
    const ofBody = bodyFacts(client, principal, validated, record);
    if (ofBody === undefined || access.body !== undefined) throw readTwice();
    const { read, body } = await inspectBody(ofBody, head.headers, {
      held: parts.credentials.bodies,
      isOnTrial,
      takesForms: part === 'graphql',
    });
    const message = messageOf({ ...access, body: read });
    const seen = { ...access, body: read, ...definitionOf(message, access, principal, parts) };
    const endpoint = llmEndpointOf(head.path);
    const facts = endpoint === undefined ? undefined : modelFacts(llmRequestIn(seen));
    // A path says nothing of models by itself: servers of MCP take messages at /messages.
    const isMessage = facts === undefined && !(message instanceof UnreadableBody);
    if (endpoint === undefined || isMessage) record.messageRead(message);
    else record.callRead(endpoint.api, facts);
    return { ...others, access: seen, ...(body === undefined ? {} : { body }) };
  }
  if (others.commands !== undefined) throw readTwice();
  client.sendContinue();
  const commands = await readPush(others.body ?? client.body, head.headers, parts.limits);
  record.pushRead(head, commands);
  const { updates, options } = commands;
  return { ...others, commands, access: { ...access, pushed: updates, pushOptions: options } };
}

async function readPublication(
  ofBody: BodyFacts,
  access: RequestAccess,
  {
    publishesAt,
    isOnTrial,
    parts,
  }: Pick<Awaited, 'isOnTrial'> & {
    readonly publishesAt: NamedRegistry;
    readonly parts: ExchangeParts;
  },
): Promise<Pick<ReadParts, 'access' | 'body'>> {
  if (access.publication !== undefined || access.body !== undefined) throw readTwice();
  const { bodies: held } = parts.credentials;
  const { publication, body } = await readPublished(ofBody, access, publishesAt, { held, isOnTrial });
  const known = { ...access, publication, body: publishedBody };
  return { access: known, ...(body === undefined ? {} : { body }) };
}

/** What the registry says of the version that the request is for. */
async function withKnown(
  part: 'publish-times' | 'provenance',
  fetched: DecidedPackage | undefined,
  access: RequestAccess,
  { parts, ...asking }: Asking & { readonly parts: ExchangeParts },
): Promise<RequestAccess> {
  const isKnown = (part === 'provenance' ? access.provenance : access.package) !== undefined;
  if (isKnown || fetched === undefined) throw readTwice();
  return part === 'provenance'
    ? { ...access, provenance: await knownProvenance(fetched, access, asking, parts) }
    : { ...access, package: await knownPackage(fetched, access, asking, parts) };
}

/** How the server defines the tool that a message is about, as far as a list said it. */
function definitionOf(
  message: ReturnType<typeof messageOf>,
  access: RequestAccess,
  { sessionId }: Principal,
  { tools }: ExchangeParts,
): Pick<RequestAccess, 'definition'> {
  if (message === undefined || message instanceof UnreadableBody || message.target?.kind !== 'tool')
    return {};
  const definition = tools.of(sessionId, access, message.target.name);
  return definition === undefined ? {} : { definition };
}

/** Of an operation in memory: a field with its arguments. */
const octetsPerToken = 200;

/** Fails closed: a decision that goes on asking for what it was given is none. */
function readTwice(): ProxyError {
  return new ProxyError('internal', 'the decision awaits what was read already');
}

function noteRefusedPush(
  { access, commands }: ReadParts,
  principal: Principal,
  parts: ExchangeParts,
  record: ExchangeRecord,
): void {
  if (commands === undefined) return;
  const isAllowed = (one: RequestAccess): boolean =>
    parts.policy().decide(principal, one, parts.clock()).effect === 'allow';
  record.pushRefused(refusedPush(commands, access, isAllowed));
}

function judge(
  access: RequestAccess,
  principal: Principal,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Judged {
  const basis = { policy: parts.policy(), atMs: parts.clock() };
  const { policy } = basis;
  const decision = policy.decide(principal, access, basis.atMs);
  // A grant is for a URL: where rules look into bodies, it would open all that is done there.
  const hasBody = access.body !== undefined && access.body.kind !== 'none';
  const isOfUrl = !hasBody && access.graphql === undefined;
  const mayAskAccess =
    decision.effect === 'deny' &&
    parts.desk !== undefined &&
    isOfUrl &&
    principal.narrowed === undefined &&
    decision.rule.name === defaultDenyName;
  record.decided(decision, { policyVersion: policy.version, mayAskAccess, help: parts.help });
  return { decision, basis };
}
