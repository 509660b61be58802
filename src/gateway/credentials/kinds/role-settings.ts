// What the configuration says of a role of AWS: the shape of `role:`, and the same with defaults filled in.

import { z } from 'zod';
import { pathHint, text } from '../../../policy/schema-parts.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { isServiceUrl } from '../../forward/service-fetch.ts';
import type { RoleSettings } from '../sts/sts-request.ts';
import type { Absolute } from './credential-kind.ts';

const arnHint = 'write the ARN of the role, such as arn:aws:iam::123456789012:role/agent';
const endpointHint =
  'write https://host, or http:// with a loopback address; without it the one of the region';
const lifetimeHint = 'write seconds from 900 to 43200, and no more than the role lets';
const nameHint = 'write 2 to 64 letters, digits and +=,.@_-; without it the name is that of the subject';
const externalHint = 'write 2 to 1224 letters, digits and +=,.@:/_-';
const policyHint = 'write a policy of IAM: policy: { Version: "2012-10-17", Statement: [...] }';
const stsPolicyCharacters = 2048;
const arnsHint = 'write a list of one to ten ARNs of policies';

export const regionPattern = /^[A-Za-z0-9_-]{1,64}$/;
export const regionHint = 'write a region of AWS, such as eu-central-1';
const region = z.string({ error: regionHint }).regex(regionPattern, { error: regionHint });

export const roleSchema = strictMap(
  {
    arn: z
      .string({ error: arnHint })
      .regex(/^arn:aws[a-z-]{0,16}:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/, { error: arnHint }),
    region: region.optional().describe("Where STS is asked; the credential's own region by default."),
    endpoint: z
      .string({ error: endpointHint })
      .regex(/^https?:\/\/[^\s@#?]+$/, { error: endpointHint, abort: true })
      .refine(isServiceUrl, { error: endpointHint })
      .optional()
      .describe('URL of STS; https://sts.REGION.amazonaws.com by default.'),
    lifetimeSeconds: z
      .int({ error: lifetimeHint })
      .min(900, { error: lifetimeHint })
      .max(43_200, { error: lifetimeHint })
      .optional()
      .describe('For how long keys are asked for. 3600 by default.'),
    sessionName: z
      .string({ error: nameHint })
      .regex(/^[A-Za-z0-9_+=,.@-]{2,64}$/, { error: nameHint })
      .optional()
      .describe('The name that AWS shows for all sessions; by default each subject has one of its own.'),
    externalId: z
      .string({ error: externalHint })
      .regex(/^[\w+=,.@:/-]{2,1224}$/, { error: externalHint })
      .optional()
      .describe('What the trust policy of the role asks for beside the keys.'),
    policy: z
      .record(z.string(), z.unknown(), { error: policyHint })
      .refine((policy) => Object.hasOwn(policy, 'Statement'), { error: policyHint })
      .refine((policy) => JSON.stringify(policy).length <= stsPolicyCharacters, {
        error: `as JSON it is longer than ${String(stsPolicyCharacters)} characters, which STS does not take; write less of it`,
      })
      .optional()
      .describe('A session policy: the keys may what it and the role allow.'),
    policyArns: z
      .array(
        text(arnsHint).regex(/^arn:aws[a-z-]{0,16}:iam::(aws|\d{12}):policy\/[\w+=,.@/-]{1,576}$/, {
          error: arnsHint,
        }),
        {
          error: arnsHint,
        },
      )
      .min(1, { error: arnsHint })
      .max(10, { error: arnsHint })
      .optional()
      .describe('Managed policies that bound the keys in the same way.'),
    ca: text(pathHint)
      .optional()
      .describe("PEM file that STS is verified against beside the gateway's roots."),
  },
  {
    hint: 'write role: { arn: arn:aws:iam::123456789012:role/agent }',
    synonyms: {
      roleArn: 'arn',
      durationSeconds: 'lifetimeSeconds',
      duration: 'lifetimeSeconds',
      name: 'sessionName',
      roleSessionName: 'sessionName',
      url: 'endpoint',
      sts: 'endpoint',
    },
  },
);

/** `credentialRegion` is the one that the credential signs for, if it is one. @throws ProxyError config_invalid if nothing says where STS is */
export function roleSettings(
  { arn, region: own, endpoint, lifetimeSeconds = 3600, policy, ca, ...written }: z.infer<typeof roleSchema>,
  credentialRegion: string | undefined,
  absolute: Absolute,
): RoleSettings {
  const host = endpoint === undefined ? '' : new URL(endpoint).hostname;
  const named = own ?? /^sts\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1] ?? credentialRegion;
  if (named === undefined && endpoint === undefined)
    throw new ProxyError(
      'config_invalid',
      `role ${arn} needs "region" or "endpoint", which say where STS is asked`,
    );
  const signedFor = named ?? 'us-east-1';
  return {
    ...written,
    arn,
    endpoint:
      endpoint ?? `https://sts.${signedFor}.amazonaws.com${arn.startsWith('arn:aws-cn:') ? '.cn' : ''}/`,
    region: signedFor,
    lifetimeSeconds,
    ...(policy === undefined ? {} : { policy: JSON.stringify(policy) }),
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
  };
}
