// Access tokens: short-lived JWTs of the gateway for itself, bound to the session's key (RFC 9449 §6.1, `cnf.jkt`).

import { randomUUID } from 'node:crypto';
import * as errors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionRecord } from '../../store/store.ts';
import { postureSchema } from './session-request.ts';
import { type JwtMembers, keyOfToken, type SigningKey } from './signing-key.ts';
import { splitToken } from './session-token-parts.ts';

/** `typ` of access tokens; a session token has another, so neither passes for the other. */
const accessTokenType = 'upstreamproxy-access+jwt';

/**
 * Of a session that another one made. A gateway of the version before, which would know nothing of what it was narrowed by, refuses it.
 */
const childTokenType = 'upstreamproxy-child-access+jwt';

/** Who signs access tokens and whom they are for. */
export interface AccessTokenIssuer {
  readonly key: SigningKey;
  readonly issuer: string;
  readonly audience: string;
}

export interface AccessTokenFacts {
  readonly sessionId: string;
  readonly keyThumbprint: string;
  /** Absent where it would be too long, and in tokens of earlier versions. */
  readonly session?: CarriedSession | undefined;
  /** Since when the store was away as it was given. */
  readonly awaySinceMs?: number | undefined;
}

/** What a gateway that cannot ask the store must know of a session. */
export interface CarriedSession extends Pick<SessionRecord, 'principalId' | 'claims' | 'posture' | 'endsMs'> {
  /** Until when it has to be committed, of one that was not. */
  readonly uncommittedUntilMs?: number | undefined;
  /** Of one that another made: those above it. No token carries such a session, for its policies are in the store. */
  readonly above?: readonly string[] | undefined;
}

export interface VerifiedAccessToken extends AccessTokenFacts {
  readonly expiresMs: number;
  /** Another session made the one that it is of. */
  readonly isOfChild: boolean;
}

const carriedSchema = z.object({
  prn: z.string().min(1),
  clm: z.record(z.string(), z.unknown()),
  pst: postureSchema,
  end: z.number(),
  cmb: z.number().exactOptional(),
});
const claimsSchema = z.object({
  sid: z.string().min(1),
  cnf: z.object({ jkt: z.string().min(1) }),
  exp: z.number(),
  ses: carriedSchema.exactOptional(),
  awy: z.number().exactOptional(),
});

/** An access token for the session, valid until `expiresMs`. */
export function issueAccessToken(
  { key, issuer, audience }: AccessTokenIssuer,
  facts: AccessTokenFacts,
  times: { readonly nowMs: number; readonly expiresMs: number },
): string {
  return key.signJwt(facts.session?.above === undefined ? accessTokenType : childTokenType, {
    iss: issuer,
    aud: audience,
    sid: facts.sessionId,
    cnf: { jkt: facts.keyThumbprint },
    ...carriedClaims(facts),
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
): Promise<VerifiedAccessToken> {
  const { header, payload: claims } = splitToken(token, {
    name: 'The access token',
    code: 'token_malformed',
    bytesMax: defaultLimits.tokenBytesMax,
  });
  const isOfChild = header['typ'] === childTokenType;
  const unknown = { kid: header['kid'], iat: claims['iat'], nowMs: times.nowMs };
  // Of another key, it fails as one with a wrong signature does.
  const publicKey = (await keyOfToken(key, unknown)) ?? key.publicKey;
  try {
    const { payload } = await jwtVerify(token, publicKey, {
      algorithms: ['EdDSA'],
      typ: isOfChild ? childTokenType : accessTokenType,
      issuer,
      audience,
      requiredClaims: ['exp'],
      clockTolerance: Math.floor(times.expiredForMsMax / 1000),
      currentDate: new Date(times.nowMs),
    });
    const { sid, cnf, exp, ses, awy } = claimsSchema.parse(payload);
    return {
      sessionId: sid,
      keyThumbprint: cnf.jkt,
      expiresMs: exp * 1000,
      isOfChild,
      session:
        ses === undefined || isOfChild
          ? undefined
          : {
              principalId: ses.prn,
              claims: ses.clm,
              posture: ses.pst,
              endsMs: ses.end,
              ...(ses.cmb === undefined ? {} : { uncommittedUntilMs: ses.cmb }),
            },
      awaySinceMs: awy === undefined ? undefined : awy * 1000,
    };
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

function carriedClaims({ session, awaySinceMs }: AccessTokenFacts): JwtMembers {
  const away = awaySinceMs === undefined ? {} : { awy: Math.floor(awaySinceMs / 1000) };
  if (session === undefined || session.above !== undefined) return away;
  const { principalId, claims, endsMs, uncommittedUntilMs } = session;
  // Its notes are for people.
  const posture = { ...session.posture, notes: [] };
  const commitBy = uncommittedUntilMs === undefined ? {} : { cmb: uncommittedUntilMs };
  const ses = { prn: principalId, clm: claims, pst: posture, end: endsMs, ...commitBy };
  const isLong = Buffer.byteLength(JSON.stringify(ses)) > defaultLimits.carriedSessionBytesMax;
  return isLong ? away : { ses, ...away };
}
