// `limits` of a rule as it is written.

import { z } from 'zod';
import { defaultLimits } from '../protocol/limits.ts';
import { strictMap } from './yaml-source.ts';

const sizeHint = 'write a number of bytes, or a size such as 500 kB, 10 MiB or 1 GiB';
export const sizeSchema = z.union(
  [
    z.int({ error: sizeHint }).min(0, { error: sizeHint }),
    z.string({ error: sizeHint }).regex(/^\d{1,12} ?(B|kB|MB|GB|KiB|MiB|GiB)$/, { error: sizeHint }),
  ],
  { error: sizeHint },
);
const countHint = 'write a whole number from 1';
const urlsHint = `write a whole number from 1 to ${String(defaultLimits.urlsPerSessionMax)}`;
const rateHint = 'write a number of requests per second above 0, such as 5 or 0.5';

const budgetHint =
  'write a name of at most 64 lower-case letters, digits, ".", "_" and "-", such as search-api';

/** What requests of a rule may cost, each and all in all. */
export const limitsSchema = strictMap(
  {
    requestsPerSecond: z
      .number({ error: rateHint })
      .positive({ error: rateHint })
      .max(1_000_000, { error: rateHint })
      .optional()
      .describe('Requests per second of one session through this rule, with a burst of one second.'),
    requestsPerSession: z
      .int({ error: countHint })
      .min(1, { error: countHint })
      .optional()
      .describe('Requests of one session through this rule, all in all.'),
    bodyBytes: sizeSchema.optional().describe('The largest request body, in bytes or with a unit.'),
    bytesOutPerSession: sizeSchema
      .optional()
      .describe('Bytes that the client of one session sends through this rule: heads, bodies, WebSockets.'),
    urlsPerSession: z
      .int({ error: urlsHint })
      .min(1, { error: urlsHint })
      .max(defaultLimits.urlsPerSessionMax, { error: urlsHint })
      .optional()
      .describe('URLs that differ, of one session through this rule.'),
    urlBytesPerSession: sizeSchema
      .optional()
      .describe('Bytes of the paths and queries of these URLs, each counted once.'),
    bytesPerSession: sizeSchema.optional().describe('Bytes of one session through this rule, both ways.'),
    budget: z
      .string({ error: budgetHint })
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, { error: budgetHint })
      .optional()
      .describe(
        'What requestsPerSession and bytesPerSession are counted in: rules of the same budget share it, and a change of the rule keeps it.',
      ),
    whenStoreAway: z
      .enum(['deny', 'continue'], { error: 'write deny or continue' })
      .optional()
      .describe(
        'What requestsPerSession and bytesPerSession do while PostgreSQL is away and what was borrowed is used up: deny, which is the default, or continue with one more block at each gateway.',
      ),
  },
  {
    hint: 'write limits such as { requestsPerSecond: 5 }',
    synonyms: {
      rate: 'requestsPerSecond',
      rps: 'requestsPerSecond',
      bytes: 'bytesPerSession',
      bytesOut: 'bytesOutPerSession',
      urls: 'urlsPerSession',
      count: 'requestsPerSession',
      bodySize: 'bodyBytes',
    },
  },
);
