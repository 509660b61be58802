// Tokens that start a session, issued to an orchestrator: whoever may ask for one says who a workload is.

import { randomUUID } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { principalIdOf } from '../sessions/principal-id.ts';
import { clockSkewSeconds, tokenKeyOf } from '../sessions/session-token.ts';
import { issueSessionToken } from '../sessions/token-issuer.ts';
import { type AdminParts, given, type Handlers, isoTime } from './admin-parts.ts';
import { type Operator, requireRole } from './operator.ts';

const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** No token of this API is good for longer. */
const longestLifeSeconds = 86_400;

export const sessionTokenOperations: Handlers<'issueSessionToken' | 'withdrawSessionToken'> = {
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
  withdrawSessionToken: async (parts, { operator, id, body, nowMs }) => {
    const { config, record, store } = parts;
    requireIssuer(parts, operator);
    // What is stored of it is no longer than what is stored of one that was used.
    if (!idForm.test(id))
      throw new ProxyError('usage', 'the id of a session token is that of the response that issued it');
    const { reason = 'its token was withdrawn' } = body;
    const token = {
      tokenKey: tokenKeyOf(config.tokens.issuer, id),
      tokenExpiresMs: nowMs + (longestLifeSeconds + clockSkewSeconds) * 1000,
    };
    const outcome = await store.sessions.withdraw(token, reason, nowMs);
    if (outcome.kind === 'token_consumed') return { id, state: 'used', session: outcome.sessionId };
    const { sessionId, isNew } = outcome;
    const of = given('sessionId', sessionId);
    if (isNew && sessionId !== undefined) {
      const principal = (await store.sessions.find(sessionId))?.principalId;
      const message = `The session was revoked with its token: ${reason}.`;
      const details = { operator: operator.name };
      await record({ action: 'revoked', nowMs, ...of, ...given('principal', principal), message, details });
    }
    if (isNew)
      await record({
        action: 'session_token_withdrawn',
        nowMs,
        ...of,
        message: `A session token was withdrawn: ${reason}.`,
        details: {
          id,
          operator: operator.name,
          tokenKey: token.tokenKey,
          tokenExpires: isoTime(token.tokenExpiresMs),
        },
      });
    return { id, state: 'withdrawn', ...given('session', sessionId) };
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
