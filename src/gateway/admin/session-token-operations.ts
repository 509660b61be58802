// Tokens that start a session, issued to an orchestrator: whoever may ask for one says who a workload is.

import { randomUUID } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { principalIdOf } from '../sessions/principal-id.ts';
import { issueSessionToken } from '../sessions/token-issuer.ts';
import { type AdminParts, type Handlers, isoTime } from './admin-parts.ts';
import { type Operator, requireRole } from './operator.ts';

export const sessionTokenOperations: Handlers<'issueSessionToken'> = {
  issueSessionToken: async (parts, { operator, body, nowMs }) => {
    const { config, record, signingKey } = parts;
    requireIssuer(parts, operator);
    const { issuer, audience } = config.tokens;
    const { subject, claims = {}, seconds: ttlSeconds = config.tokens.ttlSeconds } = body;
    const id = randomUUID();
    const needs = { key: signingKey, issuer, audience, subject, claims, ttlSeconds, nowMs, id };
    const token = issueSessionToken(needs);
    if (Buffer.byteLength(token) > defaultLimits.tokenBytesMax)
      throw new ProxyError(
        'usage',
        `the claims are too long for a token of ${defaultLimits.tokenBytesMax} bytes (tokenBytesMax)`,
      );
    const principal = principalIdOf(issuer, subject);
    const expires = isoTime(nowMs + Math.ceil(ttlSeconds) * 1000);
    const message = `A session token was issued for ${subject}, good until ${expires}.`;
    // Stored first: nobody has a token of which no event tells.
    await record({
      action: 'session_token_issued',
      nowMs,
      principal,
      message,
      details: { id, subject, claims, expires, operator: operator.name },
    });
    return { token, id, principal, expires };
  },
};

/** @throws ProxyError operator_refused */
function requireIssuer({ config }: AdminParts, operator: Operator): void {
  const least = config.admin?.sessionTokens;
  if (least === undefined)
    throw new ProxyError(
      'operator_refused',
      'this gateway issues no session tokens by its API; its configuration turns that on (admin.sessionTokens)',
    );
  requireRole(operator, least);
}
