// Access tokens: short-lived JWTs of the gateway for itself, bound to the session's key (RFC 9449 §6.1, `cnf.jkt`).

import { randomUUID } from 'node:crypto';
import * as errors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SigningKey } from './signing-key.ts';
import { splitToken } from './session-token-parts.ts';

/** `typ` of access tokens; a session token has another, so neither passes for the other. */
const accessTokenType = 'upstreamproxy-access+jwt';

/** Who signs access tokens and whom they are for. */
export interface AccessTokenIssuer {
  readonly key: SigningKey;
  readonly issuer: string;
  readonly audience: string;
}

export interface AccessTokenFacts {
  readonly sessionId: string;
  readonly keyThumbprint: string;
}

const claimsSchema = z.object({ sid: z.string().min(1), cnf: z.object({ jkt: z.string().min(1) }) });

/** An access token for the session, valid until `expiresMs`. */
export function issueAccessToken(
  { key, issuer, audience }: AccessTokenIssuer,
  facts: AccessTokenFacts,
  times: { readonly nowMs: number; readonly expiresMs: number },
): string {
  return key.signJwt(accessTokenType, {
    iss: issuer,
    aud: audience,
    sid: facts.sessionId,
    cnf: { jkt: facts.keyThumbprint },
    jti: randomUUID(),
    iat: Math.floor(times.nowMs / 1000),
    exp: Math.floor(times.expiresMs / 1000),
  });
}

/**
 * Verifies an access token of ours. `expiredForMsMax` lets renewal take one that expired up to so long ago.
 * Throws ProxyError `token_malformed`, `token_invalid` or `token_expired`.
 */
export async function verifyAccessToken(
  { key, issuer, audience }: AccessTokenIssuer,
  token: string,
  times: { readonly nowMs: number; readonly expiredForMsMax: number },
): Promise<AccessTokenFacts> {
  const { header } = splitToken(token, {
    name: 'The access token',
    code: 'token_malformed',
    bytesMax: defaultLimits.tokenBytesMax,
  });
  // Of another key, it fails as one with a wrong signature does.
  const publicKey = key.publicKeyOf(header['kid']) ?? key.publicKey;
  try {
    const { payload } = await jwtVerify(token, publicKey, {
      algorithms: ['EdDSA'],
      typ: accessTokenType,
      issuer,
      audience,
      requiredClaims: ['exp'],
      clockTolerance: Math.floor(times.expiredForMsMax / 1000),
      currentDate: new Date(times.nowMs),
    });
    const { sid, cnf } = claimsSchema.parse(payload);
    return { sessionId: sid, keyThumbprint: cnf.jkt };
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new ProxyError(
        'token_expired',
        'The access token is expired; renew it with the key of the session.',
        {
          cause: error,
        },
      );
    }
    throw new ProxyError('token_invalid', 'The access token is not one of this gateway; enrol again.', {
      cause: error,
    });
  }
}
