// Durations as people write them on a command line: 90s, 15m, 2h, 1d.

import { ProxyError } from '../../protocol/error.ts';

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds. Throws `usage` for text that is no duration, and for one beyond `maxMs`. */
export function durationOption(name: string, text: string, maxMs: number): number {
  const [, digits, unit] = /^([1-9][0-9]{0,6})([smhd])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new ProxyError('usage', `--${name} takes a duration such as 90s, 15m or 2h, not "${text}"`);
  }
  // The pattern lets in no other unit.
  const ms = Number(digits) * unitMs[unit as keyof typeof unitMs];
  if (ms > maxMs)
    throw new ProxyError(
      'usage',
      `--${name} is at most ${maxMs / 1000}s; what should hold longer is a rule of the policy`,
    );
  return ms;
}
