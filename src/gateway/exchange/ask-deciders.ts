// The deciders of a rule: each has to allow what the rule allows, and all of the request is there before the first is asked.

import type { Readable } from 'node:stream';
import type { DeciderFacts } from '../../api/audit-facts.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { RuleDecide } from '../../policy/decide-rule.ts';
import type { AllowDecision, Principal, RequestAccess } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { writeJson } from '../../understand/write-json.ts';
import type { DeciderQuestion, QuestionBody } from '../deciders/decider.ts';
import type { Said } from '../deciders/deciders.ts';
import { jsonFormOf, readOctets } from '../policies/read-octets.ts';
import { bodyFacts, declaredLength, hasBody } from './body-facts.ts';
import type { ClientExchange } from './client-exchange.ts';
import { type DecisionBasis, denied, givesTheSame } from './confirm-decision.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { ownerOf } from './spending-accounts.ts';
import type { ExchangeRecord } from './exchange-record.ts';

interface Judged {
  readonly validated: ValidatedRequest;
  readonly access: RequestAccess;
  readonly decision: AllowDecision;
  /** What goes on in place of the client's own body. */
  readonly body: Readable | undefined;
}

interface Asking {
  readonly client: Pick<ClientExchange, 'body' | 'signal' | 'sendContinue' | 'trailers'>;
  readonly principal: Principal;
  readonly basis: DecisionBasis;
  readonly parts: ExchangeParts;
  readonly record: ExchangeRecord;
}

/**
 * The request as it goes on, with what the deciders changed of it: judged once more by the rules.
 * @throws ProxyError decider_denied, decider_unavailable, policy_denied, body_too_large, limit_exceeded, cancelled
 */
export async function askDeciders(asked: Judged, asking: Asking): Promise<Judged> {
  const { deciders = [] } = asked.decision;
  if (deciders.length === 0) return asked;
  const settable = deciders.flatMap(({ mayAdd }) => mayAdd);
  // They are the deciders' to say.
  const own = withFields(asked, { set: [], removed: settable });
  const { body, sent } = await wholeBody(own, deciders, asking);
  let judged: Judged = { ...own, body: sent };
  for (const rule of deciders) {
    const said = await askOne(
      rule,
      questionOf(judged, rule.body === 'unseen' ? unseen(body) : body, asking),
      asking,
    );
    judged = said === undefined ? observed(judged) : withFields(judged, said);
  }
  return judged.access === asked.access ? judged : judgedAgain(judged, asked.decision, asking);
}

function questionOf(
  { validated, decision }: Judged,
  body: QuestionBody,
  { principal, basis }: Asking,
): DeciderQuestion {
  const { method, destination, path, query, headers } = validated.head;
  return {
    rule: decision.rule.name,
    policyVersion: basis.policy.version,
    principal,
    request: { method, destination, path, query, headers },
    body,
  };
}

function unseen({ kind }: QuestionBody): QuestionBody {
  return { kind: kind === 'none' ? 'none' : 'unseen' };
}

/** Undefined: it does not allow it, and its rule only records that. */
async function askOne(
  rule: RuleDecide,
  question: DeciderQuestion,
  { client, parts, record }: Asking,
): Promise<Said | undefined> {
  const startMs = performance.now();
  const tell = (facts: Omit<DeciderFacts, 'name'>): void =>
    record.found({ decider: { name: rule.by, ...facts, ...(rule.isOnTrial ? { isOnTrial: true } : {}) } });
  try {
    if (parts.deciders === undefined)
      throw new ProxyError('decider_unavailable', `there is no decider ${rule.by}`);
    const said = await parts.deciders.ask(rule, question, {
      owner: ownerOf(question.principal),
      signal: client.signal,
    });
    tell(factsOf(said));
    if (said.outcome === 'allowed') return said;
    if (rule.isOnTrial) return undefined;
  } catch (error) {
    if (!(error instanceof ProxyError) || error.code === 'cancelled') throw error;
    const reason = error.operatorDetail ?? error.message;
    tell({ outcome: 'unavailable', durationMs: Math.round(performance.now() - startMs), said: reason });
    if (rule.isOnTrial) return undefined;
    throw error;
  }
  throw new ProxyError('decider_denied', `the decider ${rule.by} does not allow the request`);
}

