// Tokens that start a session, issued to an orchestrator: whoever may ask for one says who a workload is.

import { randomUUID } from 'node:crypto';
import type { OutputOf } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayConfig } from '../config/config.ts';
import { networksClaim, networksOf, proxyAudience, proxyTokenType } from '../sessions/proxy-token.ts';
import { revokeSession } from '../sessions/revoke-session.ts';
import type { JwtMembers } from '../sessions/signing-key.ts';
import { principalIdOf } from '../sessions/principal-id.ts';
import { clockSkewSeconds, tokenKeyOf } from '../sessions/session-token.ts';
import { issueSessionToken } from '../sessions/token-issuer.ts';
import { type AdminParts, given, type Handlers, isoTime } from './admin-parts.ts';
import { type Operator, requireRole } from './operator.ts';

const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** No token of this API is good for longer. */
const longestLifeSeconds = 86_400;
/** Of a proxy token, which the workload can read. */
const proxyTokenSeconds = 3_600;

export const sessionTokenOperations: Handlers<'issueSessionToken' | 'withdrawSessionToken'> = {
  issueSessionToken: async (parts, { operator, body, nowMs }) => {
    const { config, record, signingKey } = parts;
    requireIssuer(parts, operator);
    const { issuer } = config.tokens;
    const { subject, kind = 'session' } = body;
    const id = randomUUID();
    const { ttlSeconds, ...needs } = kind === 'proxy' ? ofProxy(config, body) : ofSession(config, body);
    const { claims } = needs;
    const token = issueSessionToken({ key: signingKey, issuer, subject, nowMs, id, ttlSeconds, ...needs });
    if (Buffer.byteLength(token) > defaultLimits.tokenBytesMax)
      throw new ProxyError(
        'usage',
        `the claims are too long for a token of ${defaultLimits.tokenBytesMax} bytes (tokenBytesMax)`,
      );
    const principal = principalIdOf(issuer, subject);
    const expires = isoTime(nowMs + Math.ceil(ttlSeconds) * 1000);
    const message = `A ${kind} token was issued for ${subject}, good until ${expires}.`;
    // Stored first: nobody has a token of which no event tells.
    await record({
      action: 'session_token_issued',
      nowMs,
      principal,
      message,
      details: { id, kind, subject, claims, expires, operator: operator.name },
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
    if (outcome.kind === 'token_consumed')
      return await ofUsed(parts, { id, operator, sessionId: outcome.sessionId, reason, nowMs });
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

type IssueBody = Parameters<(typeof sessionTokenOperations)['issueSessionToken']>[1]['body'];

interface TokenNeeds {
  readonly audience: string;
  readonly claims: JwtMembers;
  readonly ttlSeconds: number;
  readonly typ?: string;
}

/** @throws ProxyError usage */
function ofSession({ tokens }: GatewayConfig, { claims = {}, seconds, networks }: IssueBody): TokenNeeds {
  if (networks !== undefined)
    throw new ProxyError('usage', 'networks are of proxy tokens; write kind: proxy with them');
  return { audience: tokens.audience, claims, ttlSeconds: seconds ?? tokens.ttlSeconds };
}

/** @throws ProxyError usage */
function ofProxy(
  { tokens, proxy }: GatewayConfig,
  { claims = {}, seconds, networks = [] }: IssueBody,
): TokenNeeds {
  if (proxy === undefined)
    throw new ProxyError(
      'usage',
      'this gateway has no listener for clients without an agent; its configuration turns that on (proxy)',
    );
  if (Object.hasOwn(claims, networksClaim))
    throw new ProxyError(
      'usage',
      `write ${networksClaim} beside the claims of a proxy token, not among them`,
    );
  const named = networksOf(networks);
  return {
    audience: proxyAudience(tokens.audience),
    typ: proxyTokenType,
    claims: { ...claims, ...(named.length === 0 ? {} : { [networksClaim]: named }) },
    ttlSeconds: seconds ?? proxyTokenSeconds,
  };
}

/** A token of an agent is of no more use. A proxy token is, until its session ends. */
async function ofUsed(
  { store, record }: AdminParts,
  {
    id,
    operator,
    sessionId,
    reason,
    nowMs,
  }: {
    readonly id: string;
    readonly operator: Operator;
    readonly sessionId: string;
    readonly reason: string;
    readonly nowMs: number;
  },
): Promise<OutputOf<'withdrawSessionToken'>> {
  const session = await store.sessions.find(sessionId);
  if (session?.posture.tokenInContainer !== true) return { id, state: 'used', session: sessionId };
  const desk = { sessions: store.sessions, operator: operator.name, record };
  await revokeSession(desk, sessionId, { reason, nowMs }).catch((error: unknown) => {
    // It was over before.
    if (!(error instanceof ProxyError) || error.code !== 'session_unknown') throw error;
  });
  return { id, state: 'withdrawn', session: sessionId };
}

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
