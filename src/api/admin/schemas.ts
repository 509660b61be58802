// What the admin API takes and gives. From these come its validation, its OpenAPI document, and the types of who calls it.

import { z } from 'zod';
import { adminRoles } from './roles.ts';
import { anyTime, count, id, name, number, shownAgain, texts, time } from './schema-fields.ts';

/** A list in a query: `a,b`. */
function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `write one of ${values.join(', ')}` });
}

const verdicts = ['allow', 'deny', 'error', 'info', 'unknown'] as const;
const eventKinds = ['exchange', 'stream', 'session', 'alarm'] as const;
const sessionStates = ['enrolled', 'committed', 'ended', 'revoked'] as const;

/** What events are asked for by; every one that is given must fit. */
const eventFilter = {
  session: id.optional().describe('Events of this session.'),
  principal: name.optional().describe('Events of sessions of this principal.'),
  kind: oneOf(eventKinds).optional(),
  verdict: oneOf(verdicts).optional(),
  host: name.optional().describe('This host; with a dot in front, every host below it.'),
  method: z.string().min(1).max(32).optional(),
  path: z.string().min(1).max(4096).optional().describe('The beginning of the path.'),
  rule: name.optional().describe('Decided by this rule.'),
  credential: name.optional().describe('With this credential on it.'),
  error: name.optional().describe('A code of errors.md.'),
  limit: name.optional().describe('A name of limits.md.'),
  status: number(100, 599).optional(),
  trace: z
    .string()
    .regex(/^[0-9a-f]{4,32}$/, { error: 'write a trace id, or its first 4 hex digits or more' })
    .optional(),
  since: anyTime.optional().describe('Not before this time.'),
  until: anyTime.optional().describe('Before this time.'),
};

export const eventQuerySchema = z.strictObject({
  ...eventFilter,
  before: id.optional().describe('Cursor of an earlier page: older events than those.'),
  after: id.optional().describe('Id of an event: newer events than it, the oldest first.'),
  count: number(1, 1000).optional().describe('How many events at the most. 100 by default.'),
});

export const followQuerySchema = z.strictObject({
  ...eventFilter,
  after: id.optional().describe('Id of an event; begins behind it. Without it, with what comes from now on.'),
});

export const openQuerySchema = z.strictObject({
  session: id.optional().describe('Of this session.'),
  seconds: number(0, 86_400).optional().describe('Those that began at least so long ago. 0 by default.'),
  after: id.optional().describe('`next` of the page before.'),
  count: number(1, 1000).optional().describe('How many at the most. 100 by default.'),
});

export const exportQuerySchema = z.strictObject({
  ...eventFilter,
  behind: z
    .string()
    .regex(/^\d{1,15}\.\d{1,16}$/, { error: 'write what the page before gave as next' })
    .optional()
    .describe('Cursor of the page before.'),
  count: number(1, 1000).optional().describe('How many events at the most. 100 by default.'),
});

export type EventFilter = Omit<z.output<typeof followQuerySchema>, 'after'>;

export const sessionSchema = z
  .object({
    id: z.string(),
    principal: z.string(),
    claims: z.record(z.string(), z.unknown()).readonly().describe('Of its token.'),
    state: z.enum(sessionStates),
    created: time,
    lastSeen: time.optional(),
    tunnels: count.describe('How many tunnels it has now, over all gateways.'),
    posture: texts.describe('The facts of its posture that hold.'),
    way: z
      .enum(['agent', 'proxy'])
      .optional()
      .describe(
        'How it came in: `proxy` is the listener for clients without an agent, whose token is in the container.',
      ),
    notes: texts.describe('Why others do not.'),
    agentVersion: z.string(),
    expires: time,
    ended: time.optional(),
    policy: z.string().optional().describe('Version of the policy that it is judged by.'),
    reason: z.string().optional().describe('Why it ended.'),
  })
  .readonly();

