// Kinds by which the secret of the source proves who the gateway is, and never travels.

import { z } from 'zod';
import { pathHint, text } from '../../../policy/schema-parts.ts';
import { sshPublicKey } from '../../../policy/ssh-schema.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { Sigv4Injector } from '../sigv4/sigv4-injector.ts';
import { AwsKeySet } from '../sigv4/aws-keys.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import { environmentName, sourceSchema } from '../sources/source-schema.ts';
import { sourceSettings } from '../sources/source-settings.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { openSource } from './open-source.ts';
import { perSessionSettings, perSessionShape, requireOneLease } from './per-session.ts';
import { standIn } from './placeholder-form.ts';
import { placeholderText } from './placeholder-text.ts';

/** The source has the private key, `certificate` is the file of the chain, both PEM. There is nothing to search responses for. */
const mtls = credentialKind({
  kind: 'mtls',
  summary: 'A client certificate.',
  shape: {
    certificate: text(needed('mtls', 'certificate', pathHint)).describe(
      'For kind mtls: PEM file of the chain; the source has the key, PEM too.',
    ),
  },
  foreign: { what: 'none' },
  placeholder: standIn(),
  settings: ({ certificate }, absolute) => ({ certificate: absolute(certificate) }),
  open: (name, { source, certificate: file }, context) => {
    const key = openSource(name, source, context, 'pem');
    const certificate = openSource(name, { file }, context, 'pem');
    return {
      applies: () => true,
      values: () => Promise.resolve([]),
      apply: async (head, nowMs) => ({
        head,
        values: [],
        tls: { cert: (await certificate.read(nowMs)).reveal(), key: (await key.read(nowMs)).reveal() },
      }),
    };
  },
});

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
const sigv4 = credentialKind({
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
    const open = (one: CredentialSourceConfig | undefined): CredentialSource =>
      openSource(name, one, context);
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

const usernameHint = needed(
  'login',
  'username',
  'write the name of the role or user that the server knows, or { field: username } for one of Vault',
);
const userPattern = /^[^\0]{1,63}$/;

/** The source has the password, which goes to a server in the way of its protocol; most of them have a proof for it. */
const login = credentialKind({
  kind: 'login',
  summary: 'User and password of a database.',
  logsIn: 'password',
  shape: {
    username: z
      .union(
        [
          z.string().regex(userPattern),
          strictMap(
            { field: text('write the field of the secret that has the user') },
            { hint: usernameHint },
          ),
        ],
        { error: usernameHint },
      )
      .describe('For kind login. { field }: of the same secret of Vault that the password is of.'),
    ...perSessionShape,
  },
  foreign: { what: 'none' },
  placeholder: standIn(),
  settings: ({ username, perSession }) => ({ username, ...perSessionSettings(perSession) }),
  open: (name, config, context) => {
    const { source, username, placeholder } = config;
    requireOneLease(name, config, [source]);
    const password = openSource(name, source, context);
    if (typeof username !== 'string' && password.beside === undefined)
      throw new ProxyError(
        'config_invalid',
        `credential ${name}: "username" names a field, and its source is not a secret of Vault; write the name itself`,
      );
    return {
      applies: () => false,
      values: () => Promise.resolve([]),
      apply: () =>
        Promise.reject(
          new ProxyError('credential_unavailable', `the credential ${name} is put on no request`),
        ),
      login: async (nowMs) => {
        const secret = await password.read(nowMs);
        return {
          username:
            typeof username === 'string' ? username : userBeside(name, username.field, secret, password),
          password: secret,
          placeholder: placeholderText(name, placeholder),
          onRejected: (rejectedMs) => password.reject?.(secret, rejectedMs),
          ...(password.hold === undefined ? {} : { hold: () => password.hold?.() ?? new DisposableStack() }),
        };
      },
    };
  },
});

/** Both are of one reading, so they fit together. @throws ProxyError credential_unavailable */
function userBeside(name: string, field: string, secret: Secret<string>, source: CredentialSource): string {
  const user = source.beside?.(secret, field).reveal();
  if (user !== undefined && userPattern.test(user)) return user;
  throw new ProxyError(
    'credential_unavailable',
    `credential ${name}: the field ${field} has no name of a user`,
  );
}

const sshUserHint = 'write the name of the user that the server knows, such as git';

/** The source has a private key without a passphrase, which signs the log-in at a server of SSH and never travels. */
const sshKey = credentialKind({
  kind: 'ssh-key',
  summary: 'User and private key of SSH.',
  logsIn: 'key',
  shape: {
    username: z
      .string({ error: sshUserHint })
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/, { error: sshUserHint })
      .optional()
      .describe('For kind ssh-key: git by default.'),
  },
  foreign: { what: 'none' },
  placeholder: standIn(),
  settings: ({ username }) => ({ username: username ?? 'git' }),
  open: (name, { source, username }, context) => {
    const key = openSource(name, source, context, 'pem');
    return {
      applies: () => false,
      values: () => Promise.resolve([]),
      apply: () =>
        Promise.reject(
          new ProxyError('credential_unavailable', `the credential ${name} is put on no request`),
        ),
      key: async (nowMs) => {
        const secret = await key.read(nowMs);
        return {
          username,
          privateKey: secret,
          onRejected: (rejectedMs) => key.reject?.(secret, rejectedMs),
        };
      },
    };
  },
});

const publicKeyHint = needed(
  'signing-key',
  'publicKey',
  'write the public half of the key as its file .pub has it, such as ssh-ed25519 AAAAC3Nza…',
);

/** The source has a private key of SSH without a passphrase. It signs commits and tags by rules with `sign`, and nothing else. */
const signingKey = credentialKind({
  kind: 'signing-key',
  summary: 'A private key of SSH that signs commits and tags.',
  signsObjects: true,
  shape: {
    publicKey: sshPublicKey(publicKeyHint).describe(
      'For kind signing-key: its public half, which git in the container is told. The source has the private one.',
    ),
  },
  foreign: { what: 'none' },
  placeholder: standIn(),
  settings: ({ publicKey }) => ({ publicKey: publicKey.split(' ').slice(0, 2).join(' ') }),
  open: (name, { source, publicKey }, context) => {
    const key = openSource(name, source, context, 'pem');
    return {
      applies: () => false,
      values: () => Promise.resolve([]),
      apply: () =>
        Promise.reject(
          new ProxyError('credential_unavailable', `the credential ${name} is put on no request`),
        ),
      signingKey: async (nowMs) => ({ publicKey, privateKey: await key.read(nowMs) }),
    };
  },
});

export const proofKinds = [mtls, sigv4, login, sshKey, signingKey] as const;
