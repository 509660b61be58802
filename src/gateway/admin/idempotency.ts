// Writes that are sent twice are done once: responses by their Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).

import { createHash } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** A response as it was sent. */
export interface Sent {
  readonly status: number;
  readonly json: string;
}

interface Remembered {
  /** Of the request: another one under the same key is a fault of who asks. */
  readonly digest: string;
  readonly sent: Promise<Sent>;
  readonly untilMs: number;
}

export interface IdempotentRequest {
  /** Whose key it is. */
  readonly who: string;
  readonly key: string;
  /** All that tells the request from another. */
  readonly content: string;
}

/** In memory, so it ends with the gateway: a key that it does not know is a new request. */
export class Idempotency {
  readonly #remembered = new Map<string, Remembered>();

  /** What `act` gave the first time. A fault is not remembered: the same request may be tried again. @throws ProxyError usage */
  async once(
    { who, key, content }: IdempotentRequest,
    nowMs: number,
    act: () => Promise<Sent>,
  ): Promise<Sent> {
    const digest = createHash('sha256').update(content).digest('base64');
    const place = JSON.stringify([who, key]);
    const known = this.#remembered.get(place);
    if (known !== undefined && known.untilMs > nowMs) {
      if (known.digest !== digest)
        throw new ProxyError('usage', 'this Idempotency-Key was sent with another request; write a new one');
      return await known.sent;
    }
    const sent = act();
    this.#remembered.delete(place);
    this.#makeRoom(nowMs);
    this.#remembered.set(place, { digest, sent, untilMs: nowMs + defaultLimits.adminIdempotencyMs });
    try {
      return await sent;
    } catch (error) {
      this.#remembered.delete(place);
      throw error;
    }
  }

  #makeRoom(nowMs: number): void {
    const { adminIdempotencyKeysMax: max } = defaultLimits;
    for (const [place, { untilMs }] of this.#remembered) {
      if (untilMs > nowMs && this.#remembered.size < max) break;
      this.#remembered.delete(place);
    }
  }
}
