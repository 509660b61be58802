// Waiting with an end: a timer that an AbortSignal cuts short, and the jittered back-off of reconnects.

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';

/** The longest that a timer takes, 25 days; one beyond it would end after a millisecond. */
export const timerMsMax = 0x7fff_ffff;

/** Waits for some milliseconds, or throws `cancelled` at once when the signal aborts. The timer keeps no process alive. */
export function delay(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) {
    reject(cancelled());
    return promise;
  }
  const abort = (): void => {
    clearTimeout(timer);
    reject(cancelled());
  };
  const timer = setTimeout(
    () => {
      signal.removeEventListener('abort', abort);
      resolve();
    },
    Math.min(delayMs, timerMsMax),
  );
  timer.unref();
  signal.addEventListener('abort', abort, { once: true });
  return promise;
}

/** As `delay`, and over as soon as `cut` aborts. */
export async function delayUpTo(delayMs: number, signal: AbortSignal, cut: AbortSignal): Promise<void> {
  const either = new AbortController();
  const end = (): void => either.abort();
  for (const one of [signal, cut]) one.addEventListener('abort', end, { once: true });
  if (signal.aborted || cut.aborted) end();
  try {
    await delay(delayMs, either.signal);
  } catch (error) {
    if (signal.aborted) throw error;
  } finally {
    for (const one of [signal, cut]) one.removeEventListener('abort', end);
  }
}

/** What the promise comes to, or `cancelled` at once when the signal aborts, or has. The promise itself goes on; nobody hears of its fault then. */
export async function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const cut = Promise.withResolvers<never>();
  const abort = (): void => cut.reject(cancelled(signal.reason));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    // What has aborted already comes first, whatever else is there.
    return await Promise.race([cut.promise, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Milliseconds before attempt n (0 is the first repetition): doubles up to `reconnectDelayMsMax`, then halved to
 * doubled by `random` (0 ≤ r < 1), so that a thousand agents of a restarted gateway do not come at once.
 */
export function reconnectDelayMs(attempt: number, limits: Limits, random: () => number): number {
  const base = Math.min(
    limits.reconnectDelayMsInitial * 2 ** Math.min(attempt, 30),
    limits.reconnectDelayMsMax,
  );
  return Math.min(jittered(base, random), limits.reconnectDelayMsMax);
}

/** Halved to doubled by `random`. */
function jittered(delayMs: number, random: () => number): number {
  return delayMs * 2 ** (2 * random() - 1);
}

function cancelled(cause?: unknown): ProxyError {
  return new ProxyError('cancelled', 'the wait was cancelled', { cause });
}
