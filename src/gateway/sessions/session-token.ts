// Verifying session tokens: of the gateway's own issuer, and of any issuer that the configuration trusts.

import { createHash, type KeyObject } from 'node:crypto';
import type { CryptoKey, JWTPayload } from 'jose';
import * as errors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { type ClaimSelector, selects } from '../../policy/claim-selector.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { keyOfToken, type SigningKey } from './signing-key.ts';
import { splitToken, type TokenParts } from './session-token-parts.ts';
import { sessionTokenType } from './token-issuer.ts';

/** How far the clocks of issuer and gateway may differ. */
export const clockSkewSeconds = 30;

/** An issuer that is trusted, and how. */
export interface TokenIssuer {
  /** Compared with `iss` as it stands, RFC 8725 §3.8. */
  readonly issuer: string;
  /** Exact `typ` of its tokens. Undefined: `JWT` or none, as OIDC issuers do; never one of our own types. */
  readonly typ: string | undefined;
  /** JWS algorithms that are taken from it: never `none`, never a symmetric one. */
  readonly algorithms: readonly string[];
  /** The audience that its tokens must name, where it differs from the gateway's own. */
  readonly audience?: string;
  /** Claims without which its tokens start no session. */
  readonly selector?: ClaimSelector;
  /** The public key for a token's header; ProxyError `token_invalid` if it has none of that `kid`. */
  resolveKey(
    header: { readonly alg: string; readonly kid: string | undefined; readonly iat?: unknown },
    nowMs: number,
  ): Promise<KeyObject | CryptoKey>;
}

export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  /** A digest of issuer and jti: names the token without being it. */
  readonly tokenKey: string;
  /** Until when the token would be accepted, skew included. */
  readonly expiresMs: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The gateway as its own issuer. */
export function ownIssuer(key: SigningKey, issuer: string): TokenIssuer {
  return {
    issuer,
    typ: sessionTokenType,
    algorithms: ['EdDSA'],
    resolveKey: async ({ kid, iat }, nowMs) => {
      const publicKey = await keyOfToken(key, { kid, iat, nowMs });
      if (publicKey === undefined)
        throw new ProxyError('token_invalid', 'The session token was signed by a key that is not ours.');
      return publicKey;
    },
  };
}

/**
 * Verifies form, type, algorithm, issuer, signature, audience, times (30 s of skew) and that `sub` and `jti` are there.
 * Throws ProxyError `token_malformed`, `token_invalid` or `token_expired`; no message holds any part of the token.
 */
export async function verifySessionToken(
  token: string,
  options: { readonly trust: readonly TokenIssuer[]; readonly audience: string; readonly nowMs: number },
): Promise<VerifiedToken> {
  const { trust, nowMs } = options;
  const parts = splitToken(token, {
    name: 'The session token',
    code: 'token_malformed',
    bytesMax: defaultLimits.tokenBytesMax,
  });
  const issuer = trust.find((candidate) => candidate.issuer === parts.payload['iss']);
  if (issuer === undefined) throw invalid('its issuer is not trusted here');
  const header = checkHeader(parts, issuer);
  const key = await issuer.resolveKey({ ...header, iat: parts.payload['iat'] }, nowMs);
  const claims = await verifySignature(token, key, {
    algorithms: [header.alg],
    issuer: issuer.issuer,
    audience: issuer.audience ?? options.audience,
    nowMs,
  });
  const verified = verifiedTokenOf(claims, nowMs);
  if (issuer.selector !== undefined && !selects(issuer.selector, claims))
    throw invalid('its claims are not those of a session here');
  return verified;
}

function checkHeader(
  { header }: TokenParts,
  issuer: TokenIssuer,
): { readonly alg: string; readonly kid: string | undefined } {
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || !issuer.algorithms.includes(alg))
    throw invalid('its algorithm is not allowed');
  // A key, or where to fetch one, is never taken from the token itself (RFC 8725 §3.10).
  if (['jwk', 'jku', 'x5c', 'x5u', 'crit'].some((name) => Object.hasOwn(header, name))) {
    throw invalid('its header brings a key or an extension');
  }
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > defaultLimits.tokenNameCharactersMax))
    throw invalid('its kid is not a name');
  const typMatches = issuer.typ === undefined ? typ === undefined || typ === 'JWT' : typ === issuer.typ;
  if (!typMatches) throw invalid('its type is not that of a session token');
  return { alg, kid };
}

async function verifySignature(
  token: string,
  key: KeyObject | CryptoKey,
  expected: {
    readonly algorithms: string[];
    readonly issuer: string;
    readonly audience: string;
    readonly nowMs: number;
  },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: expected.algorithms,
      issuer: expected.issuer,
      audience: expected.audience,
      requiredClaims: ['exp', 'sub', 'jti'],
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(expected.nowMs),
    });
    return payload;
  } catch (error) {
    throw tokenErrorOf(error);
  }
}

function tokenErrorOf(error: unknown): ProxyError {
  if (error instanceof errors.JWTExpired) {
    return new ProxyError('token_expired', 'The session token is expired; get a new one.', { cause: error });
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') return notYetValid();
    return invalid(
      `its claim "${error.claim}" is ${error.reason === 'missing' ? 'missing' : 'not the expected one'}`,
      error,
    );
  }
  return invalid('its signature does not verify', error);
}

function verifiedTokenOf(claims: JWTPayload, nowMs: number): VerifiedToken {
  const { iss, sub, jti, iat, exp } = claims;
  if (!isName(iss) || !isName(sub) || !isName(jti))
    throw invalid('its claims "iss", "sub" and "jti" must be names');
  if (typeof exp !== 'number') throw invalid('its claim "exp" is missing');
  if (iat !== undefined && iat > Math.floor(nowMs / 1000) + clockSkewSeconds) throw notYetValid();
  return {
    issuer: iss,
    subject: sub,
    tokenKey: tokenKeyOf(iss, jti),
    expiresMs: (exp + clockSkewSeconds) * 1000,
    claims,
  };
}

/** Names a token of that issuer without being it. */
export function tokenKeyOf(issuer: string, id: string): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, id]))
    .digest('base64url');
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= defaultLimits.tokenNameCharactersMax;
}

function notYetValid(): ProxyError {
  return new ProxyError(
    'token_expired',
    'The session token is not valid yet; compare the clocks of issuer and gateway.',
  );
}

function invalid(why: string, cause?: unknown): ProxyError {
  return new ProxyError('token_invalid', `The session token is not acceptable: ${why}.`, { cause });
}
