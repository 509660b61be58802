// The operations of the admin API about what was used: rules, grants and credentials, and which gateways serve.

import { z } from 'zod';
import { type AdminRoute, pageOf } from './route.ts';
import { count, number, texts, time } from './schema-fields.ts';

const recentSchema = z
  .object({
    allowed: count,
    denied: count,
    failed: count.describe('Allowed, and not done.'),
  })
  .readonly();

const failureSchema = z
  .object({
    time,
    code: z
      .string()
      .describe('A code of errors.md; `status_401` where the origin did not accept the credential.'),
    trace: z.string().optional(),
  })
  .readonly();

const useSchema = z
  .object({
    name: z.string(),
    policy: z.string().optional().describe('Which published policy the rule is of.'),
    uses: count.describe('Since `since`, and as long as the store remembers it.'),
    lastUsed: time,
    recent: recentSchema.describe('Since `from`.'),
    lastFailure: failureSchema.optional(),
  })
  .readonly();

const counting = {
  since: time.optional().describe('Since when the store counts. Absent where it does not count yet.'),
  from: time.optional().describe('From when on `recent` counts: the full hour, 24 hours ago.'),
} as const;

const useQuery = z.strictObject({
  kind: z
    .enum(['rule', 'observed', 'credential'], { error: 'write one of rule, observed, credential' })
    .describe('`rule`: what decided, a grant is `access-grant:ID`; `observed`: what would have denied.'),
});

export const useRoutes = {
  uses: {
    method: 'GET',
    path: '/v1/uses',
    role: 'viewer',
    ofAll: true,
    summary:
      'How often each rule or credential was used, over all gateways. One that is not there was not used.',
    query: useQuery,
    output: z.object({ ...counting, items: z.array(useSchema).readonly() }).readonly(),
  },
  hours: {
    method: 'GET',
    path: '/v1/uses/hours',
    role: 'viewer',
    ofAll: true,
    summary: 'How many requests there were in each hour, over all gateways; an hour without any is left out.',
    query: z.strictObject({
      hours: number(1, 744).optional().describe('How far back. 24 by default.'),
    }),
    output: z
      .object({
        ...counting,
        items: z
          .array(z.object({ time, allowed: count, denied: count, failed: count }).readonly())
          .readonly(),
      })
      .readonly(),
  },
  grantUses: {
    method: 'GET',
    path: '/v1/uses/grants',
    role: 'viewer',
    summary:
      'Whether grants were used: of the requests for access of these ids. One that is not there was not used.',
    query: z.strictObject({
      ids: z
        .string()
        .regex(/^[a-z0-9]{1,40}(?:,[a-z0-9]{1,40}){0,99}$/, {
          error: 'write ids with commas between them, 100 at the most',
        })
        .describe('With commas between them, 100 at the most.'),
    }),
    output: z
      .object({
        since: counting.since,
        items: z.array(z.object({ id: z.string(), uses: count, lastUsed: time }).readonly()).readonly(),
        unknown: texts.describe(
          'Of these it is not told: they are of a principal whose other sessions are not theirs who ask.',
        ),
      })
      .readonly(),
  },
  gateways: {
    method: 'GET',
    path: '/v1/gateways',
    role: 'viewer',
    ofAll: true,
    summary: 'The gateways on the store, and how they are.',
    output: pageOf(
      z
        .object({
          gateway: z.string(),
          address: z.string().optional().describe('At which others reach it.'),
          state: z
            .enum(['serving', 'draining', 'left', 'lost'])
            .describe('`lost`: nothing was heard of it for as long as it said it would be.'),
          processes: count,
          upToDate: z.boolean().describe('It has taken all that was revoked, granted and published.'),
        })
        .readonly(),
    ),
  },
} as const satisfies Readonly<Record<string, AdminRoute>>;
