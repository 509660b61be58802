// What the admin API takes and gives about policies.

import { z } from 'zod';
import { defaultLimits } from '../../protocol/limits.ts';
import { anyTime, count, id, number, texts, time } from './schema-fields.ts';

const problemSchema = z
  .object({
    severity: z.enum(['error', 'warning']),
    message: z.string(),
    file: z.string().optional(),
    line: count.optional(),
    column: count.optional(),
  })
  .readonly();

const policyFiles = z
  .array(z.strictObject({ name: z.string().min(1).max(200), text: z.string().max(1_048_576) }))
  .min(1)
  .max(100)
  .describe('Policy files with their texts, in their order.');

export const checkSchema = z.strictObject({ files: policyFiles });

export const checkedSchema = z
  .object({
    ok: z.boolean(),
    version: z.string().optional(),
    rules: count.optional(),
    problems: z.array(problemSchema).readonly(),
  })
  .readonly();

export const explainSchema = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Za-z]{1,32}$/)
    .describe('Of the request; CONNECT asks for a connection alone.'),
  url: z.string().min(1).max(8192),
  headers: z
    .array(z.tuple([z.string().max(200), z.string().max(4096)]))
    .max(100)
    .optional(),
  pushed: z
    .array(z.strictObject({ ref: z.string().max(1000), change: z.enum(['create', 'update', 'delete']) }))
    .max(1000)
    .optional()
    .describe('Of a POST to …/git-receive-pack: what the push does to which refs.'),
  pushOptions: z.array(z.string().max(1000)).max(100).optional().describe('Its options (`git push -o`).'),
  body: z
    .string()
    .max(defaultLimits.askedBodyBytesMax)
    .optional()
    .describe(
      'Of the request, as text; of JSON where no Content-Type is given. Rules that look into bodies judge by it. Of a POST to https://upstreamproxy.invalid/sign: the commit or tag to sign.',
    ),
  bodyBase64: z
    .base64()
    .max(Math.ceil(defaultLimits.askedBodyBytesMax / 3) * 4)
    .optional()
    .describe('The same for octets that are no text, such as an encoded body.'),
  session: id.optional().describe('Judged as this session is, by its claims and posture.'),
  claims: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'Of a token, where no session is named. Who sees only some sessions: just the claims that make one theirs.',
    ),
  posture: z.array(z.string().max(100)).max(50).optional(),
  files: policyFiles.optional().describe('Another policy than the one in force.'),
  version: z
    .string()
    .max(64)
    .optional()
    .describe(
      '`policyVersion` of an event: as the policy of then decided, where its text is kept; `policy` of the response says which it was.',
    ),
  at: anyTime.optional().describe('As of this time; now by default.'),
});

export const explainedSchema = z
  .object({
    request: z.string(),
    policy: z.string().describe('Version of the policy that was asked.'),
    effect: z.enum(['allow', 'deny']),
    rule: z.string(),
    policyName: z.string().optional().describe('Which published policy the rule is of.'),
    place: z.string().optional(),
    body: z.string().optional().describe('What the body was read as, where one was given.'),
    reason: z.string().optional().describe('What the workload would be told.'),
    inject: texts.describe('Names of the credentials that would be put on it.'),
    steps: z
      .array(
        z
          .object({
            rule: z.string(),
            place: z.string().optional(),
            effect: z.enum(['allow', 'deny']),
            outcome: z.string(),
            because: z.string(),
            looksAt: texts.describe(
              'Conditions that the rule has beside its hosts, in the order in which they are asked.',
            ),
            stopsAt: z
              .object({ condition: z.string(), wanted: z.string() })
              .readonly()
              .optional()
              .describe('Of a rule that does not match: by which condition, and what it would have.'),
            policy: z.string().optional().describe('Which published policy it is of.'),
          })
          .readonly(),
      )
      .readonly(),
    text: z.string().describe('The same for a terminal.'),
  })
  .readonly();

export const policySchemaOut = z
  .object({
    version: z.string(),
    ageSeconds: z.number().nonnegative(),
    staleSeconds: z
      .number()
      .nonnegative()
      .describe('How long there has been something newer that cannot be taken.'),
    mode: z.enum(['files', 'store', 'observe', 'deny']),
    rules: z
      .array(
        z
          .object({
            name: z.string(),
            place: z.string().optional(),
            effect: z.enum(['allow', 'deny']),
            policy: z.string().optional().describe('Which published policy it is of.'),
          })
          .readonly(),
      )
      .readonly(),
    refused: z
      .array(z.object({ policy: z.string(), number: count, since: time, problems: texts }).readonly())
      .readonly()
      .describe('Published versions that this gateway cannot take.'),
  })
  .readonly();

const binding = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const versionNumber = z.int().min(0).max(999_999_999);
const policyName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
  error: 'write a short name of a-z, 0-9 and "-", such as main or team-web',
});

const versionFields = {
  id: z.string().describe('`policy@number`.'),
  policy: z.string(),
  number: count,
  version: z.string().describe('Hash of what the files say.'),
  for: binding.optional().describe('Only sessions with these claims; absent: all.'),
  withdrawn: z.boolean(),
  published: time,
  publishedBy: z.string(),
  note: z.string().optional(),
  backTo: count.optional().describe('It is this earlier version again.'),
};

