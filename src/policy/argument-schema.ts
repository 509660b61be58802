// Patterns for arguments as they are written.

import { z } from 'zod';
import type { ClaimPattern } from './claim-pattern.ts';

const valueHint = 'write a value, a list of values, or a map; * in text stands for any text';

const value = z.union([z.string(), z.number(), z.boolean()], { error: valueHint });
const pattern: z.ZodType<ClaimPattern> = z.lazy(() =>
  z.union([value, z.array(value).min(1, { error: valueHint }), z.record(z.string(), pattern)], {
    error: valueHint,
  }),
);

/** Arguments by their names. */
export function argumentsSchema(hint: string) {
  return z.record(z.string(), pattern, { error: hint });
}
