// Proofs of possession (RFC 9449): a token that is bound to a key is worthless to whoever has the token alone.

import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import type { ProofJwk } from './kept-value.ts';

export interface ProofFacts {
  readonly method: string;
  /** Query and fragment are left out. */
  readonly url: string;
  readonly nowMs: number;
  readonly nonce?: string | undefined;
  /** Absent at the token endpoint: there is none yet. */
  readonly accessToken?: string | undefined;
}

/** A key of its own for each log-in. */
export function newProofKey(): ProofJwk {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const { x = '', y = '', d = '' } = jwk;
  return { kty: 'EC', crv: 'P-256', x, y, d };
}

/** Makes one for each request: the same one is taken once. */
export class ProofKey {
  readonly #key: KeyObject;
  readonly #head: string;

  constructor({ d, ...publicKey }: ProofJwk) {
    this.#key = createPrivateKey({ key: { ...publicKey, d }, format: 'jwk' });
    this.#head = encoded({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicKey });
  }

  proof({ method, url, nowMs, nonce, accessToken }: ProofFacts): string {
    const { origin, pathname } = new URL(url);
    const claims = {
      jti: randomUUID(),
      htm: method,
      htu: `${origin}${pathname}`,
      iat: Math.floor(nowMs / 1000),
      ...(nonce === undefined ? {} : { nonce }),
      ...(accessToken === undefined
        ? {}
        : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
    };
    const input = `${this.#head}.${encoded(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
