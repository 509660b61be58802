// Kind `sigv4`: what the client signed with dummy keys is signed again with keys of AWS.

import { z } from 'zod';
import { Sigv4Injector } from '../sigv4/sigv4-injector.ts';
import { AwsKeySet } from '../sigv4/aws-keys.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import { environmentName, sourceSchema } from '../sources/source-schema.ts';
import { sourceSettings } from '../sources/source-settings.ts';
import { credentialKind } from './credential-kind.ts';
import { openSource } from './open-source.ts';
import { perSessionSettings, perSessionShape, requireOneLease } from './per-session.ts';
import { standIn } from './placeholder-form.ts';

const copiesHint =
  'what may be copied is said by the rule now: remove copies, and write requestFields: [x-amz-copy-source] there';
const regionHint = 'write a region of AWS, such as eu-central-1';
const serviceHint = 'write the name that signatures have for the service, such as s3';
/** How a variable ends that holds an access key id; the one for the secret begins alike, and a program that has one wants both. */
const keyIdVariable = /ACCESS_KEY_ID$/;

/**
 * The source has the secret access key; region and service are the client's to say where they are not fixed. A session token
 * travels, and is what responses are searched for.
 */
export const sigv4 = credentialKind({
  kind: 'sigv4',
  signs: true,
  summary: 'A signature of AWS.',
  shape: {
    accessKeyId: sourceSchema.describe(
      'For kind sigv4: where the access key id is; the source has the secret access key.',
    ),
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
    ...perSessionShape,
    acls: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('For kind sigv4: whether a request may say who else may read and write (x-amz-acl, ?acl).'),
    copies: z
      .boolean({ error: copiesHint })
      .refine(() => false, { error: copiesHint })
      .optional()
      .describe('Not any more: the rule says it, with requestFields: [x-amz-copy-source].'),
  },
  foreign: { what: 'usual', reads: 'authorization' },
  placeholder: standIn({
    env: environmentName(
      'write the environment variable that the workload sees, such as AWS_ACCESS_KEY_ID',
    ).regex(keyIdVariable, {
      error: 'the variable for AWS keys ends in ACCESS_KEY_ID; write placeholder: { env: AWS_ACCESS_KEY_ID }',
    }),
    variables: (env) => [env, env.replace(keyIdVariable, 'SECRET_ACCESS_KEY')],
  }),
  settings: ({ accessKeyId, sessionToken, perSession, ...written }, absolute) => ({
    ...written,
    ...perSessionSettings(perSession),
    accessKeyId: sourceSettings(accessKeyId, absolute),
    ...(sessionToken === undefined ? {} : { sessionToken: sourceSettings(sessionToken, absolute) }),
  }),
  open: (name, config, context) => {
    const { accessKeyId, source, sessionToken, region, service, acls = false } = config;
    requireOneLease(name, config, [source, accessKeyId, sessionToken]);
    const open = (one: CredentialSourceConfig): CredentialSource => openSource(name, one, context);
    const keys = new AwsKeySet(name, {
      keyId: open(accessKeyId),
      secret: open(source),
      token: sessionToken === undefined ? undefined : open(sessionToken),
    });
    const injector = new Sigv4Injector({ name, region, service, acls }, context.held);
    return {
      applies: () => true,
      values: async (nowMs) => injector.values(await keys.read(nowMs)),
      apply: async (head, nowMs, body) => injector.inject(head, await keys.read(nowMs), { nowMs, body }),
    };
  },
});