const publishedFiles = z
  .array(
    z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/), text: z.string() }).readonly(),
  )
  .readonly();

/** Never changes, so its ETag is that of the version. */
export const policyVersionSchema = z.object({ ...versionFields, files: publishedFiles }).readonly();

export const policyHistoryItemSchema = z
  .object({
    ...versionFields,
    inForce: z
      .boolean()
      .describe('It is the published one. A gateway that cannot take it keeps the one before.'),
    gateways: z
      .array(
        z
          .object({
            gateway: z.string(),
            state: z.enum(['taken', 'refused']),
            reason: z.string().optional(),
            time,
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

export const policyHistoryQuery = z.strictObject({
  policy: policyName.optional(),
  before: number(1, 999_999_999).optional().describe('Versions of `policy` with a smaller number.'),
  count: number(1, 1000).optional().describe('How many at the most. 100 by default.'),
});

export const policyTextQuery = z.strictObject({
  version: z
    .string()
    .max(64)
    .optional()
    .describe('For caches: the version that is expected. What is in force comes all the same.'),
});

export const policyTextSchema = z
  .object({
    version: z.string(),
    files: z
      .array(z.object({ policy: z.string().optional(), name: z.string(), text: z.string() }).readonly())
      .readonly(),
  })
  .readonly();

const note = z.string().max(1000).optional().describe('Why; it stands in the history.');
const seen = versionNumber
  .optional()
  .describe('The number of the published version that was seen, 0 for none. This or If-Match is needed.');

export const publishSchema = z.strictObject({
  files: policyFiles,
  for: z
    .record(z.string().min(1).max(200), z.union([z.string().max(500), z.number(), z.boolean()]))
    .optional()
    .describe('Only sessions with these claims, `*` stands for any text; absent: as before.'),
  note,
  seen,
});

export const rollBackSchema = z.strictObject({ to: versionNumber.min(1), note, seen });
export const withdrawSchema = z.strictObject({ note, seen });

export const publishedSchema = z
  .object({
    version: policyVersionSchema,
    warnings: texts,
    diff: z.string().optional().describe('What the change means, for people.'),
  })
  .readonly();

const either = z
  .strictObject({
    version: z
      .string()
      .max(80)
      .optional()
      .describe('`policy@number`, or the name of a policy for its published version.'),
    files: policyFiles.optional(),
  })
  .refine(({ version, files }) => (version === undefined) !== (files === undefined), {
    error: 'name one of version and files',
  });

export const diffSchema = z.strictObject({ before: either, after: either });

export const diffedSchema = z
  .object({
    opened: texts,
    closed: texts,
    added: texts,
    removed: texts,
    changed: texts,
    notCompared: z
      .string()
      .optional()
      .describe('Why nothing is said of what opens and closes: the policies name too much.'),
    text: z.string().describe('All of it, for people.'),
  })
  .readonly();

export const replaySchema = z
  .strictObject({
    version: z.string().max(80).optional().describe('As for diff.'),
    files: policyFiles.optional(),
    since: anyTime.optional().describe('Not before this time.'),
    count: z
      .int()
      .min(1)
      .max(20_000)
      .optional()
      .describe('How many events at the most, the newest first. 5,000 by default.'),
  })
  .refine(({ version, files }) => (version === undefined) !== (files === undefined), {
    error: 'name one of version and files',
  });

export const wholeReplaySchema = z
  .strictObject({
    version: z.string().max(80).optional().describe('As for diff.'),
    files: policyFiles.optional(),
    since: anyTime.optional().describe('Not before this time; all that is kept by default.'),
  })
  .refine(({ version, files }) => (version === undefined) !== (files === undefined), {
    error: 'name one of version and files',
  });

const outcome = z
  .object({ effect: z.enum(['allow', 'deny', 'failed']), rule: z.string(), injected: texts })
  .readonly();
const changes = z
  .array(
    z
      .object({
        change: z.string(),
        request: z.string(),
        was: outcome,
        would: outcome,
        count,
        traceId: z.string().describe('Of one of them.'),
      })
      .readonly(),
  )
  .readonly();

export const replayedSchema = z
  .object({
    policy: z.string().describe('Version of the policy that was asked.'),
    searchedTo: time.optional().describe('Up to which time was looked; absent: nothing is older.'),
    replayed: count.describe('Events that hold a decision.'),
    unchanged: count,
    flipped: count.describe('Requests whose decision, or whose credentials, would differ.'),
    flips: changes.describe('The most frequent of them, alike ones together.'),
    others: changes.describe('The same decision by another rule, or refused by something else then.'),
    notReplayed: z
      .array(z.object({ reason: z.string(), count }).readonly())
      .readonly()
      .describe('Events without a decision, and why.'),
    unsure: z
      .array(z.object({ request: z.string(), reason: z.string(), count }).readonly())
      .readonly()
      .describe('What cannot be told from what is recorded.'),
    fieldsUnseen: count,
  })
  .readonly();

/** One of these a second, and one with the result at the end. */
export const replayProgressSchema = z
  .object({
    looked: count.describe('Events that were looked at so far.'),
    searchedTo: time.optional().describe('The newest come first: up to this time.'),
    oldest: time.optional().describe('Of the oldest event that will be looked at.'),
    result: replayedSchema.optional().describe('In the last one alone.'),
  })
  .readonly();
