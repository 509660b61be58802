// The shape of `admin.oidc` in the configuration.

import { z } from 'zod';
import { adminRoles } from '../../api/admin/roles.ts';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';

const issuerHint = 'write the issuer as the provider names itself, such as https://login.example.com';
const claimHint = 'write the name of a claim, such as groups';
const scopeHint = 'write a scope, such as groups';
const scope = z.string({ error: scopeHint }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, { error: scopeHint });
const seesHint = 'write claims of sessions, such as { team: web }';

const roleSchema = strictMap(
  {
    group: text('write the name of a group').describe('A group, exactly as the provider names it.'),
    role: z.enum(adminRoles, { error: `write one of ${adminRoles.join(', ')}` }),
    sees: z
      .record(z.string().min(1).max(200), z.union([z.string().max(500), z.number(), z.boolean()]), {
        error: seesHint,
      })
      .optional()
      .describe('Only sessions whose token has these claims are seen and decided about.'),
  },
  {
    hint: 'write { group: NAME, role: approver }',
    synonyms: { groups: 'group', name: 'group', claims: 'sees' },
  },
);

/** Log-in to the console by OpenID Connect. */
export const oidcSchema = strictMap(
  {
    issuer: z
      .string({ error: issuerHint })
      .regex(/^https:\/\/[^\s?#]+$/, { error: issuerHint, abort: true })
      .refine(isServiceUrl, { error: issuerHint })
      .describe('Of the identity provider; its metadata are found by it.'),
    clientId: text('write the id under which the provider knows this gateway'),
    clientSecret: plainSourceSchema.describe(
      "The gateway's secret at the provider, from env, file or command.",
    ),
    scopes: oneOrMany(scope, scopeHint)
      .optional()
      .describe('What is asked for beside openid. profile and email by default.'),
    groupsClaim: text(claimHint).optional().describe('The claim that has the groups. groups by default.'),
    roles: z
      .array(roleSchema, { error: 'write a list: [{ group: NAME, role: viewer }]' })
      .min(1, { error: 'without a role nobody can log in; write [{ group: NAME, role: viewer }]' })
      .max(1000, { error: 'write at most 1000 roles' })
      .describe('What groups may do. The first whose group somebody is in counts.'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that the provider is verified against beside the gateway's roots."),
  },
  {
    hint: 'write oidc: { issuer, clientId, clientSecret: { file: path }, roles: [{ group: NAME, role: viewer }] }',
    synonyms: {
      url: 'issuer',
      client: 'clientId',
      secret: 'clientSecret',
      scope: 'scopes',
      claim: 'groupsClaim',
      groups: 'roles',
      cacert: 'ca',
    },
  },
);

export type OidcDocument = z.infer<typeof oidcSchema>;
