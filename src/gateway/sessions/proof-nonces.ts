// Nonces for proofs of DPoP (RFC 9449 §8). Each names the gateway that gave it: a proof with it counts there, and once by what that one
// remembers. Nothing is kept of those that are given out.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const timeBytes = 6;
const nameBytes = 8;
const headBytes = 25;
const macBytes = 20;
/** Of whole groups of three octets, so that one nonce has one form. */
const form = /^[A-Za-z0-9_-]{60}$/;

/** Of one start of a gateway, the same in all its processes. */
export interface NonceGiver {
  /** 16 hexadecimal digits. */
  readonly gatewayName: string;
  readonly key: Uint8Array;
}

/** Of a gateway of one process. */
export function newNonceGiver(gatewayName: string = randomBytes(nameBytes).toString('hex')): NonceGiver {
  return { gatewayName, key: newNonceKey() };
}

export function newNonceKey(): Uint8Array {
  return randomBytes(32);
}

export type ReadNonce =
  /** Given here, for this session, and good until then by the clock here. */
  | { readonly kind: 'good'; readonly untilMs: number }
  | { readonly kind: 'elsewhere'; readonly gatewayName: string }
  | { readonly kind: 'bad' };

export class ProofNonces {
  readonly #name: Buffer;
  readonly #key: Uint8Array;

  constructor({ gatewayName, key }: NonceGiver) {
    this.#name = Buffer.from(gatewayName, 'hex');
    this.#key = key;
  }

  /** For proofs of that session. */
  give(sessionId: string, nowMs: number): string {
    const head = randomBytes(headBytes);
    head.writeUIntBE(Math.trunc(nowMs), 0, timeBytes);
    this.#name.copy(head, timeBytes);
    return Buffer.concat([head, this.#mac(head, sessionId)]).toString('base64url');
  }

  /** What says that it is of another gateway may be made up. */
  read(nonce: unknown, sessionId: string, nowMs: number): ReadNonce {
    if (typeof nonce !== 'string' || !form.test(nonce)) return { kind: 'bad' };
    const bytes = Buffer.from(nonce, 'base64url');
    const head = bytes.subarray(0, headBytes);
    const name = head.subarray(timeBytes, timeBytes + nameBytes);
    if (!name.equals(this.#name)) return { kind: 'elsewhere', gatewayName: name.toString('hex') };
    if (!timingSafeEqual(bytes.subarray(headBytes), this.#mac(head, sessionId))) return { kind: 'bad' };
    const givenMs = head.readUIntBE(0, timeBytes);
    if (Math.abs(nowMs - givenMs) > defaultLimits.proofNonceMs) return { kind: 'bad' };
    return { kind: 'good', untilMs: givenMs + defaultLimits.proofNonceMs };
  }

  #mac(head: Uint8Array, sessionId: string): Uint8Array {
    return createHmac('sha256', this.#key).update(head).update(sessionId).digest().subarray(0, macBytes);
  }
}

/** The proof is good but for its nonce; with this one it counts. */
export class NonceNeeded extends ProxyError {
  readonly nonce: string;

  constructor(nonce: string) {
    super(
      'proof_invalid',
      'The DPoP proof needs a nonce of this gateway, which the field DPoP-Nonce has; make another one with it.',
    );
    this.nonce = nonce;
  }
}
