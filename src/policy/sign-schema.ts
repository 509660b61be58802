// `sign` of a rule as it is written.

import { z } from 'zod';
import { oneOrMany } from './schema-parts.ts';
import { sshPublicKey } from './ssh-schema.ts';
import { strictMap } from './yaml-source.ts';

const objectsHint = 'write commit, tag, or [commit, tag]';
const identityHint =
  'write a name and an e-mail address such as Build Agent <agent@example.com>, with * for any text, or a list of them';
const identity = z
  .string({ error: identityHint })
  .regex(/^[^<>]{1,256} <[^<>\s]{1,256}>$/, { error: identityHint });
const tagHint = 'write the name of a tag such as v1.0, or v* for all that begin so, or a list of them';
const tag = z.string({ error: tagHint }).regex(/^[!-~]{1,256}$/, { error: tagHint });

const keyHint =
  'write a public key of the server as known_hosts has it, such as ssh-ed25519 AAAAC3Nza…, or a list of them';
const serverHint = 'write what people call the server, such as bastion.example.com';
const userHint = 'write the name of a user at the server, such as deploy, or a list of them';

const logInSchema = strictMap(
  {
    server: z
      .string({ error: serverHint })
      .regex(/^[!-~]{1,253}$/, { error: serverHint })
      .describe('What people call the server. The audit says it; nothing is decided by it.'),
    hostKeys: oneOrMany(sshPublicKey(keyHint), keyHint)
      .optional()
      .describe(
        'Public keys of the server. It has to have proved one of them to the client. A rule that allows has to have some.',
      ),
    users: oneOrMany(z.string({ error: userHint }).regex(/^[!-~]{1,64}$/, { error: userHint }), userHint)
      .optional()
      .describe('As whom a client may log in, to the letter. A rule that allows has to say so.'),
  },
  {
    hint: 'write logIn: { server: bastion.example.com, hostKeys: ssh-ed25519 AAAAC3Nza…, users: deploy }',
    synonyms: {
      host: 'server',
      name: 'server',
      hostKey: 'hostKeys',
      keys: 'hostKeys',
      user: 'users',
      username: 'users',
    },
  },
);

export const signSchema = strictMap(
  {
    objects: oneOrMany(z.enum(['commit', 'tag'], { error: objectsHint }), objectsHint)
      .optional()
      .describe('What is signed: commit by default, both in a rule that denies.'),
    committer: oneOrMany(identity, identityHint)
      .optional()
      .describe('Who may have committed or tagged it. A rule that allows has to say so.'),
    author: oneOrMany(identity, identityHint)
      .optional()
      .describe('Who may have written a commit. By default the same as the committer; "* <*>" is anybody.'),
    tags: oneOrMany(tag, tagHint).optional().describe('Names of tags. All by default.'),
    automatic: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('git signs each commit, or tag with a message, without being asked to (commit.gpgSign).'),
    logIn: logInSchema
      .optional()
      .describe('In place of objects: log-ins at a server of SSH, which clients ask for by SSH_AUTH_SOCK.'),
    hashes: z
      .literal('git', { error: 'write hashes: git' })
      .optional()
      .describe(
        'In place of objects: hashes for git, which clients ask for by SSH_AUTH_SOCK. Nobody can see whose commits they are, or whether they are any.',
      ),
  },
  {
    hint: 'write sign: { committer: Build Agent <agent@example.com> }',
    synonyms: {
      object: 'objects',
      kinds: 'objects',
      committers: 'committer',
      tagger: 'committer',
      authors: 'author',
      tag: 'tags',
      auto: 'automatic',
      login: 'logIn',
      hash: 'hashes',
    },
  },
);
