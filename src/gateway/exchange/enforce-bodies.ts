// What the rule that admitted a request says of its body.

import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { firstOctet } from '../forward/empty-body.ts';
import type { ClientExchange } from './client-exchange.ts';

/** RFC 9110 §9.3: to these a body means nothing, so that origins may leave it unread. */
const methodsWithoutBody: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** @throws ProxyError policy_denied, body_too_large for a body that its rule does not let through, before anything goes out */
export async function enforceBodies(
  client: Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'>,
  validated: ValidatedRequest,
  decision: AllowDecision,
  limits: Limits,
): Promise<void> {
  enforceDeclaredLength(validated, decision);
  const { head, framing, upgrade } = validated;
  const { bodies, rule } = decision;
  if (bodies !== 'where-defined' || !methodsWithoutBody.has(head.method) || upgrade !== undefined) return;
  if (framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)) return;
  if (framing.kind === 'chunked') {
    client.sendContinue();
    if (!(await firstOctet(client.body, client.signal, limits))) return;
  }
  throw new ProxyError(
    'policy_denied',
    `rule ${rule.name} lets no body through with ${head.method} (bodies: where-defined)`,
  );
}

function enforceDeclaredLength(validated: ValidatedRequest, decision: AllowDecision): void {
  const { bodyBytes } = decision.limits;
  if (bodyBytes === undefined || validated.framing.kind !== 'length') return;
  if (validated.framing.length > bodyBytes) throw bodyTooLarge(bodyBytes, decision);
}

export function bodyTooLarge(max: number, decision: AllowDecision): ProxyError {
  return new ProxyError('body_too_large', `rule ${decision.rule.name} allows ${String(max)} bytes of body`);
}
