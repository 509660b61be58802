// The shape of `notices` in the configuration: who is told at once of what the audit has.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';
import { noticeKinds } from './notice-kinds.ts';

const urlHint = 'write https://host/path, or http:// with a loopback address';
const tellHint = `write kinds of notices: ${noticeKinds.join(', ')}`;
const minuteHint = 'write a whole number from 1 to 600';
const formatHint = 'write cloudevents or slack';

const receiverSchema = strictMap(
  {
    url: z
      .string({ error: urlHint })
      .refine(isServiceUrl, { error: urlHint })
      .optional()
      .describe('Where notices are posted to. Use urlFrom where who knows the URL may post there.'),
    urlFrom: plainSourceSchema
      .optional()
      .describe('The URL from env, file or command: that of an incoming webhook of a chat is a secret.'),
    format: z
      .enum(['cloudevents', 'slack'], { error: formatHint })
      .optional()
      .describe('cloudevents, the default, or a message for Slack and chats that take the same form.'),
    secret: plainSourceSchema
      .optional()
      .describe(
        'Signs what is sent, as Standard Webhooks has it: whsec_ and base64. Required with cloudevents; from env, file or command.',
      ),
    tell: oneOrMany(z.enum(noticeKinds, { error: tellHint }), tellHint).describe(
      'What is told: questions of rules, requests for access, alarms, budgets that are used up, denials.',
    ),
    perMinute: z
      .int({ error: minuteHint })
      .min(1, { error: minuteHint })
      .max(600, { error: minuteHint })
      .optional()
      .describe(
        'Notices a minute, 30 by default; for questions, access and alarms together, and as many for the rest.',
      ),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that the receiver is verified against beside the gateway's roots."),
    link: z
      .string({ error: urlHint })
      .regex(/^https:\/\/[^\s"<>]{1,500}$/, { error: 'write https://host/path' })
      .optional()
      .describe('Where people look at it, such as the console. Nothing can be decided by following it.'),
  },
  {
    hint: 'write { url: https://hooks.example.com/gateway, secret: { file: path }, tell: [question, alarm] }',
    synonyms: { address: 'url', kinds: 'tell', events: 'tell', type: 'format', cacert: 'ca', key: 'secret' },
  },
)
  .refine(({ url, urlFrom }) => (url === undefined) !== (urlFrom === undefined), {
    error: 'a receiver has one address; write exactly one of url and urlFrom',
    when: ({ issues }) => issues.length === 0,
  })
  .refine(({ format, secret }) => format === 'slack' || secret !== undefined, {
    error: 'what is sent as cloudevents is signed; write secret: { file: path }',
    when: ({ issues }) => issues.length === 0,
  });

const nameHint = 'write a name of lower-case letters, digits and hyphens';

/** By name. */
export const noticesSchema = z
  .record(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, { error: nameHint }), receiverSchema, {
    error: 'write notices: { NAME: { url, secret, tell } }',
  })
  .refine((receivers) => Object.keys(receivers).length <= 20, { error: 'write at most 20 receivers' });

export type NoticesDocument = z.infer<typeof noticesSchema>;
