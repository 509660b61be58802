// The shape of `callbacks` in the configuration: where other systems send what people decided, and whom their users are.

import { z } from 'zod';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';

const portHint = 'write a port from 0 to 65535 (0 lets the system choose)';
const seesHint = 'write claims of sessions, such as { team: web }';
const peopleHint = 'write people by the id that they have at the sender: { U024BE7LH: { name: alice } }';

const personSchema = strictMap(
  {
    name: text('write a name').describe('Who it is; stands in the audit.'),
    sees: z
      .record(z.string().min(1).max(200), z.union([z.string().max(500), z.number(), z.boolean()]), {
        error: seesHint,
      })
      .optional()
      .describe('Only questions of sessions whose token has these claims are decided.'),
  },
  { hint: 'write { name: alice }', synonyms: { claims: 'sees', user: 'name' } },
);

const senderSchema = strictMap(
  {
    format: z
      .enum(['webhook', 'slack'], { error: 'write webhook or slack' })
      .describe('webhook: JSON, signed as Standard Webhooks has it; slack: what a button of Slack sends.'),
    secret: plainSourceSchema.describe(
      'whsec_ and base64, or the signing secret of the app at Slack; from env, file or command.',
    ),
    people: z
      .record(z.string().min(1).max(200), personSchema, { error: peopleHint })
      .refine((people) => Object.keys(people).length > 0, { error: peopleHint })
      .refine((people) => Object.keys(people).length <= 1000, { error: 'write at most 1000 people' })
      .describe('Who may decide, as approvers may. A signature proves the sender alone.'),
  },
  {
    hint: 'write { format: slack, secret: { file: path }, people: { U024BE7LH: { name: alice } } }',
    synonyms: { type: 'format', users: 'people', key: 'secret' },
  },
);

const nameHint = 'write a name of lower-case letters, digits and hyphens';

export const callbacksSchema = strictMap(
  {
    listen: strictMap(
      {
        address: text('write an IP address, such as 127.0.0.1').optional(),
        port: z.int({ error: portHint }).min(0, { error: portHint }).max(65_535, { error: portHint }),
        certificate: text(pathHint).optional().describe('PEM file; with key.'),
        key: text(pathHint).optional().describe('PEM file; with certificate.'),
      },
      { hint: 'write listen: { port: 9444 }', synonyms: { host: 'address', cert: 'certificate' } },
    ).describe('A port for this alone; with TLS where its address is not loopback.'),
    senders: z
      .record(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, { error: nameHint }), senderSchema, {
        error: 'write senders: { NAME: { format, secret, people } }',
      })
      .refine((senders) => Object.keys(senders).length > 0, { error: 'write at least one sender' })
      .refine((senders) => Object.keys(senders).length <= 20, { error: 'write at most 20 senders' })
      .describe(
        'By name: each posts to /v1/callbacks/NAME. A receiver of notices of the same name shows buttons.',
      ),
  },
  { hint: 'write callbacks: { listen: { port: 9444 }, senders: { NAME: { format, secret, people } } }' },
);

export type CallbacksDocument = z.infer<typeof callbacksSchema>;
