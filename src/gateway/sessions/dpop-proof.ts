// Verifying DPoP proofs (RFC 9449 §4.3): the request was made by the holder of the session's key, now, for this URL.

import { createHash } from 'node:crypto';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { jwtVerify } from 'jose/jwt/verify';
import { importJWK } from 'jose/key/import';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { ProofStore, SeenProof } from '../../store/store.ts';
import { splitToken } from './session-token-parts.ts';

// Strict objects: a member beyond these, above all the private `d`, is refused.
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** A public key that a session may have: Ed25519, or P-256 for hardware that has nothing else. */
export const publicKeySchema = z.discriminatedUnion('kty', [
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: coordinate }),
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: coordinate, y: coordinate }),
]);
export type SessionPublicKey = z.infer<typeof publicKeySchema>;

/** RFC 9864 gave EdDSA with Ed25519 its own name; both are taken for the one, ES256 for the other. */
const algorithmsByCurve: Readonly<Record<SessionPublicKey['crv'], readonly string[]>> = {
  Ed25519: ['EdDSA', 'Ed25519'],
  'P-256': ['ES256'],
};

export interface ProofInput {
  /** Value of the request's one `DPoP` field. */
  readonly proof: string;
  readonly method: string;
  /** URL of the request as the agent must have seen it; query and fragment do not count. */
  readonly url: string;
  /** The access token of the request, if it has one: the proof must be made for it. */
  readonly accessToken?: string;
  /** The key that must have signed. */
  readonly expectedThumbprint?: string;
  readonly nowMs: number;
}

export interface VerifiedProof {
  /** RFC 7638 thumbprint of the key. */
  readonly thumbprint: string;
  readonly jwk: SessionPublicKey;
}

/** Throws where the nonce is not good. */
export type ByNonce = (
  nonce: unknown,
  proof: Pick<SeenProof, 'keyThumbprint' | 'jti'>,
) => Promise<'new' | 'seen' | 'full'>;

/** What a proof is judged with. */
interface ProofContext {
  readonly proofs: Pick<ProofStore, 'remember'>;
  readonly limits?: Limits;
  /** Remembers a proof that has a nonce, in place of `proofs`; without it nonces are not looked at. */
  readonly byNonce?: ByNonce | undefined;
  /** Told that the proof opens nothing by itself; without it such a proof is refused. */
  readonly onChallenged?: (() => void) | undefined;
}

/** Verifies a proof and remembers it, so that it counts once. Throws ProxyError `proof_invalid` or `limit_exceeded`. */
export async function verifyProof(input: ProofInput, context: ProofContext): Promise<VerifiedProof> {
  const limits = context.limits ?? defaultLimits;
  const { jwk, key, algorithm } = await keyOfProof(input.proof);
  const thumbprint = await thumbprintOf(jwk);
  if (input.expectedThumbprint !== undefined && thumbprint !== input.expectedThumbprint) {
    throw invalid('it was signed by another key than that of the session');
  }
  const claims = await verifySignature(input, key, algorithm);
  checkRequest(claims, input);
  const issuedMs = checkAge(claims, input.nowMs, limits.proofAgeMsMax);
  const { jti } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) throw invalid('its jti is not a name');
  checkChallenge(claims['challenge'], context);
  const nonce = claims['nonce'];
  // Last, so that only holders of a right key can take room in the store.
  const outcome =
    nonce !== undefined && context.byNonce !== undefined
      ? await context.byNonce(nonce, { keyThumbprint: thumbprint, jti })
      : await context.proofs.remember(
          { keyThumbprint: thumbprint, jti, expiresMs: issuedMs + limits.proofAgeMsMax + 1 },
          { nowMs: input.nowMs, proofsPerKeyMax: limits.proofsPerKeyMax, proofsMax: limits.proofsMax },
        );
  if (outcome === 'seen') throw invalid('it was used before');
  if (outcome === 'full') {
    const { proofsPerKeyMax, proofsMax } = limits;
    throw new ProxyError(
      'limit_exceeded',
      `Too many requests were signed in a short time (proofsPerKeyMax ${proofsPerKeyMax}, proofsMax ${proofsMax}); wait a minute.`,
      { limit: 'proofsPerKeyMax' },
    );
  }
  return { thumbprint, jwk };
}

