// Nonces for proofs of DPoP (RFC 9449 §8): who has one of this gateway is here now, so a proof with it counts here alone, and once by the memory
// of this process. Nothing is kept of those that are given out.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const timeBytes = 6;
const saltBytes = 10;
const headBytes = timeBytes + saltBytes;
const macBytes = 20;
const form = /^[A-Za-z0-9_-]{48}$/;

export class ProofNonces {
  /** Of this process alone: what another one remembers is not known here. */
  readonly #key = randomBytes(32);

  /** For proofs of that session. */
  give(sessionId: string, nowMs: number): string {
    const head = Buffer.alloc(headBytes);
    head.writeUIntBE(Math.trunc(nowMs), 0, timeBytes);
    randomBytes(saltBytes).copy(head, timeBytes);
    return Buffer.concat([head, this.#mac(head, sessionId)]).toString('base64url');
  }

  /** False for what was not given here, for this session and within the last minute. */
  has(nonce: unknown, sessionId: string, nowMs: number): boolean {
    if (typeof nonce !== 'string' || !form.test(nonce)) return false;
    const bytes = Buffer.from(nonce, 'base64url');
    const head = bytes.subarray(0, headBytes);
    if (!timingSafeEqual(bytes.subarray(headBytes), this.#mac(head, sessionId))) return false;
    return Math.abs(nowMs - head.readUIntBE(0, timeBytes)) <= defaultLimits.proofNonceMs;
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
