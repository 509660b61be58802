// Kind `sigv4`: what the client signed with dummy keys is signed again with keys of AWS.

import { z } from 'zod';
import { accessHost } from '../../../policy/granted-policy.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { awsEmulation } from '../emulation/aws-emulation.ts';
import { AwsKeySet } from '../sigv4/aws-keys.ts';
import { saysKeysEnded } from '../sigv4/keys-ended.ts';
import { Sigv4Injector } from '../sigv4/sigv4-injector.ts';
import type { AwsKeys } from '../sigv4/signer.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import { environmentName, sourceSchema } from '../sources/source-schema.ts';
import { sourceSettings } from '../sources/source-settings.ts';
import { AssumedRole } from '../sts/assumed-role.ts';
import type { RoleSettings } from '../sts/sts-request.ts';
import { credentialKind } from './credential-kind.ts';
import type { CommonSettings, Credential } from './credential-kind.ts';
import { openSource } from './open-source.ts';
import type { CredentialContext } from './open-source.ts';
import { perSessionSettings, perSessionShape, requireOneLease } from './per-session.ts';
import type { PerSessionSettings } from './per-session.ts';
import { standIn } from './placeholder-form.ts';
import { placeholderText } from './placeholder-text.ts';
import { regionHint, regionPattern, roleSchema, roleSettings } from './role-settings.ts';

const copiesHint =
  'what may be copied is said by the rule now: remove copies, and write requestFields: [x-amz-copy-source] there';
const serviceHint = 'write the name that signatures have for the service, such as s3';
const emulateSchema = strictMap(
  {
    region: z
      .string({ error: regionHint })
      .regex(regionPattern, { error: regionHint })
      .optional()
      .describe("The region that libraries are told; the credential's own by default."),
  },
  { hint: 'write emulate: { region: eu-central-1 }' },
);
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
    accessKeyId: sourceSchema
      .optional()
      .describe(
        'For kind sigv4: where the access key id is; the source has the secret access key. Without it the source has an identity token (a JWT), by which role is taken.',
      ),
    sessionToken: sourceSchema
      .optional()
      .describe('For kind sigv4: where the session token of temporary keys is.'),
    role: roleSchema
      .optional()
      .describe('For kind sigv4: a role of AWS whose keys are used, from STS, for each subject its own.'),
    emulate: emulateSchema
      .optional()
      .describe(
        'For kind sigv4: the gateway responds in place of the credential services of containers and machines, with placeholders.',
      ),
    region: z
      .string({ error: regionHint })
      .regex(regionPattern, { error: regionHint })
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
  settings: ({ accessKeyId, sessionToken, role, perSession, ...written }, absolute) => ({
    ...written,
    ...perSessionSettings(perSession),
    ...(accessKeyId === undefined ? {} : { accessKeyId: sourceSettings(accessKeyId, absolute) }),
    ...(sessionToken === undefined ? {} : { sessionToken: sourceSettings(sessionToken, absolute) }),
    ...(role === undefined ? {} : { role: roleSettings(role, written.region, absolute) }),
  }),
  where: ({ region, service, role }) =>
    `a signature of AWS in place of the client's, for ${service ?? 'the service'} in ${region ?? 'the region'}${service === undefined || region === undefined ? ' that the client names' : ''}${role === undefined ? '' : ', by keys of a role'}`,
  open: (name, config, context) => {
    const { region, service, acls = false, emulate, placeholder } = config;
    const injector = new Sigv4Injector({ name, region, service, acls }, context.held);
    const credential = signing(injector, openKeys(name, config, context));
    if (emulate === undefined) return credential;
    const shown = placeholderText(name, placeholder);
    const emulation = awsEmulation({ placeholder: shown, region: emulate.region ?? region }, accessHost);
    return { ...credential, emulation };
  },
});

interface KeySettings extends CommonSettings, PerSessionSettings {
  readonly accessKeyId?: CredentialSourceConfig;
  readonly sessionToken?: CredentialSourceConfig;
  readonly role?: RoleSettings;
}

/** Keys of one subject: those of the sources, or of a role that is taken by them. */
interface SubjectKeys {
  read(subject: string | undefined, nowMs: number): Promise<AwsKeys>;
  /** Absent: another read would give the same. */
  reject?(subject: string | undefined, keys: AwsKeys, nowMs: number): void;
}

/** @throws ProxyError config_invalid for sources that do not go together */
function openKeys(name: string, config: KeySettings, context: CredentialContext): SubjectKeys {
  const { accessKeyId, source, sessionToken, role } = config;
  const invalid = (what: string): ProxyError =>
    new ProxyError('config_invalid', `credential ${name}: ${what}`);
  if (role !== undefined && config.perSession === true)
    throw invalid('"perSession" has no meaning with "role", whose keys are those of one subject; remove it');
  requireOneLease(name, config, [source, accessKeyId, sessionToken]);
  const open = (one: CredentialSourceConfig | undefined): CredentialSource => openSource(name, one, context);
  if (accessKeyId === undefined) {
    if (role === undefined || sessionToken !== undefined)
      throw invalid(
        `kind sigv4 needs "accessKeyId"; write where it is. Without it the source is an identity token, by which "role" is taken`,
      );
    return ofRole(new AssumedRole({ name, role, caller: { token: open(source) }, context }));
  }
  const keys = new AwsKeySet(name, {
    keyId: open(accessKeyId),
    secret: open(source),
    token: sessionToken === undefined ? undefined : open(sessionToken),
  });
  return role === undefined
    ? { read: (_, nowMs) => keys.read(nowMs) }
    : ofRole(new AssumedRole({ name, role, caller: { keys }, context }));
}

/** What belongs to no session, such as a check of the gateway itself, has a name of its own. */
function ofRole(role: AssumedRole): SubjectKeys {
  return {
    read: (subject = 'gateway', nowMs) => role.read(subject, nowMs),
    reject: (subject = 'gateway', keys, nowMs) => role.reject(subject, keys, nowMs),
  };
}

function signing(injector: Sigv4Injector, keys: SubjectKeys): Credential {
  return {
    applies: () => true,
    values: async (nowMs) => injector.values(await keys.read(undefined, nowMs)),
    apply: async (head, nowMs, body, subject) => {
      const found = await keys.read(subject, nowMs);
      const injected = await injector.inject(head, found, { nowMs, body });
      if (keys.reject === undefined) return injected;
      return {
        ...injected,
        onRejected: (rejectedMs) => keys.reject?.(subject, found, rejectedMs),
        isRejection: saysKeysEnded,
      };
    },
  };
}