function factsOf({
  outcome,
  durationMs,
  isCached,
  said,
  decisionId,
  set,
  removed,
}: Said): Omit<DeciderFacts, 'name'> {
  return {
    outcome,
    durationMs,
    ...(isCached ? { isCached: true } : {}),
    ...(said === undefined ? {} : { said }),
    ...(decisionId === undefined ? {} : { decisionId }),
    ...(set.length === 0 ? {} : { set: set.map(([name]) => name) }),
    ...(removed.length === 0 ? {} : { removed }),
  };
}

/** As what observe mode lets through: without a credential and without a private network. */
function observed(judged: Judged): Judged {
  const { homeWrites: _writes, continuesTrace: _trace, ...decision } = judged.decision;
  const by = decision.observed ?? decision.rule.name;
  return { ...judged, decision: { ...decision, inject: [], addresses: [], observed: by } };
}

function withFields(judged: Judged, { set, removed }: Pick<Said, 'set' | 'removed'>): Judged {
  const { validated, access } = judged;
  const changed = (headers: RequestAccess['headers']): RequestAccess['headers'] => {
    const kept = removed.length > 0 ? headers.withoutAlike(...removed) : headers;
    return set.reduce((list, [name, value]) => list.with(name, value), kept);
  };
  const [head, asked] = [changed(validated.head.headers), changed(access.headers)];
  if (head === validated.head.headers && asked === access.headers) return judged;
  return {
    ...judged,
    validated: { ...validated, head: { ...validated.head, headers: head } },
    access: { ...access, headers: asked },
  };
}

/** What was changed could be for another rule, or for another one of a ceiling. @throws ProxyError policy_denied */
function judgedAgain(judged: Judged, decision: AllowDecision, { principal, parts }: Asking): Judged {
  const { access } = judged;
  const again = parts.policy().decide(principal, access, parts.clock());
  if (again.effect === 'deny') throw denied(again);
  if (!givesTheSame(again, decision))
    throw new ProxyError(
      'policy_denied',
      `what the deciders of rule ${decision.rule.name} make of the request is not what it allows`,
    );
  return judged;
}

/** The body as deciders get it, and as it goes on. Never a part of it. */
async function wholeBody(
  { validated, body: read }: Judged,
  deciders: readonly RuleDecide[],
  asking: Asking,
): Promise<{ readonly body: QuestionBody; readonly sent: Readable | undefined }> {
  const { client, principal, parts, record } = asking;
  const sees = deciders.filter((one) => one.body === 'whole');
  if (validated.upgrade !== undefined && sees.length > 0) throw unseeable(sees, 'what a WebSocket carries');
  if (!hasBody(validated) || declaredLength(validated) === 0) return { body: { kind: 'none' }, sent: read };
  if (sees.length === 0) return { body: { kind: 'unseen' }, sent: read };
  const given = read === undefined ? client : { body: read, sendContinue: () => undefined };
  const facts = bodyFacts(given, principal, validated, record);
  if (facts === undefined) return { body: { kind: 'none' }, sent: read };
  const max = parts.limits.deciderBodyBytesMax;
  const { bodies } = parts.credentials;
  if (facts.length !== undefined && facts.length > max) throw tooLong(max);
  const { bytes: octets, sendOn } = await bodies.hold(facts, max).catch((error: unknown) => {
    throw error instanceof ProxyError && error.code === 'body_too_large' ? tooLong(max) : error;
  });
  if (client.trailers().length > 0) throw unseeable(sees, 'fields behind the body');
  // In base64, and the text of the question.
  bodies.keep(facts, 2 * octets.length);
  const json = await jsonOf(octets, validated, max);
  const sent = sendOn(octets).rewrite(facts.open());
  return { body: { kind: 'whole', octets, ...(json === undefined ? {} : { json }) }, sent };
}

/** What every parser reads of it. */
async function jsonOf(octets: Buffer, { head }: ValidatedRequest, max: number): Promise<string | undefined> {
  const form = jsonFormOf(head.headers);
  if ('problem' in form) return undefined;
  const { read } = await readOctets(octets, form, max);
  return read.kind === 'json' ? writeJson(read.value) : undefined;
}

function unseeable(deciders: readonly RuleDecide[], what: string): ProxyError {
  return new ProxyError(
    'decider_denied',
    `the decider ${deciders.map(({ by }) => by).join(', ')} does not see ${what}, so the request is denied`,
  );
}

function tooLong(max: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `a decider has to see the body, which is longer than ${String(max)} bytes (deciderBodyBytesMax)`,
    { limit: 'deciderBodyBytesMax' },
  );
}
