// A gateway that refuses for now may say when it wants to be asked again. It is believed up to a bound: a false one parks no agent.

import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** How long to wait at least, spread upwards: others were told the same. 0 where nothing is asked for. */
export function askedDelayMs({ retryAfterSeconds }: ProxyError, random: () => number): number {
  if (retryAfterSeconds === undefined) return 0;
  const askedMs = Math.max(1, retryAfterSeconds) * 1000;
  return Math.min(askedMs, defaultLimits.retryAfterMsMax) * (1 + random() / 4);
}
