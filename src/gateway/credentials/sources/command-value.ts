// What a program prints that gives a secret: the secret alone, or with when it ends.

import { z } from 'zod';
import { defaultLimits } from '../../../protocol/limits.ts';
import { jsonOf } from './issuer-text.ts';

/** Both, and nothing else: a secret that is JSON itself is no such object. */
const timedSchema = z.strictObject({ secret: z.string(), expiresAt: z.iso.datetime({ offset: true }) });

export interface CommandValue {
  readonly text: string;
  /** The program is asked again from then on. */
  readonly renewAtMs: number;
  /** Until then the value serves where the program fails. */
  readonly endsAtMs: number;
}

/** Throws for what has ended; nothing of the text is in the error. */
export function commandValueOf(printed: string, nowMs: number): CommandValue {
  const timed = printed.trimStart().startsWith('{') ? timedSchema.safeParse(jsonOf(printed)) : undefined;
  if (timed?.success !== true) {
    const untilMs = nowMs + defaultLimits.secretCommandValueMs;
    return { text: printed, renewAtMs: untilMs, endsAtMs: untilMs };
  }
  const endsAtMs = Date.parse(timed.data.expiresAt);
  const lifetimeMs = endsAtMs - nowMs;
  if (lifetimeMs <= 0) throw new Error('it has ended already');
  const renewAtMs = endsAtMs - Math.min(defaultLimits.renewalLeadMs, lifetimeMs / 5);
  return { text: timed.data.secret, renewAtMs, endsAtMs };
}
