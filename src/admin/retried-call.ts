// A call with its repetitions: few, with jittered pauses, and all of them within one deadline.

import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../protocol/error.ts';
import { AdminError, type AdminFault } from './admin-error.ts';

const firstPauseMs = 200;
const pauseMsMax = 5_000;

export interface RetryRules {
  /** Whom is asked what. */
  readonly asked: Pick<AdminFault, 'server' | 'operation'>;
  /** Tries, the first one too. */
  readonly attemptsMax: number;
  /** For all of them together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** 0 ≤ r < 1 */
  readonly random?: () => number;
  /** Pauses; resolves early when the signal aborts. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds before the n-th repetition (0 is the first one): doubled each time, then halved to doubled by chance. */
function pauseMs(repetition: number, random: () => number): number {
  const base = Math.min(firstPauseMs * 2 ** Math.min(repetition, 20), pauseMsMax);
  return Math.min(base * 2 ** (2 * random() - 1), pauseMsMax);
}

/** As long as the response asks for, and never shorter than ours. */
export function pauseAfter(error: AdminError, repetition: number, random: () => number): number {
  return Math.max(pauseMs(repetition, random), (error.retryAfterSeconds ?? 0) * 1000);
}

export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined);
}

/**
 * Tries until it succeeds, or fails in a way that stays. A pause that the deadline does not leave time for is not begun: who asked is told
 * at once, with `retryAfterSeconds`. @throws AdminError, ProxyError cancelled
 */
export async function retried<T>(
  { asked, attemptsMax, timeoutMs, signal, random = Math.random, pause = pauseFor }: RetryRules,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(Math.ceil(timeoutMs));
  const ended = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  const endMs = performance.now() + timeoutMs;
  let last: AdminError | undefined;
  for (let tries = 1; ; tries += 1) {
    requireWanted(signal);
    try {
      return await attempt(ended);
    } catch (error) {
      requireWanted(signal);
      if (deadline.aborted)
        throw (
          last ??
          new AdminError('timeout', `${asked.server}: no response within ${timeoutMs / 1000} s`, asked)
        );
      if (!(error instanceof AdminError) || !error.isPassing || tries >= attemptsMax) throw error;
      const ms = pauseAfter(error, tries - 1, random);
      if (performance.now() + ms >= endMs) throw error;
      last = error;
      await pause(ms, ended);
    }
  }
}

/** @throws ProxyError cancelled */
export function requireWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new ProxyError('cancelled', 'the caller cancelled it', { cause: signal.reason });
}
