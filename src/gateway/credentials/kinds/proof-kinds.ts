// Kinds by which the secret of the source proves who the gateway is, and never travels.

import { z } from 'zod';
import { pathHint, text } from '../../../policy/schema-parts.ts';
import { sshPublicKey } from '../../../policy/ssh-schema.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { openSource } from './open-source.ts';
import { perSessionSettings, perSessionShape, requireOneLease } from './per-session.ts';
import { standIn } from './placeholder-form.ts';
import { sigv4 } from './sigv4-kind.ts';
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

const agentUseHint = needed(
  'agent-key',
  'use',
  'write log-in for log-ins at servers of SSH, or hashes for hashes of git; a key is for one of them',
);
const agentKeyHint = needed(
  'agent-key',
  'publicKey',
  'write the public half of the key as its file .pub has it, such as ssh-ed25519 AAAAC3Nza…',
);

/** The same source as `signing-key`. It signs what clients of the agent of SSH ask for, by rules with `sign.logIn` or `sign.hashes`. */
const agentKey = credentialKind({
  kind: 'agent-key',
  summary: 'A private key of SSH, for clients that ask an agent.',
  shape: {
    use: z
      .enum(['log-in', 'hashes'], { error: agentUseHint })
      .describe('For kind agent-key: what is signed with it, and nothing else.'),
    publicKey: sshPublicKey(agentKeyHint).describe(
      'For kind agent-key: its public half, which clients in the container are told. The source has the private one.',
    ),
  },
  foreign: { what: 'none' },
  placeholder: standIn(),
  settings: ({ use, publicKey }) => ({ use, publicKey: publicKey.split(' ').slice(0, 2).join(' ') }),
  open: (name, { source, publicKey }, context) => {
    const key = openSource(name, source, context, 'pem');
    return {
      applies: () => false,
      values: () => Promise.resolve([]),
      apply: () =>
        Promise.reject(
          new ProxyError('credential_unavailable', `the credential ${name} is put on no request`),
        ),
      agentKey: async (nowMs) => ({ publicKey, privateKey: await key.read(nowMs) }),
    };
  },
});

export const proofKinds = [mtls, sigv4, login, sshKey, signingKey, agentKey] as const;