/** RFC 7638 thumbprint of a session's public key. */
export async function thumbprintOf(jwk: SessionPublicKey): Promise<string> {
  return calculateJwkThumbprint({ ...jwk } satisfies JWK, 'sha256');
}

async function keyOfProof(
  proof: string,
): Promise<{ readonly jwk: SessionPublicKey; readonly key: CryptoKey; readonly algorithm: string }> {
  const { header } = splitToken(proof, {
    name: 'The DPoP proof',
    code: 'proof_invalid',
    bytesMax: defaultLimits.proofBytesMax,
  });
  if (header['typ'] !== 'dpop+jwt') throw invalid('its type is not dpop+jwt');
  if (Object.hasOwn(header, 'crit')) throw invalid('its header has an extension');
  const parsed = publicKeySchema.safeParse(header['jwk']);
  if (!parsed.success) throw invalid('its key is not a public Ed25519 or P-256 key');
  const jwk = parsed.data;
  const algorithm = header['alg'];
  if (typeof algorithm !== 'string' || !algorithmsByCurve[jwk.crv].includes(algorithm)) {
    throw invalid('its algorithm is not EdDSA or ES256, or not that of its key');
  }
  try {
    const key = await importJWK(jwk, algorithm);
    // importJWK gives bytes for `oct` keys only, which the schema does not let through.
    if (key instanceof Uint8Array) throw new TypeError('a symmetric key');
    return { jwk, key, algorithm };
  } catch (error) {
    throw invalid('its key is not a point of its curve', error);
  }
}

async function verifySignature(input: ProofInput, key: CryptoKey, algorithm: string): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(input.proof, key, {
      algorithms: [algorithm],
      typ: 'dpop+jwt',
      currentDate: new Date(input.nowMs),
    });
    return payload;
  } catch (error) {
    throw invalid('its signature does not verify', error);
  }
}

function checkRequest(claims: JWTPayload, input: ProofInput): void {
  if (claims['htm'] !== input.method) throw invalid('it was made for another method');
  const url = canonicalUrl(input.url);
  if (url === undefined || canonicalUrl(claims['htu']) !== url) {
    throw invalid('it was made for another URL');
  }
  if (input.accessToken === undefined) {
    // A proof that belongs to an access token says nothing about a request without one.
    if (claims['ath'] !== undefined) throw invalid('it was made for an access token');
    return;
  }
  const hash = createHash('sha256').update(input.accessToken).digest('base64url');
  if (claims['ath'] !== hash) throw invalid('it was made for another access token');
}

/** What is signed so counts only where a challenge follows: elsewhere it would count by itself. */
function checkChallenge(claim: unknown, { onChallenged }: ProofContext): void {
  if (claim === undefined) return;
  if (claim !== true) throw invalid('its claim challenge is not true');
  if (onChallenged === undefined) throw invalid('it is for the start of a tunnel');
  onChallenged();
}

function checkAge(claims: JWTPayload, nowMs: number, proofAgeMsMax: number): number {
  const { iat } = claims;
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw invalid('it has no time');
  const ageMs = nowMs - iat * 1000;
  if (Math.abs(ageMs) > proofAgeMsMax) {
    const seconds = Math.round(Math.abs(ageMs) / 1000);
    const where = ageMs > 0 ? 'in the past' : 'in the future';
    const why = `it was made ${seconds} s ${where}; compare the clocks of agent and gateway`;
    throw new ProxyError('proof_invalid', `The DPoP proof is not acceptable: ${why}.`, {
      limit: 'proofAgeMsMax',
    });
  }
  return iat * 1000;
}

/** RFC 9449 §4.3: compared after normalisation, without query and fragment. Undefined: not a URL, or with userinfo. */
function canonicalUrl(text: unknown): string | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function invalid(why: string, cause?: unknown): ProxyError {
  return new ProxyError('proof_invalid', `The DPoP proof is not acceptable: ${why}.`, { cause });
}
