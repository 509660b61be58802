// A decision that another system sends for a person: whose signature it has, when it was made, and what it says. Nothing of it is believed
// before the signature over its raw octets is checked.

import { Buffer } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { isSignedBy, webhookKey } from '../notices/standard-webhook.ts';

export const callbackDecisions = ['once', 'session', 'minutes', 'always', 'deny'] as const;
export type CallbackDecision = (typeof callbackDecisions)[number];

export interface Callback {
  /** Who it is at the sender. */
  readonly user: string;
  readonly question: string;
  readonly decision: CallbackDecision;
  readonly note?: string | undefined;
  /** What no other message of the sender has: a second one is a replay. */
  readonly messageId: string;
}

export interface ReceivedCallback {
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

export type CallbackFormat = 'webhook' | 'slack';

interface Sender {
  readonly name: string;
  readonly format: CallbackFormat;
  readonly secret: string;
}

/** @throws ProxyError operator_unknown, usage */
export function readCallback(received: ReceivedCallback, sender: Sender, nowMs: number): Callback {
  return sender.format === 'slack'
    ? readSlack(received, sender, nowMs)
    : readWebhook(received, sender, nowMs);
}

const question = z.string().regex(/^[a-z0-9]{1,64}$/);
const decision = z.enum(callbackDecisions);
const webhookBody = z.strictObject({
  user: z.string().min(1).max(200),
  question,
  decision,
  note: z.string().max(500).optional(),
});

function readWebhook({ headers, body }: ReceivedCallback, { name, secret }: Sender, nowMs: number): Callback {
  const id = fieldOf(headers, 'webhook-id');
  const timestamp = timeOf(fieldOf(headers, 'webhook-timestamp'), nowMs);
  const message = { id, timestamp, body };
  if (!isSignedBy(webhookKey(secret, `of callbacks.${name}`), message, fieldOf(headers, 'webhook-signature')))
    throw notSigned();
  return { ...checked(webhookBody, jsonOf(Buffer.from(body).toString())), messageId: id };
}

/** What Slack sends when somebody presses a button (block_actions); more fields come with it. */
const slackPayload = z.object({
  type: z.literal('block_actions'),
  user: z.object({ id: z.string().min(1).max(200) }),
  actions: z
    .array(z.object({ action_id: z.string().max(255), value: z.string().max(2000).optional() }))
    .length(1),
});

function readSlack({ headers, body }: ReceivedCallback, { secret }: Sender, nowMs: number): Callback {
  const written = fieldOf(headers, 'x-slack-request-timestamp');
  timeOf(written, nowMs);
  const signature = fieldOf(headers, 'x-slack-signature');
  const wanted = Buffer.from(
    `v0=${createHmac('sha256', secret).update(`v0:${written}:`).update(body).digest('hex')}`,
  );
  const given = Buffer.from(signature);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw notSigned();
  const fields = new URLSearchParams(Buffer.from(body).toString());
  const payloads = fields.getAll('payload');
  if (payloads.length !== 1) throw new ProxyError('usage', 'the message must have one field payload');
  const { user, actions } = checked(slackPayload, jsonOf(payloads[0] ?? ''));
  const [action] = actions;
  const [id, said, ...more] = (action?.value ?? '').split(' ');
  if (more.length > 0 || action?.action_id !== `upstreamproxy_${said}`)
    throw new ProxyError('usage', 'the button is none that a notice of this gateway has');
  const asked = checked(z.object({ question, decision }), { question: id, decision: said });
  return { user: user.id, ...asked, messageId: signature };
}

function fieldOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  if (typeof value === 'string' && value.length > 0 && value.length <= defaultLimits.callbackFieldBytesMax)
    return value;
  throw new ProxyError('operator_unknown', `the message has no field ${name} that can be read`);
}

/** Whole seconds. A message of another time may be a copy of an old one. */
function timeOf(written: string, nowMs: number): number {
  const seconds = /^\d{1,12}$/.test(written) ? Number(written) : Number.NaN;
  if (Math.abs(nowMs - seconds * 1000) <= defaultLimits.callbackClockMs) return seconds;
  throw new ProxyError(
    'operator_unknown',
    `the time of the message is not within ${defaultLimits.callbackClockMs / 60_000} minutes of the gateway's clock`,
  );
}

function notSigned(): ProxyError {
  return new ProxyError('operator_unknown', 'the signature of the message is not that of the sender');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ProxyError('usage', 'the message is not JSON');
  }
}

function checked<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const at = issue?.path.join('.') ?? '';
  throw new ProxyError('usage', `the message is not as it must be${at === '' ? '' : ` at ${at}`}`);
}
