// The session's key, which never leaves the runtime, and the DPoP proofs that it signs (RFC 9449).

import { createHash, randomUUID, type webcrypto } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import type { PublicJwk } from '../../protocol/session-messages.ts';

export interface ProofTarget {
  readonly method: string;
  /** The request's URL without query and fragment: `htu` of RFC 9449 §4.2. */
  readonly url: string;
  /** The access token that goes with the request; its hash is signed along. */
  readonly accessToken?: string;
  /** Of the gateway, or `noNonceYet`, where it gives some. */
  readonly nonce?: string | undefined;
  /** The proof opens nothing by itself: whoever takes it must challenge the key of the session first. */
  readonly isChallenged?: boolean | undefined;
}

/** Asks for a nonce: the proof counts with one of the gateway's alone. */
export const noNonceYet = 'none';

/** A fresh Ed25519 key pair; the private half is not extractable. */
export class SessionKey {
  readonly publicJwk: PublicJwk;
  readonly #privateKey: webcrypto.CryptoKey;
  readonly #clock: () => number;

  private constructor(publicJwk: PublicJwk, privateKey: webcrypto.CryptoKey, clock: () => number) {
    this.publicJwk = publicJwk;
    this.#privateKey = privateKey;
    this.#clock = clock;
  }

  /** `clock` gives milliseconds since 1970. */
  static async generate(clock: () => number = Date.now): Promise<SessionKey> {
    const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    // Ed25519 always gives a pair; the DOM type also covers symmetric algorithms.
    const { publicKey, privateKey } = pair as webcrypto.CryptoKeyPair;
    const { kty, crv, x } = await crypto.subtle.exportKey('jwk', publicKey);
    if (kty === undefined || crv === undefined || x === undefined) {
      throw new ProxyError('internal', 'the runtime exported an incomplete public key');
    }
    return new SessionKey({ kty, crv, x }, privateKey, clock);
  }

  /** The signature of a text that begins with a context of its own, which no proof does. */
  async signText(text: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign('Ed25519', this.#privateKey, text));
  }

  /** A proof for one request: a JWS of type `dpop+jwt`, new identifier and time each. */
  async proof(target: ProofTarget): Promise<string> {
    const header = { typ: 'dpop+jwt', alg: 'EdDSA', jwk: this.publicJwk };
    const claims = {
      jti: randomUUID(),
      htm: target.method,
      htu: target.url,
      iat: Math.floor(this.#clock() / 1000),
      ...(target.accessToken === undefined ? {} : { ath: sha256(target.accessToken) }),
      ...(target.nonce === undefined ? {} : { nonce: target.nonce }),
      ...(target.isChallenged === true ? { challenge: true } : {}),
    };
    const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
    const signature = await crypto.subtle.sign('Ed25519', this.#privateKey, Buffer.from(input, 'latin1'));
    return `${input}.${Buffer.from(signature).toString('base64url')}`;
  }
}

const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
