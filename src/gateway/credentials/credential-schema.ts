// The shape of one credential in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { environmentName, secretWords, sourceSchema } from './source-schema.ts';

const placeholderSchema = strictMap(
  {
    env: environmentName('write the environment variable that the workload sees, such as GITHUB_TOKEN'),
    value: text('write the harmless text that stands in it').optional(),
    body: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('For kind placeholder: also in bodies of JSON, forms and plain text.'),
  },
  { hint: 'write placeholder: { env: NAME }', synonyms: { name: 'env', variable: 'env' } },
);
const credentialKinds = [
  'bearer',
  'basic',
  'header',
  'query',
  'placeholder',
  'mtls',
  'oauth',
  'github-app',
  'sigv4',
] as const;
const tokenUrlHint = 'write an https:// URL without user and password';
const apiUrlHint = 'write the https:// URL of the API, without user, password and query';
const regionHint = 'write a region of AWS, such as eu-central-1';
const serviceHint = 'write the name that signatures have for the service, such as s3';
const headerHint = 'write the name of a header field, such as X-Api-Key';
const numberOrText = (hint: string) =>
  z
    .union(
      [
        z.int({ error: hint }).min(1, { error: hint }),
        z.string({ error: hint }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: hint }),
      ],
      { error: hint },
    )
    .transform(String);
/** A credential by its kind; `checkCredentials` says which keys go with which kind. */
export const credentialSchema = strictMap(
  {
    kind: z
      .enum(credentialKinds, { error: `write one of the kinds ${credentialKinds.join(', ')}` })
      .describe(
        'bearer and basic: the Authorization field; header: a field of its own name; query: a parameter of the URL; placeholder: wherever the workload put its placeholder; mtls: a client certificate; oauth: a bearer token from an issuer; github-app: an installation token; sigv4: a signature of AWS.',
      ),
    username: text('write the user name that goes with the secret').optional().describe('For kind basic.'),
    header: z
      .string({ error: headerHint })
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, { error: headerHint })
      .optional()
      .describe('For kind header.'),
    prefix: z
      .string({ error: 'write the text that stands before the secret' })
      .regex(/^[\x20-\x7e]{0,128}$/, { error: 'write printable ASCII' })
      .optional()
      .describe('For kind header: text before the secret, with its space.'),
    parameter: text('write the name of a query parameter, such as api_key')
      .optional()
      .describe('For kind query.'),
    certificate: text(pathHint)
      .optional()
      .describe('For kind mtls: PEM file of the chain; the source has the key, PEM too.'),
    tokenUrl: z
      .string({ error: tokenUrlHint })
      .regex(/^https:\/\/[^\s@#]+$/, { error: tokenUrlHint })
      .optional()
      .describe("For kind oauth: the issuer's token endpoint."),
    clientId: text('write the client id that the issuer gave').optional().describe('For kind oauth.'),
    scope: text('write scopes with spaces between them').optional().describe('For kind oauth.'),
    refreshToken: sourceSchema
      .optional()
      .describe('For kind oauth: where a refresh token is; without it the grant is client_credentials.'),
    appId: numberOrText('write the id or the client id of the app')
      .optional()
      .describe('For kind github-app; the source has the private key, PEM.'),
    installationId: numberOrText('write the id of the installation, a number')
      .optional()
      .describe('For kind github-app.'),
    apiUrl: z
      .string({ error: apiUrlHint })
      .regex(/^https:\/\/[^\s@#?]+$/, { error: apiUrlHint })
      .optional()
      .describe('For kind github-app: https://api.github.com by default.'),
    as: z
      .enum(['bearer', 'basic'], { error: 'write bearer, or basic for git' })
      .optional()
      .describe('For kind github-app: bearer (the default), or basic with user x-access-token, for git.'),
    permissions: z
      .record(z.string(), z.enum(['read', 'write', 'admin'], { error: 'write read, write or admin' }), {
        error: 'write a map from permission to read or write',
      })
      .optional()
      .describe('For kind github-app: fewer permissions than the installation has.'),
    repositories: z
      .array(text('write the name of a repository, without its owner'), { error: 'write a list of names' })
      .min(1, { error: 'write a list of names' })
      .max(500, { error: 'write at most 500 names' })
      .optional()
      .describe('For kind github-app: fewer repositories than the installation has.'),
    accessKeyId: sourceSchema
      .optional()
      .describe('For kind sigv4: where the access key id is; the source has the secret access key.'),
    sessionToken: sourceSchema
      .optional()
      .describe('For kind sigv4: where the session token of temporary keys is.'),
    region: z
      .string({ error: regionHint })
      .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: regionHint })
      .optional()
      .describe(
        'For kind sigv4: the only region to sign for; without it the one that the request is signed for.',
      ),
    service: z
      .string({ error: serviceHint })
      .regex(/^[A-Za-z0-9._-]{1,64}$/, { error: serviceHint })
      .optional()
      .describe(
        'For kind sigv4: the only service to sign for; without it the one that the request is signed for.',
      ),
    copies: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('For kind sigv4: whether a request may copy another object of S3, wherever that is.'),
    source: sourceSchema,
    scrub: strictMap(
      {
        decode: z
          .boolean({ error: 'write true or false' })
          .describe('Ask for gzip, br and zstd, and decode answers to search them.'),
      },
      { hint: 'write scrub: { decode: true }' },
    )
      .optional()
      .describe('How answers are searched for the secret.'),
    strip: strictMap(
      {
        headers: z
          .array(
            z
              .string({ error: headerHint })
              .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, { error: headerHint }),
            { error: 'write a list of header fields' },
          )
          .max(64, { error: 'write at most 64 header fields' })
          .optional(),
        parameters: z
          .array(text('write the name of a query parameter, such as api_key'), {
            error: 'write a list of query parameters',
          })
          .max(64, { error: 'write at most 64 query parameters' })
          .optional(),
      },
      { hint: 'write strip: { headers: [Cookie], parameters: [key] }' },
    )
      .optional()
      .describe(
        "What is taken off requests that get the credential, so that the client's own account is not used beside it; instead of the usual fields and parameters.",
      ),
    placeholder: placeholderSchema.optional().describe('What the workload sees in its environment instead.'),
  },
  { hint: 'write a credential as { kind: bearer, source: { env: NAME } }', synonyms: secretWords },
);

export type CredentialDocument = z.infer<typeof credentialSchema>;
