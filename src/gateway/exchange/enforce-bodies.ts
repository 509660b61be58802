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
export function enforceBodies(
  client: Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'>,
  validated: ValidatedRequest,
  decision: AllowDecision,
  limits: Limits,
): Promise<void> | undefined {
  enforceDeclaredLength(validated, decision);
  const { head, framing, upgrade } = validated;
  const isBare = decision.bodies === 'where-defined' && methodsWithoutBody.has(head.method);
  if (!isBare || upgrade !== undefined || framing.kind === 'none') return undefined;
  if (framing.kind === 'length' && framing.length === 0) return undefined;
  return requireNoBody(client, validated, decision, limits);
}

async function requireNoBody(
  client: Pick<ClientExchange, 'body' | 'signal' | 'sendContinue'>,
  { framing, head }: ValidatedRequest,
  { rule }: AllowDecision,
  limits: Limits,
): Promise<void> {
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
