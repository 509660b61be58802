// All that decides about a request, and what of it is changed by that: the rules, a person, then the deciders of the rule that allows it.

import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { calledRequest } from './admit-call.ts';
import { askDeciders } from './ask-deciders.ts';
import { type AskedRequest, type Decided, decideRequest } from './decide-request.ts';
import { decidedRequest } from './decided-request.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { type Held, holdForAnswer } from './hold-for-answer.ts';
import type { ModelCall } from './model-call.ts';
import { rewriteRequest } from './rewrite-request.ts';

interface JudgedRequest extends Pick<
  Admitted,
  'validated' | 'access' | 'decision' | 'basis' | 'approval' | 'body'
> {
  readonly call: ModelCall | undefined;
}

/**
 * The request as it goes on, but for credentials; a promise only where somebody or something has to be waited for: most requests are
 * judged by their heads alone. @throws ProxyError what its parts throw, at once or later
 */
export function judgeRequest(
  asked: AskedRequest,
  parts: ExchangeParts,
  record: ExchangeRecord,
): JudgedRequest | Promise<JudgedRequest> {
  const decided = decideRequest(asked, parts, record);
  if (decided instanceof Promise) return judgeDecided(decided, asked, parts, record);
  const { asks, deciders = [] } = decided.decision;
  if (asks !== undefined || deciders.length > 0)
    return judgeDecided(Promise.resolve(decided), asked, parts, record);
  return calledOf(decided, asked, parts, record);
}

async function judgeDecided(
  deciding: Promise<Decided>,
  asked: AskedRequest,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Promise<JudgedRequest> {
  const { client, principal } = asked;
  const decided = await deciding;
  const isAsked = decided.decision.asks !== undefined;
  const held = isAsked ? await holdForAnswer(decided, asked, parts, record) : decided;
  const called = calledOf(held, asked, parts, record);
  const { basis } = called;
  const judged = await askDeciders(called, { client, principal, basis, parts, record });
  return { ...called, ...judged };
}

function calledOf(
  { basis, decision, access, body, approval }: Held,
  { validated, principal }: AskedRequest,
  parts: ExchangeParts,
  record: ExchangeRecord,
): JudgedRequest & { readonly body: Admitted['body'] } {
  const own = decidedRequest(validated, decision, parts, record);
  const rewritten = rewriteRequest({ validated: own, access, decision, body }, principal, parts, record);
  const called = calledRequest(rewritten, decision);
  return {
    validated: called.validated,
    access: called.access,
    body: called.body,
    call: called.call,
    decision,
    basis,
    approval,
  };
}
