// A gateway that is about to end takes no new tunnel. Behind a balancer that has not noticed, the next attempt may reach another one.

import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { AttemptDelay } from './awaited-tunnel.ts';
import { askedDelayMs } from './asked-delay.ts';
import { delay, reconnectDelayMs } from './delay.ts';
import { endsSession, reasonOf } from './session-over.ts';

/** Attempts for which the wait grows: about a second from then on. */
const growingAttempts = 2;

interface Waiting {
  readonly limits: Limits;
  /** 0 ≤ r < 1, for jitter. */
  readonly random: () => number;
}

/**
 * How long to wait before attempt n, after this error. One that is awaited grows too, up to a bound within which a gateway that is back is
 * found. Jittered: agents whose workloads all wait for a gateway must not come at once when it is back, nor again and again while it is not.
 * None comes sooner than a gateway asks for.
 */
export function attemptDelayAfter(error: ProxyError, attempt: number, waiting: Waiting): AttemptDelay {
  const { limits, random } = waiting;
  const askedMs = askedDelayMs(error, random);
  const atMostMs = Math.max(askedMs, grownDelayMs(error, attempt, waiting));
  const mostMs = (limits.reconnectAwaitedDelayMsMax * (1 + random())) / 2;
  return { atMostMs, awaitedMs: Math.max(askedMs, Math.min(atMostMs, mostMs)) };
}

function grownDelayMs(error: ProxyError, attempt: number, { limits, random }: Waiting): number {
  const grown = reasonOf(error) === 'shutting_down' ? Math.min(attempt, growingAttempts) : attempt;
  return reconnectDelayMs(grown, limits, random);
}

/**
 * Tries once, and again for as long as only gateways are reached that are about to end, or say when they want to be asked again, up to
 * `tunnelWaitTimeoutMs`.
 */
export async function beyondLeaving<T>(
  connect: () => Promise<T>,
  { signal, ...waiting }: Waiting & { readonly signal: AbortSignal },
): Promise<T> {
  const endMs = performance.now() + waiting.limits.tunnelWaitTimeoutMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connect();
    } catch (failure) {
      const error = asProxyError(failure);
      const isPassing = reasonOf(error) === 'shutting_down' || error.retryAfterSeconds !== undefined;
      const { atMostMs } = attemptDelayAfter(error, attempt, waiting);
      const isTooLate = performance.now() + askedDelayMs(error, () => 0) >= endMs;
      if (!isPassing || endsSession(error) || isTooLate) throw error;
      await delay(atMostMs, signal);
    }
  }
}
