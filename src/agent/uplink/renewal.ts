// Renewing the access token for as long as the session lives.

import { type ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { askedDelayMs } from './asked-delay.ts';
import { delay, reconnectDelayMs } from './delay.ts';
import type { AgentSession } from './enrol.ts';
import type { Logger } from '../../system/logger.ts';
import { endsSession } from './session-over.ts';

export interface RenewalOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** 0 ≤ r < 1, for jitter. */
  readonly random?: () => number;
  /** Called after each renewal; what it throws is logged and changes nothing. */
  readonly onRenewed?: () => Promise<void>;
}

/**
 * Renews at two thirds of the lifetime, and again with back-off where that fails, also past the expiry: the key renews
 * an expired access token. Resolves with the error that ended the session for good, or undefined when the signal aborts.
 */
export async function keepRenewed(options: RenewalOptions): Promise<ProxyError | undefined> {
  const { session, limits, logger, signal } = options;
  const random = options.random ?? Math.random;
  for (;;) {
    // Two thirds, less up to a tenth, so that sessions which began together do not renew together.
    const waitMs = session.expiresInMs - session.lifetimeMs * (1 / 3 + random() / 10);
    if (!(await waited(Math.max(waitMs, limits.reconnectDelayMsInitial), signal))) return undefined;
    const failure = await renewOnce(session, limits, logger, { signal, random });
    if (signal.aborted) return undefined;
    if (failure !== undefined) return failure;
    try {
      await options.onRenewed?.();
    } catch (error) {
      logger.warn(asProxyError(error).message);
    }
  }
}

/** One renewal, tried until it gets a response. */
async function renewOnce(
  session: AgentSession,
  limits: Limits,
  logger: Logger,
  { signal, random }: { readonly signal: AbortSignal; readonly random: () => number },
): Promise<ProxyError | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      await session.renew(signal);
      return undefined;
    } catch (error) {
      const failure = asProxyError(error);
      if (signal.aborted || endsSession(failure)) return failure;
      const waitMs = Math.max(reconnectDelayMs(attempt, limits, random), askedDelayMs(failure, random));
      logger.warn(`the session could not be renewed yet: ${failure.message}`);
      if (!(await waited(waitMs, signal))) return failure;
    }
  }
}

/** False if the signal ended the wait. */
async function waited(waitMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(waitMs, signal);
    return true;
  } catch {
    // `delay` fails in this one way only.
    return false;
  }
}
