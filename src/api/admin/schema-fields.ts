// Parts that several schemas of the admin API share.

import { z } from 'zod';

/** RFC 3339 in UTC with milliseconds. */
export const time = z.iso.datetime({ precision: 3 });
/** A time as people write it. */
export const anyTime = z.iso.datetime({ offset: true, error: 'write a time such as 2026-01-31T09:00:00Z' });
export const count = z.int().nonnegative();
export const texts = z.array(z.string()).readonly();
export const name = z.string().min(1).max(300);
export const id = z.string().min(1).max(200);

/** A whole number as it stands in a query. */
export function number(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: `write a whole number from ${min} to ${max}` })
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

/** Of a token that is told once. */
export const shownAgain =
  'No store has it. For two minutes at the most, the same `Idempotency-Key` gets it again.';
