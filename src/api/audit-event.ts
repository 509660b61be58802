// The audit event: exactly one for each exchange, and one for each event in the life of a session. From this schema come the type, the
// published schema/audit-event.schema.json, the table in docs/reference/audit.md, and what tests hold events against.

import { z } from 'zod';
import { auditEventVersion } from './audit-event-version.ts';
import { factSchemas } from './audit-facts.ts';

const milliseconds = (what: string) => z.number().nonnegative().optional().describe(what);
const text = (what: string) => z.string().optional().describe(what);
const count = (what: string) => z.int().nonnegative().optional().describe(what);
const names = (what: string) => z.array(z.string()).readonly().optional().describe(what);

/** Each is absent where there was no such stage: a kept connection needs no dial. */
const timesSchema = z
  .object({
    queuedMs: milliseconds('Its turn in the queue had come.'),
    decidedMs: milliseconds('The policy had decided.'),
    resolvedMs: milliseconds('Name resolved and addresses checked, for the connection that carried it.'),
    dialledMs: milliseconds('TCP connected, directly or through `upstream.proxy`.'),
    securedMs: milliseconds("TLS up and the origin's certificate verified."),
    sentMs: milliseconds('The last piece of the request was on its way.'),
    firstByteMs: milliseconds('The head of the response had come.'),
    lastByteMs: milliseconds('The response was whole.'),
  })
  .readonly()
  .optional()
  .describe('When a stage was over, in milliseconds since `time`, by a clock that does not jump:');

export const auditEventSchema = z
  .object({
    v: z.literal(auditEventVersion).describe('Version of this form.'),
    id: z.string().min(1).describe('UUID version 7: sorts by time.'),
    time: z.iso
      .datetime({ precision: 3 })
      .describe('RFC 3339 in UTC with milliseconds; when an exchange began.'),
    kind: z
      .enum(['exchange', 'stream', 'session', 'alarm'])
      .describe(
        '`exchange`: a request; `stream`: a connection that carried none; `session`: a step in the life of one; `alarm`.',
      ),
    action: text('Of a session or an alarm: which step, see below.'),
    traceId: z.string().describe('32 hex digits; the same as in the response that the client got.'),
    lastTraceId: text(
      'Where `count` requests share the event: the trace of the last one; `traceId` is of the first.',
    ),
    traceparent: text(
      "Where the rule goes on with the client's trace: the `traceparent` that the client sent, whose trace the exchange is in.",
    ),
    count: count('How many requests share the event, because more were refused than may have one each.'),
    sessionId: text('Whose it was.'),
    principal: text(
      'The principal of that session, `issuer|subject`, with `%7C` and `%25` for a bar and a percent sign in the issuer.',
    ),
    verdict: z
      .enum(['allow', 'deny', 'error', 'info', 'unknown'])
      .describe(
        '`allow`, `deny`, `error`; `unknown` where the gateway was killed first; `info` for steps of a session.',
      ),
    decided: z
      .enum(['allow', 'deny'])
      .optional()
      .describe('Where the verdict is `unknown`: what the policy had said, if it was asked by then.'),
    rule: text('The rule that decided.'),
    policyName: text('Which published policy the rule is of: that of the session, or `ceiling`.'),
    policyVersion: text('Short hash of the policy that decided.'),
    observed: text('What observe mode would have denied: the rule.'),
    deniedField: text(
      'The request field for which a rule that else would have allowed it did not; values of fields are not recorded.',
    ),
    method: text('What was judged, and what the origin got.'),
    scheme: text('`https`, `http` or `tcp`.'),
    host: text('In canonical form.'),
    port: count('Of the destination.'),
    path: text('Path and query, in canonical form: what was judged, and what the origin got.'),
    protocol: text('How the client spoke.'),
    upstreamProtocol: text('How the origin spoke.'),
    claimed: z
      .record(z.string(), z.string())
      .readonly()
      .optional()
      .describe('The names that disagreed, where they did.'),
    address: text(
      'The address that was dialled for the connection that carried it, however it ended; of a request that was sent once more, the last one. ' +
        '`via HOST:PORT` behind `upstream.proxy`, which alone knows it.',
    ),
    aliases: names(
      'Where the host is an alias (CNAME): the names that it leads to, in order and in canonical form, at most eight; see below.',
    ),
    connection: z
      .enum(['new', 'kept'])
      .optional()
      .describe('Whether the connection was opened for this request, or had carried others.'),
    status: count('Status of the response.'),
    errorCode: text('Why it did not go as asked: a code of [errors](errors.md).'),
    limit: text('The limit that was reached, by its name in [limits](limits.md).'),
    message: text('That in a sentence, for the operator.'),
    injected: names('Names of the credentials that were put on the request.'),
    offered: names(
      'Names of those that its rule has, where they are not the same: a placeholder that the request did not hold.',
    ),
    failedCredential: text('Name of the credential that could not be had, where that is why it failed.'),
    ...factSchemas,
    requestBytes: count('Size of the body that was sent on, or of what a stream sent.'),
    responseBytes: count('Size of the body that came back, or of what came on a stream.'),
    captured: z
      .object({
        request: count("How much of the request's body is kept, in bytes."),
        response: count('The same of the response.'),
        recording: count('How long the recording of a shell is, in bytes.'),
        machine: text('The machine whose gateway keeps them, and no other one.'),
        dropped: z.literal(true).optional().describe('The rule asked for it, and there was no room.'),
      })
      .readonly()
      .optional()
      .describe(
        'Where the rule says `capture`, or a shell of SSH was recorded: what is kept beside the event;',
      ),
    times: timesSchema,
    durationMs: milliseconds('From beginning to end.'),
    cut: z
      .record(
        z.string(),
        z
          .object({
            bytes: z.int().nonnegative().describe('How long it was, in bytes of UTF-8.'),
            sha256: z.string().describe('Hash of the whole, in hex.'),
          })
          .readonly(),
      )
      .readonly()
      .optional()
      .describe(
        'What was too long for an event, by the name of the field, such as `path` or `details.claims`: only its beginning is there, or nothing. ' +
          'Of what is no text, the JSON was counted.',
      ),
    details: z.record(z.string(), z.unknown()).readonly().optional().describe('What only this action has.'),
  })
  .readonly()
  .describe('One event of the audit of upstreamproxy.');

/** One exchange, stream or session event. Field names are fixed; no value of a secret can be in it. */
export interface AuditEvent extends Readonly<z.output<typeof auditEventSchema>> {}