export const leasesSchema = z
  .object({
    items: z
      .array(
        z
          .object({
            credential: z.string().describe('Its name in the configuration.'),
            state: z
              .enum(['asked', 'held', 'released'])
              .describe('`asked`: no response is written down yet. `released`: it is to be given back.'),
            asked: time,
            expires: time.optional().describe('When it ends by itself, unless it is prolonged.'),
            attempts: count.describe('How often it was to be given back.'),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

export const revokeSchema = z.strictObject({
  reason: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('Why; it stands in the audit, and the agent is told.'),
});

export const credentialSchema = z
  .object({
    name: z.string(),
    kind: z.string(),
    variables: texts.describe('What workloads see in its place.'),
    state: z
      .enum(['unused', 'works', 'failing', 'unknown'])
      .optional()
      .describe('As its last use over all gateways ended; `unused`: it has no use that the store remembers.'),
    lastUsed: time.optional().describe('When it was put on a request last, or could not be had for one.'),
    recent: z
      .object({ allowed: count, denied: count, failed: count })
      .readonly()
      .optional()
      .describe('Requests with it since `from` of `uses`.'),
    lastError: z
      .object({ time, code: z.string(), trace: z.string().optional() })
      .readonly()
      .optional()
      .describe('`credential_unavailable`, or `status_401` where the origin did not accept it.'),
  })
  .readonly();

export const limitSchema = z
  .object({ name: z.string(), value: z.number(), code: z.string(), reason: z.string(), reached: count })
  .readonly();

export const healthSchema = z
  .object({
    version: z.string(),
    started: time,
    now: time.describe("By the gateway's clock."),
    ready: z.boolean(),
    audit: z.enum(['written', 'failing']),
    tunnels: count.optional().describe('Absent for who sees only some sessions.'),
    policy: z.object({ version: z.string(), staleSeconds: z.number().nonnegative() }).readonly(),
    advisories: z
      .object({
        state: z
          .enum(['fresh', 'stale', 'unreadable'])
          .describe('Without an index that can be read, rules that look at advisories allow nothing.'),
        staleSeconds: z.number().nonnegative(),
        imported: time.optional(),
        registries: z.array(
          z
            .object({
              registry: z.string(),
              packages: count,
              advisories: count,
              newest: time.optional().describe('When the newest record was changed.'),
            })
            .readonly(),
        ),
      })
      .readonly()
      .optional()
      .describe('What is known against packages. Absent where the configuration names no index.'),
    followers: count
      .optional()
      .describe('How many follow events now. Absent for who sees only some sessions.'),
  })
  .readonly();

export const verifySchema = z.strictObject({
  since: anyTime.optional().describe('What was stored from this time on; all that is kept by default.'),
  until: anyTime.optional().describe('What was stored before this time.'),
});

const findingSchema = z
  .object({
    kind: z.enum(['removed', 'cut_tail', 'changed', 'reordered', 'inserted', 'forged']),
    chain: count.optional(),
    link: count.optional(),
    sequence: count.optional().describe('The place in the store.'),
    id: z.string().optional(),
    message: z.string(),
  })
  .readonly();

const chainReportSchema = z
  .object({
    events: count.describe('Events that were looked at.'),
    notChained: count.describe('Stored before there was a chain: nothing is known of them.'),
    removed: count.describe('Links that retention removed, and says so.'),
    uncovered: count.describe('Events behind the last head of their chain.'),
    chains: count,
    findings: z.array(findingSchema).readonly().describe('The first of them.'),
    findingsTotal: count,
  })
  .readonly();

/** One of these a second, and one with the report at the end. */
export const verifyProgressSchema = z
  .object({
    looked: count.describe('Events that were read so far.'),
    report: chainReportSchema.optional().describe('In the last one alone.'),
  })
  .readonly();

export const changesQuerySchema = z.strictObject({
  wait: number(0, 10).optional().describe('For how many seconds to wait until all have. 0 by default.'),
});

export const changesSchema = z
  .object({
    change: count.describe('Number of the newest change.'),
    confirmed: texts.describe('Gateways that have taken it.'),
    missing: texts.describe('Gateways that serve, and had not said that they have it.'),
    seconds: z.number().nonnegative().describe('How long that took.'),
  })
  .readonly();

const personSchema = z
  .object({
    issuer: z.string(),
    subject: z.string().describe('With `issuer` it is who it is.'),
    name: z.string().optional().describe('To be read; it says nothing of who it is.'),
    email: z.string().optional().describe('To be read; it says nothing of who it is.'),
  })
  .readonly()
  .describe('Of a session by log-in.');

export const logInWaysSchema = z
  .object({
    provider: z
      .string()
      .optional()
      .describe('Where people log in by OpenID Connect, begun at `/log-in/oidc`.'),
  })
  .readonly();

export const loggedOutSchema = z
  .object({
    providerLogOut: z
      .string()
      .optional()
      .describe('Where the person logs out of the identity provider, too.'),
  })
  .readonly();

const bodySchema = z
  .object({
    type: z.string().optional().describe('Content-Type, as it was said.'),
    coding: z.string().optional().describe('Content-Encoding, as it was said.'),
    bytes: count.describe('How much is kept, as it was sent.'),
    whole: z.boolean().describe('Nothing is missing behind it.'),
    redacted: count.describe('How many values were left out.'),
    text: z
      .string()
      .optional()
      .describe('Decoded, where it is text. Written by a workload or an origin: never render it.'),
    base64: z.string().optional().describe('As it was sent, where it is no text.'),
    note: z.string().optional().describe('Why it is not shown as it is.'),
  })
  .readonly();

const recordingSchema = z
  .object({
    cast: z
      .string()
      .describe(
        'Lines of asciicast (version 2) in ASCII: its head, and what the shell showed. To play them is to do with a terminal what the shell said.',
      ),
    bytes: count.describe('How much is kept of all of it.'),
    whole: z.boolean().describe('It goes on to the end of the shell.'),
    next: count.optional().describe('`from` of the lines behind these; absent where there are none.'),
  })
  .readonly();

export const bodiesQuerySchema = z.strictObject({
  from: number(0, 999_999_999)
    .optional()
    .describe('How many lines of the recording are left out. Without it none is.'),
});

export const bodiesSchema = z
  .object({
    request: bodySchema.optional(),
    response: bodySchema.optional(),
    recording: recordingSchema.optional().describe('Of a shell of SSH.'),
  })
  .readonly();

export const whoSchema = z
  .object({
    name: z.string(),
    role: z.enum(adminRoles),
    by: z.enum(['socket', 'token', 'link', 'oidc']),
    sees: z.record(z.string(), z.unknown()).optional().describe('Only sessions with these claims.'),
    expires: time.optional(),
    person: personSchema.optional(),
    csrf: z.string().optional().describe('Of a session by log-in: its writes send it as `X-CSRF-Token`.'),
  })
  .readonly();

export const logInSchema = z.strictObject({
  secret: z.string().min(1).max(200).describe('Of the link; it works once.'),
});

export const loggedInSchema = z.object({ token: z.string(), expires: time }).readonly();

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(adminRoles),
    sees: z.record(z.string(), z.unknown()).optional(),
    created: time,
    createdBy: z.string(),
    expires: time,
    lastUsed: time.optional(),
    person: personSchema.optional(),
  })
  .readonly();

export const newTokenSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._@ -]{0,99}$/, {
      error: 'write letters, digits, ".", "_", "@", "-" or spaces',
    })
    .describe('Who uses it; it stands in the audit.'),
  role: z.enum(adminRoles),
  seconds: z.int().min(60).max(31_536_000).describe('For how long it is good.'),
  sees: z
    .record(z.string().min(1).max(200), z.union([z.string().max(500), z.number(), z.boolean()]))
    .optional()
    .describe(
      'Only sessions whose token has these claims are seen and decided about; `*` stands for any text.',
    ),
});

export const madeTokenSchema = z
  .object({ token: z.string().describe(shownAgain), record: tokenSchema })
  .readonly();
