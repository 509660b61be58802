// Nonces for proofs of DPoP (RFC 9449 §8): who has one of this gateway is here now, so a proof with it counts here alone, and once by the memory
// of this process. Nothing is kept of those that are given out.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const timeBytes = 6;
const nameBytes = 8;
const saltBytes = 6;
const headBytes = timeBytes + nameBytes + saltBytes;
const macBytes = 16;
const form = /^[A-Za-z0-9_-]{48}$/;

/** `sibling`: another process of this gateway gave it. */
export type NonceOrigin = 'own' | 'sibling';

export interface ProofNoncesOptions {
  /** What all processes of one gateway have in common, and nobody else; one of its own by default. */
  readonly secret?: Uint8Array;
}

export class ProofNonces {
  readonly #key: Uint8Array;
  readonly #name = randomBytes(nameBytes);

  constructor({ secret = randomBytes(32) }: ProofNoncesOptions = {}) {
    this.#key = createHmac('sha256', secret).update('upstreamproxy proof nonce 1').digest();
  }

  /** For proofs of that session. */
  give(sessionId: string, nowMs: number): string {
    const head = Buffer.alloc(headBytes);
    head.writeUIntBE(Math.trunc(nowMs), 0, timeBytes);
    this.#name.copy(head, timeBytes);
    randomBytes(saltBytes).copy(head, timeBytes + nameBytes);
    return Buffer.concat([head, this.#mac(head, sessionId)]).toString('base64url');
  }

  /** Undefined for what is none of this gateway's, of this session's or of this minute. */
  originOf(nonce: unknown, sessionId: string, nowMs: number): NonceOrigin | undefined {
    if (typeof nonce !== 'string' || !form.test(nonce)) return undefined;
    const bytes = Buffer.from(nonce, 'base64url');
    const head = bytes.subarray(0, headBytes);
    if (!timingSafeEqual(bytes.subarray(headBytes), this.#mac(head, sessionId))) return undefined;
    const ageMs = nowMs - head.readUIntBE(0, timeBytes);
    if (Math.abs(ageMs) > defaultLimits.proofNonceMs) return undefined;
    return head.subarray(timeBytes, timeBytes + nameBytes).equals(this.#name) ? 'own' : 'sibling';
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
