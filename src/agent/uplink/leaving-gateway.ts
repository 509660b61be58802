// A gateway that is about to end takes no new tunnel. Behind a balancer that has not noticed, the next attempt may reach another one.

import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { AttemptDelay } from './awaited-tunnel.ts';
import { delay, jittered, reconnectDelayMs } from './delay.ts';
import { reasonOf } from './session-over.ts';

/** Attempts for which the wait grows: about a second from then on. */
const growingAttempts = 2;

interface Waiting {
  readonly limits: Limits;
  /** 0 ≤ r < 1, for jitter. */
  readonly random: () => number;
}

/**
 * How long to wait before attempt n, after this error. Jittered also for one that is awaited: agents whose workloads all wait for a gateway
 * must not come at once when it is back, nor again and again while it is not.
 */
export function attemptDelayAfter(error: ProxyError, attempt: number, waiting: Waiting): AttemptDelay {
  const atMostMs = delayAfter(error, attempt, waiting);
  const { limits, random } = waiting;
  const { reconnectAwaitedDelayMs } = limits;
  return { atMostMs, awaitedMs: Math.min(atMostMs, jittered(reconnectAwaitedDelayMs, random)) };
}

function delayAfter(error: ProxyError, attempt: number, { limits, random }: Waiting): number {
  const grown = reasonOf(error) === 'shutting_down' ? Math.min(attempt, growingAttempts) : attempt;
  return reconnectDelayMs(grown, limits, random);
}

/** Tries once, and again for as long as only gateways are reached that are about to end, up to `tunnelWaitTimeoutMs`. */
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
      if (reasonOf(error) !== 'shutting_down' || performance.now() >= endMs) throw error;
      await delay(delayAfter(error, attempt, waiting), signal);
    }
  }
}
