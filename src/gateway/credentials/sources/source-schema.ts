// The shape of `source:` in the configuration: where a secret is, never the secret itself.

import { z } from 'zod';
import { strictMap } from '../../../policy/yaml-source.ts';
import { pathHint, text } from '../../../policy/schema-parts.ts';
import { isServiceUrl } from '../../forward/service-fetch.ts';

/** Upper case only, so that a token pasted here by mistake is not taken for a name. */
export const environmentName = (hint: string) =>
  z.string({ error: hint }).regex(/^[A-Z_][A-Z0-9_]{0,127}$/, { error: hint });
const inlineSecret = 'source: { env: NAME } or { file: path }, for a secret never stands in this file';
export const secretWords = {
  value: inlineSecret,
  token: inlineSecret,
  secret: inlineSecret,
  password: inlineSecret,
  key: inlineSecret,
  bearer: inlineSecret,
  env: 'source: { env: NAME }',
  file: 'source: { file: path }',
  command: 'source: { command: [program] }',
  vault: 'source: { vault: { address: URL, path: secret/data/NAME, field: NAME } }',
  user: 'username',
  name: 'header',
  type: 'kind',
} as const;

const plainShape = {
  env: environmentName('write the name of an environment variable in upper case, such as GITHUB_TOKEN')
    .optional()
    .describe('An environment variable of the gateway, read once at start.'),
  file: text(pathHint)
    .optional()
    .describe('A file that holds nothing but the secret; read again when it changes.'),
  command: z
    .array(text('write a program and its arguments'), { error: 'write a list: [program, argument]' })
    .min(1, { error: 'write a list: [program, argument]' })
    .optional()
    .describe('A program that prints the secret; started without a shell.'),
};
const synonyms = { value: inlineSecret, environment: 'env', path: 'file', exec: 'command' };

const hasOneKey = (map: object): boolean => Object.keys(map).length === 1;
/** Unknown keys are told first: one of them may be the one that is missing. */
const oneKey = (error: string) => ({
  error,
  when: ({ issues }: { readonly issues: readonly unknown[] }) => issues.length === 0,
});

/** What this machine alone can give. */
export const plainSourceSchema = strictMap(plainShape, {
  hint: 'write where the secret is: { env: NAME }, { file: path } or { command: [program, argument] }; a secret never stands in this file',
  synonyms,
}).refine(hasOneKey, oneKey('a secret has one source; write exactly one of env, file and command'));

const addressHint = 'write https://host:port, or http:// with a loopback address';
const mountHint = 'write where the log-in is mounted, such as kubernetes';
const mount = z
  .string({ error: mountHint })
  .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, { error: mountHint })
  .optional()
  .describe('Where the log-in is mounted below auth/; its own name by default.');
const authSchema = strictMap(
  {
    tokenSource: plainSourceSchema
      .optional()
      .describe("Where a token is; the operator's own, never revoked."),
    kubernetes: strictMap(
      {
        role: text('write the role of the log-in'),
        jwtFile: text(pathHint).describe('The service account token of the pod.'),
        mount,
      },
      {
        hint: 'write kubernetes: { role: NAME, jwtFile: path }',
        synonyms: { jwt: 'jwtFile', token: 'jwtFile' },
      },
    ).optional(),
    approle: strictMap(
      {
        roleId: text('write the role id; it is no secret'),
        secretIdSource: plainSourceSchema.describe('Where the secret id is.'),
        mount,
      },
      {
        hint: 'write approle: { roleId: ID, secretIdSource: { file: path } }',
        synonyms: { role_id: 'roleId', secretId: 'secretIdSource', secret_id: 'secretIdSource' },
      },
    ).optional(),
  },
  {
    hint: 'write one of { tokenSource: { file: path } }, { kubernetes: … } and { approle: … }',
    synonyms: { token: 'tokenSource', k8s: 'kubernetes', appRole: 'approle' },
  },
).refine(
  hasOneKey,
  oneKey('there is one way to log in; write exactly one of tokenSource, kubernetes and approle'),
);
const vaultPathHint = 'write the path of the HTTP API behind /v1/, such as secret/data/NAME';
const refreshHint = 'write seconds from 1 to 86400';
/** How a Vault or OpenBao server is reached, whatever is asked of it. */
export const vaultServerShape = {
  address: z
    .string({ error: addressHint })
    .regex(/^https?:\/\/[^\s@#?]+$/, { error: addressHint, abort: true })
    .refine(isServiceUrl, {
      error:
        'a secret never travels in the clear; write https://, or http:// with a loopback address such as 127.0.0.1',
    }),
  auth: authSchema.describe('How the gateway logs in.'),
  namespace: text('write a namespace').optional(),
  ca: text(pathHint)
    .optional()
    .describe("PEM file that the server is verified against beside the gateway's roots."),
};
const vaultSchema = strictMap(
  {
    address: vaultServerShape.address,
    path: z
      .string({ error: vaultPathHint })
      .regex(/^(?!v1\/)[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)+$/, { error: vaultPathHint, abort: true })
      .refine((path) => !path.split('/').some((segment) => segment === '.' || segment === '..'), {
        error: 'a path without "." and ".." is what the server sees; write it so',
      })
      .describe('As in the HTTP API, behind /v1/. KV version 2 has data/ behind its mount.'),
    field: text('write the name of the field').describe('Which field of the secret.'),
    auth: vaultServerShape.auth,
    namespace: vaultServerShape.namespace,
    ca: vaultServerShape.ca,
    refreshSeconds: z
      .int({ error: refreshHint })
      .min(1, { error: refreshHint })
      .max(86_400, { error: refreshHint })
      .optional()
      .describe('How long a value without a lease is used. 300 by default.'),
  },
  {
    hint: 'write vault: { address: URL, path: secret/data/NAME, field: NAME, auth: … }',
    synonyms: { url: 'address', addr: 'address', key: 'field', name: 'field', cacert: 'ca' },
  },
);

/** Every source of a credential. */
export const sourceSchema = strictMap(
  {
    ...plainShape,
    vault: vaultSchema.optional().describe('HashiCorp Vault or OpenBao, over its HTTP API.'),
  },
  {
    hint: 'write where the secret is: { env: NAME }, { file: path }, { command: [program, argument] } or { vault: … }; a secret never stands in this file',
    synonyms: { ...synonyms, openbao: 'vault' },
  },
)
  .refine(hasOneKey, oneKey('a secret has one source; write exactly one of env, file, command and vault'))
  .meta({ id: 'source' });

export type PlainSourceDocument = z.infer<typeof plainSourceSchema>;
export type SourceDocument = z.infer<typeof sourceSchema>;
