// What a call of a model needs before it goes out: what it can take at the most is set aside.

import type { AllowDecision, Principal, RequestAccess } from '../../policy/decision.ts';
import { llmRequestIn } from '../../policy/llm-rule.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { accountOf } from './spending-accounts.ts';
import { type CalledRequest, type ModelCall, modelCallOf, requestOfCall } from './model-call.ts';

interface Judged extends CalledRequest {
  readonly access: RequestAccess;
}

/** The request as it goes on, and the call that it is; undefined: it is none of a model that the rule is about. */
export function calledRequest(
  judged: Judged,
  decision: AllowDecision,
): Judged & { readonly call: ModelCall | undefined } {
  const { access } = judged;
  const call = modelCallOf(access, decision, llmRequestIn(access));
  const { validated, body } = requestOfCall(judged, call);
  return { access, call, validated, body };
}

/** @throws ProxyError limit_exceeded, policy_denied for a model without a price; store_unavailable */
export async function setAsideFor(
  call: ModelCall | undefined,
  principal: Principal,
  { models, credentials }: Pick<ExchangeParts, 'models' | 'credentials'>,
  record: Pick<ExchangeRecord, 'keeps'>,
): Promise<Admitted['called']> {
  // To be told how many tokens a call would have costs nothing.
  if (call === undefined || call.request.kind === 'count') return undefined;
  // Beside what was read: what is sent in its place.
  const { sessionId } = principal;
  if (call.body !== undefined)
    credentials.bodies.keep({ sessionId, keep: (release) => record.keeps(release) }, call.body.length);
  const spend = await models.setAside(accountOf(principal), call);
  // Between here and the sending there is much that can refuse the request.
  record.keeps(() => spend.tookNothing());
  return { call, spend };
}
