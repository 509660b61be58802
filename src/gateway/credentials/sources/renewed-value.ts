// A value that ends: fetched ahead of its end, one fetch in flight, and kept while the fetch fails and it still holds. While
// it is in use, it is renewed without waiting for a request.

import { defaultLimits } from '../../../protocol/limits.ts';
import type { BackgroundRenewals } from './background-renewals.ts';

export interface TimedValue<T> {
  readonly value: T;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
  /** An origin refused it before its time. */
  readonly rejected?: boolean;
}

/** The value with the usual time of renewal. */
export function timedValue<T>(value: T, nowMs: number, lifetimeMs: number): TimedValue<T> {
  const endsAtMs = nowMs + lifetimeMs;
  return { value, endsAtMs, renewAtMs: endsAtMs - Math.min(defaultLimits.renewalLeadMs, lifetimeMs / 5) };
}

/** Renewed at 60 to 80 % of its life: values that began at once are not renewed at once. `random` gives 0 to below 1. */
export function jitteredValue<T>(
  value: T,
  {
    nowMs,
    lifetimeMs,
    random,
  }: { readonly nowMs: number; readonly lifetimeMs: number; readonly random: () => number },
): TimedValue<T> {
  return { value, renewAtMs: nowMs + lifetimeMs * (0.6 + 0.2 * random()), endsAtMs: nowMs + lifetimeMs };
}

/** How long a service is left alone that has failed so often in a row; `holds`: the last value is still valid. */
export type FailureHold = (failures: number, holds: boolean) => number;

/** Gets the next value; `known` is the one of before, which may have ended. */
export type FetchValue<T> = (nowMs: number, known: TimedValue<T> | undefined) => Promise<TimedValue<T>>;

const steadyHold: FailureHold = (_, holds) =>
  holds ? defaultLimits.issuerFailureHoldWithValueMs : defaultLimits.issuerFailureHoldMs;

export class RenewedValue<T> {
  readonly #fetch: FetchValue<T>;
  readonly #background: BackgroundRenewals;
  readonly #failureHold: FailureHold;
  #failures = 0;
  #usedMs = Number.NEGATIVE_INFINITY;
  /** Whether a renewal is going to come by itself; there is one timer at most. */
  #isAwaited = false;
  #cancel: () => void = () => undefined;
  /** What was had by it and goes on. */
  #holds = 0;
  #isClosed = false;
  #known: TimedValue<T> | undefined;
  #renewal: Promise<TimedValue<T>> | undefined;
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  #rejectedMs = Number.NEGATIVE_INFINITY;

  constructor(fetch: FetchValue<T>, background: BackgroundRenewals, failureHold = steadyHold) {
    this.#fetch = fetch;
    this.#background = background;
    this.#failureHold = failureHold;
  }

  /** A value that is valid now. Throws what the fetch threw. */
  async read(nowMs: number): Promise<T> {
    this.#usedMs = nowMs;
    try {
      return await this.#read(nowMs);
    } finally {
      this.#await(nowMs);
    }
  }

  /** Says that what the value gave is in use, which it has to outlive. */
  use(nowMs: number): void {
    this.#usedMs = nowMs;
    this.#await(nowMs);
  }

  /** Until it is let go, what the value gave is in use. */
  hold(): Disposable {
    this.#holds += 1;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#holds -= 1;
        isHeld = false;
      },
    };
  }

  /** Nobody reads it any more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  async #read(nowMs: number): Promise<T> {
    const known = this.#known;
    if (known === undefined || nowMs >= known.endsAtMs) return (await this.#renew(nowMs)).value;
    if (nowMs < known.renewAtMs) return known.value;
    // Another request has begun the early renewal, and one that waits is enough.
    if (this.#renewal !== undefined && known.rejected !== true) return known.value;
    return await soonOr(this.#renew(nowMs), known, nowMs);
  }

  /** An origin did not accept the value: the next read asks for another one, once for each value. */
  reject(value: T, nowMs: number): void {
    const known = this.#known;
    if (known?.value !== value || nowMs >= known.renewAtMs) return;
    if (nowMs - this.#rejectedMs < defaultLimits.rejectionIntervalMs) return;
    this.#rejectedMs = nowMs;
    this.#known = { ...known, renewAtMs: nowMs, rejected: true };
  }

  /** Sets the timer for the next renewal, unless it is set. */
  #await(nowMs: number, leastMs = defaultLimits.unaskedRenewalMs): void {
    const known = this.#known;
    if (this.#isClosed || this.#isAwaited || known === undefined || nowMs >= known.endsAtMs) return;
    if (known.renewAtMs === Number.POSITIVE_INFINITY) return;
    this.#isAwaited = true;
    this.#cancel = this.#background.after(Math.max(leastMs, known.renewAtMs - nowMs), async (passedMs) => {
      this.#isAwaited = false;
      await this.#renewUnasked(nowMs + passedMs);
    });
  }

  /** Goes on until nobody has used the value for a while, or until it has ended because its service fails. */
  async #renewUnasked(nowMs: number): Promise<void> {
    if (this.#holds === 0 && nowMs - this.#usedMs >= this.#background.unusedMs) return;
    const known = this.#known;
    let leastMs = defaultLimits.unaskedRenewalMs;
    if (known !== undefined && nowMs >= known.renewAtMs && nowMs < known.endsAtMs) {
      try {
        await this.#renew(nowMs);
      } catch {
        // The request that finds no value says so.
        leastMs = defaultLimits.issuerFailureHoldWithValueMs;
      }
    }
    this.#await(nowMs, leastMs);
  }

  #renew(nowMs: number): Promise<TimedValue<T>> {
    if (this.#failure !== undefined && nowMs < this.#failure.untilMs)
      return Promise.reject(this.#failure.error);
    this.#renewal ??= this.#fetch(nowMs, this.#known)
      .then((known) => {
        this.#failure = undefined;
        this.#failures = 0;
        this.#known = known;
        return known;
      })
      .catch((error: unknown) => {
        const holds = this.#known !== undefined && nowMs < this.#known.endsAtMs;
        this.#failures += 1;
        this.#failure = { error, untilMs: nowMs + this.#failureHold(this.#failures, holds) };
        throw error;
      })
      .finally(() => {
        this.#renewal = undefined;
      });
    return this.#renewal;
  }
}

/**
 * The new value, or the old one if the service fails or takes its time: it may be back before the old one's end. One that
 * ends while it is waited for is not given out.
 */
async function soonOr<T>(renewal: Promise<TimedValue<T>>, old: TimedValue<T>, nowMs: number): Promise<T> {
  const leftMs = old.endsAtMs - nowMs;
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(
    () => {
      resolve(undefined);
    },
    Math.min(leftMs, defaultLimits.earlyRenewalWaitMs),
  );
  const settled = renewal.catch(() => old);
  try {
    const soon = await Promise.race([settled, late]);
    if (soon !== undefined) return soon.value;
  } finally {
    clearTimeout(timer);
  }
  return leftMs > defaultLimits.earlyRenewalWaitMs ? old.value : (await renewal).value;
}
