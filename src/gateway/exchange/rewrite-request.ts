// A request whose JSON a rule changes: what was read is what is changed, and the result is judged once more.

import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision, Policy, Principal, RequestAccess } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import { rewriteJson } from '../../understand/rewrite-json.ts';
import { writeJson } from '../../understand/write-json.ts';
import { bodyDigestFields } from './body-digests.ts';
import { givesTheSame } from './confirm-decision.ts';
import type { ExchangeRecord } from './exchange-record.ts';

export interface RewriteInput {
  readonly validated: ValidatedRequest;
  readonly access: RequestAccess;
  readonly decision: AllowDecision;
  /** What the client sent, as it was read. */
  readonly body: Readable | undefined;
}

interface RewriteParts {
  readonly policy: () => Policy;
  readonly clock: () => number;
  readonly held: HeldOctets;
}

/** The request as it goes on. @throws ProxyError policy_denied, limit_exceeded */
export function rewriteRequest(
  input: RewriteInput,
  principal: Principal,
  { policy, clock, held }: RewriteParts,
  record: ExchangeRecord,
): Pick<RewriteInput, 'validated' | 'access' | 'body'> {
  const { validated, access, decision, body } = input;
  const rewrite = decision.rewrite?.request;
  if (rewrite === undefined || access.body?.kind !== 'json' || body === undefined) return input;
  const { value, changes } = rewriteJson(access.body.value, rewrite);
  if (changes === 0) return input;
  const { head } = validated;
  const digest = [...head.headers].find(([name]) => bodyDigestFields.test(name))?.[0];
  if (digest !== undefined)
    throw new ProxyError(
      'policy_denied',
      `rule ${decision.rule.name} changes the body, and the field ${digest} speaks of its octets; send it without`,
    );
  const octets = Buffer.from(writeJson(value));
  const changed = { ...access, body: { ...access.body, value, octets: octets.length } };
  const again = policy().decide(principal, changed, clock());
  if (again.effect === 'deny' || !givesTheSame(again, decision))
    throw new ProxyError(
      'policy_denied',
      `what rule ${decision.rule.name} makes of the body is not what it allows`,
    );
  record.keeps(held.reserve(principal.sessionId, octets.length).release);
  // What was read is not sent, and has to be given back.
  body.destroy();
  record.rewrote('request', changes);
  return {
    validated: {
      ...validated,
      head: { ...head, headers: head.headers.without('content-encoding') },
      framing: { kind: 'length', length: octets.length },
    },
    access: changed,
    body: Readable.from([octets], { objectMode: false }),
  };
}
