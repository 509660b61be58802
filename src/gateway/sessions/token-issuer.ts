// Session tokens of the gateway itself: JWTs that start one session each.

import { randomUUID } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import type { JwtMembers, SigningKey } from './signing-key.ts';

/** `typ` of our session tokens (RFC 8725 §3.11): no other JWT of ours can be taken for one. */
export const sessionTokenType = 'upstreamproxy-session+jwt';

/** Claims that the issuer sets itself. */
const ownClaims = new Set(['iss', 'aud', 'sub', 'jti', 'iat', 'nbf', 'exp']);

/**
 * A signed session token, valid from `nowMs` for `ttlSeconds`.
 * Throws ProxyError `usage` if a claim of the caller would replace one of the token's own, or the lifetime is not positive.
 */
export function issueSessionToken(options: {
  readonly key: Pick<SigningKey, 'signJwt'>;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly claims?: JwtMembers;
  readonly ttlSeconds: number;
  readonly nowMs: number;
  /** Its `jti`; a random one by default. */
  readonly id?: string;
  /** Its `typ`; that of session tokens by default. */
  readonly typ?: string;
}): string {
  const { typ = sessionTokenType } = options;
  const { key, issuer, audience, subject, claims = {}, ttlSeconds, nowMs, id = randomUUID() } = options;
  const clash = Object.keys(claims).find((name) => ownClaims.has(name));
  if (clash !== undefined) {
    throw new ProxyError('usage', `The claim "${clash}" is set by the issuer; leave it out.`);
  }
  if (!Number.isFinite(ttlSeconds) || ttlSeconds <= 0) {
    throw new ProxyError('usage', 'The lifetime of a token must be a positive number of seconds.');
  }
  if (subject === '') throw new ProxyError('usage', 'The subject of a token must not be empty.');
  const iat = Math.floor(nowMs / 1000);
  return key.signJwt(typ, {
    ...claims,
    iss: issuer,
    aud: audience,
    sub: subject,
    jti: id,
    iat,
    nbf: iat,
    exp: iat + Math.ceil(ttlSeconds),
  });
}
