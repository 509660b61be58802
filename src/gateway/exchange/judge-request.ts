// All that decides about a request, and what of it is changed by that: the rules, a person, then the deciders of the rule that allows it.

import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { calledRequest } from './admit-call.ts';
import { askDeciders } from './ask-deciders.ts';
import type { AskedRequest } from './decide-request.ts';
import { decidedRequest } from './decided-request.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { decideAndAsk } from './hold-for-answer.ts';
import type { ModelCall } from './model-call.ts';
import { rewriteRequest } from './rewrite-request.ts';

interface JudgedRequest extends Pick<
  Admitted,
  'validated' | 'access' | 'decision' | 'basis' | 'approval' | 'body'
> {
  readonly call: ModelCall | undefined;
}

/** The request as it goes on, but for credentials. @throws ProxyError what its parts throw */
export async function judgeRequest(
  asked: AskedRequest,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Promise<JudgedRequest> {
  const { client, validated, principal } = asked;
  const { basis, decision, access, body, approval } = await decideAndAsk(asked, parts, record);
  const own = decidedRequest(validated, decision, parts, record);
  const rewritten = rewriteRequest({ validated: own, access, decision, body }, principal, parts, record);
  const { call, ...known } = calledRequest(rewritten, decision);
  const judged = await askDeciders({ ...known, decision }, { client, principal, basis, parts, record });
  return { ...judged, basis, approval, call };
}
