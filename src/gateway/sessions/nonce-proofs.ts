// Proofs with a nonce count once, in the memory of the gateway that gave the nonce, whichever gateway or process they come to: that one is
// asked. The store is asked nothing.

import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { ProofStore } from '../../store/store.ts';
import { type NonceGiver, ProofNonces } from './proof-nonces.ts';

/** A proof that was verified but for its nonce. */
export interface NonceProof {
  readonly nonce: string;
  readonly sessionId: string;
  readonly keyThumbprint: string;
  readonly jti: string;
}

/** `unknown`: the nonce is not good, or whoever gave it cannot be asked; the proof is asked for anew. */
export type NonceOutcome = 'new' | 'seen' | 'full' | 'unknown';

/** Asks the gateway of that name. Never rejects. */
export type AskGateway = (gatewayName: string, proof: NonceProof) => Promise<NonceOutcome>;

export interface NonceProofsOptions {
  readonly giver: NonceGiver;
  /** One for all processes of the gateway. */
  readonly memory: Pick<ProofStore, 'remember'>;
  readonly limits: Pick<Limits, 'proofsPerKeyMax' | 'proofsMax'>;
}

export class NonceProofs {
  readonly #options: NonceProofsOptions;
  readonly #nonces: ProofNonces;
  #ask: AskGateway | undefined;

  constructor(options: NonceProofsOptions) {
    this.#options = options;
    this.#nonces = new ProofNonces(options.giver);
  }

  /** From now on other gateways are asked of nonces of theirs. */
  askOthers(ask: AskGateway): void {
    this.#ask = ask;
  }

  /** For the next proof of the session. */
  give(sessionId: string, nowMs: number): string {
    return this.#nonces.give(sessionId, nowMs);
  }

  /** Throws ProxyError where another process of this gateway remembers and does not respond. */
  async take(
    proof: Omit<NonceProof, 'nonce'> & { readonly nonce: unknown },
    nowMs: number,
  ): Promise<NonceOutcome> {
    const read = this.#nonces.read(proof.nonce, proof.sessionId, nowMs);
    if (read.kind === 'good') return await this.#remember(proof, read.untilMs, nowMs);
    if (read.kind === 'bad' || this.#ask === undefined) return 'unknown';
    // What has a name has the form of a nonce.
    return await this.#ask(read.gatewayName, { ...proof, nonce: String(proof.nonce) });
  }

  /** For another gateway: of nonces of this one alone. Throws as `take` does. */
  async takeOwn(proof: NonceProof, nowMs: number): Promise<NonceOutcome> {
    const read = this.#nonces.read(proof.nonce, proof.sessionId, nowMs);
    return read.kind === 'good' ? await this.#remember(proof, read.untilMs, nowMs) : 'unknown';
  }

  /**
   * Longer than the nonce is good, by the clock that says so: clocks of others and of agents do not matter, and whoever remembers may look at
   * its clock a moment later than whoever judged.
   */
  async #remember(
    { keyThumbprint, jti }: Omit<NonceProof, 'nonce'>,
    untilMs: number,
    nowMs: number,
  ): Promise<NonceOutcome> {
    const { proofsPerKeyMax, proofsMax } = this.#options.limits;
    const seen = { keyThumbprint, jti, expiresMs: untilMs + defaultLimits.proofNonceMs };
    return await this.#options.memory.remember(seen, { nowMs, proofsPerKeyMax, proofsMax });
  }
}
