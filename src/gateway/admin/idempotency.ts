// Writes that are sent twice are done once: responses by their Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).

import { createHash } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** A response as it was sent. */
export interface Sent {
  readonly status: number;
  readonly json: string;
  /** Of one that holds a secret: until when that is good. */
  readonly secretEndsMs?: number;
}

interface Remembered {
  /** Of the request: another one under the same key is a fault of who asks. */
  readonly digest: string;
  /** Undefined: it held a secret, and was forgotten. */
  sent: Promise<Sent> | undefined;
  readonly untilMs: number;
  /** Of one that holds a secret. */
  forgetting?: { readonly atMs: number; readonly timer: NodeJS.Timeout };
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
      if (known.forgetting !== undefined && known.forgetting.atMs <= nowMs) known.sent = undefined;
      if (known.sent === undefined) throw secretForgotten();
      return await known.sent;
    }
    const sent = act();
    this.#drop(place);
    this.#makeRoom(nowMs);
    const remembered: Remembered = { digest, sent, untilMs: nowMs + defaultLimits.adminIdempotencyMs };
    this.#remembered.set(place, remembered);
    try {
      const { secretEndsMs } = await sent;
      if (secretEndsMs !== undefined) forgetSoon(remembered, secretEndsMs, nowMs);
      return await sent;
    } catch (error) {
      this.#drop(place);
      throw error;
    }
  }

  #drop(place: string): void {
    const held = this.#remembered.get(place);
    if (held === undefined) return;
    clearTimeout(held.forgetting?.timer);
    held.sent = undefined;
    this.#remembered.delete(place);
  }

  #makeRoom(nowMs: number): void {
    const { adminIdempotencyKeysMax: max } = defaultLimits;
    for (const [place, { untilMs }] of this.#remembered) {
      if (untilMs > nowMs && this.#remembered.size < max) break;
      this.#drop(place);
    }
  }
}

/** That it was done stays known: done twice, there would be two secrets. */
function forgetSoon(remembered: Remembered, secretEndsMs: number, nowMs: number): void {
  const ms = Math.max(0, Math.min(secretEndsMs - nowMs, defaultLimits.adminIdempotencySecretMs));
  const timer = setTimeout(() => {
    remembered.sent = undefined;
  }, ms);
  timer.unref();
  remembered.forgetting = { atMs: nowMs + ms, timer };
}

function secretForgotten(): ProxyError {
  return new ProxyError(
    'state_changed',
    'this was done under the same Idempotency-Key, and the secret that it gave is not kept: take back what was made, and ask with a new key',
  );
}
