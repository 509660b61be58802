// A moment as people write it on a command line.

import { ProxyError } from '../../protocol/error.ts';
import { quoted } from '../definition/option-value.ts';

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds since the epoch of `2026-01-31`, `2026-01-31T09:00:00Z` or, before now, `90m`, `12h`, `7d`. Throws `usage`. */
export function askedTime(name: string, text: string, nowMs: number): number {
  const [, digits, unit] = /^([1-9][0-9]{0,5})([mhd])$/.exec(text) ?? [];
  // The pattern lets in no other unit.
  if (digits !== undefined) return nowMs - Number(digits) * unitMs[unit as keyof typeof unitMs];
  const isTime = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(
    text,
  );
  const ms = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new ProxyError(
    'usage',
    `--${name} takes a day such as 2026-01-31, a time such as 2026-01-31T09:00:00Z, or how long ago, such as 7d, not ${quoted(text)}`,
  );
}
