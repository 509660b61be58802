// What the admin API takes and gives about access: requests of workloads, and questions of rules.

import { z } from 'zod';
import { count, texts, time } from './schema-fields.ts';

export const accessStates = ['pending', 'granted', 'denied', 'revoked', 'ended'] as const;

const questionChoices = ['once', 'session', 'minutes', 'always'] as const;

const questionSchema = z
  .object({
    until: time.describe(
      'Until when a client waits; then it is refused, and the answer holds for the one that comes back.',
    ),
    rule: z.string().describe('The rule that asks.'),
    bound: z
      .array(z.object({ name: z.string(), value: z.string() }).readonly())
      .readonly()
      .describe('What a decision holds for, in the order in which people read it.'),
    body: z
      .enum(['seen', 'unseen'])
      .describe(
        '`unseen`: nobody could look at the body. A decision holds for any; `once` for that of the digest in `bound`, if there is one.',
      ),
    shown: z
      .string()
      .optional()
      .describe(
        "The beginning of the body, where it is text, until somebody has answered: the workload's own words.",
      ),
    choices: z
      .array(z.enum(questionChoices))
      .readonly()
      .describe('How far a decision may hold, as the rule says.'),
    answered: z
      .object({
        decision: z.enum([...questionChoices, 'deny']),
        by: z.string(),
        ends: time.optional().describe('Absent: as long as its session.'),
      })
      .readonly()
      .optional()
      .describe('What somebody said.'),
  })
  .readonly();

export const questionDecisionSchema = z.strictObject({
  decision: z
    .enum([...questionChoices, 'deny'])
    .describe('`minutes`: 15 of them; `always` holds as `once` does and proposes a rule.'),
  note: z.string().max(1000).optional().describe('Words for the workload.'),
});

export const accessSchema = z
  .object({
    id: z.string(),
    kind: z
      .enum(['request', 'question'])
      .optional()
      .describe(
        '`request`, also where it is absent: what was asked for stays refused until somebody decides. `question`: a rule holds a request back until somebody decides.',
      ),
    question: questionSchema.optional(),
    session: z.string(),
    principal: z.string(),
    state: z.enum(accessStates),
    asked: z
      .object({
        scheme: z.enum(['http', 'https']),
        host: z.string(),
        port: count,
        method: z.string().optional(),
        path: z.string().optional(),
      })
      .readonly(),
    reason: z.string().describe("The workload's own words."),
    trace: z.string().optional().describe('Of the denial that led to it, as the workload says.'),
    created: time,
    pendingUntil: time,
    decided: time.optional(),
    note: z.string().optional(),
    terms: z
      .object({
        scope: z.enum(['host', 'path', 'exact']),
        subject: z.enum(['session', 'principal']),
        refs: texts.optional().describe('Only pushes that create or update these refs.'),
        ends: time,
      })
      .readonly()
      .optional(),
  })
  .readonly();

export const grantSchema = z.strictObject({
  scope: z
    .enum(['host', 'path', 'exact'])
    .optional()
    .describe('`exact` by default; `host` where no path was asked for.'),
  subject: z.enum(['session', 'principal']).optional().describe('`session` by default.'),
  refs: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Where a repository was asked for: only pushes to it that create or update these refs, such as `refs/heads/agent/**`.',
    ),
  seconds: z.int().min(1).max(31_536_000).describe('For how long it holds.'),
  note: z.string().max(1000).optional().describe('Words for the workload.'),
});

export const noteSchema = z.strictObject({
  note: z.string().max(1000).optional().describe('Words for the workload.'),
});
