// The shape of `identity` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { parseHostPattern } from '../../policy/host-pattern.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { text } from '../../policy/schema-parts.ts';
import { sourceSchema } from '../credentials/sources/source-schema.ts';
import { signedBySchema } from './signed-by-schema.ts';

const hint =
  'write identity: { directory: path }, or identity: { store: true, keyEncryptionKey: { file: path } }';

export const identitySchema = strictMap(
  {
    directory: text('write the path of a folder')
      .optional()
      .describe('A folder with the same files for all gateways, in which no gateway makes any.'),
    store: z
      .literal(true, { error: 'write store: true, or name a directory' })
      .optional()
      .describe('They are in the store of the gateways, sealed with keyEncryptionKey.'),
    keyEncryptionKey: sourceSchema
      .optional()
      .describe('Where the key is that opens them: 32 random octets, as base64 or hexadecimal digits.'),
    nextKeyEncryptionKey: sourceSchema
      .optional()
      .describe('The key that is to follow it, while it is changed.'),
  },
  {
    hint,
    synonyms: {
      path: 'directory',
      folder: 'directory',
      key: 'keyEncryptionKey',
      kek: 'keyEncryptionKey',
      database: 'store: true',
    },
  },
);

export type IdentityDocument = z.infer<typeof identitySchema>;

const namesHint = 'write a list of names, such as [example.com]; each stands for all below it, too';

/** Nothing else can be in a name constraint. */
const permittedName = z.string({ error: namesHint }).transform((name, context) => {
  const pattern = parseHostPattern(name, 'allow');
  if (typeof pattern !== 'string' && pattern.kind === 'exact' && !pattern.isAddress) return pattern.host;
  context.addIssue({ code: 'custom', message: typeof pattern === 'string' ? pattern : namesHint });
  return z.NEVER;
});

export const certificateAuthoritySchema = strictMap(
  {
    directory: text('write the path of a folder').optional().describe('Where it is kept.'),
    passphrase: sourceSchema
      .optional()
      .describe('Where the passphrase is with which its key files are encrypted; without it they are not.'),
    names: z
      .array(permittedName, { error: namesHint })
      .min(1, { error: namesHint })
      .max(defaultLimits.authorityNamesMax, {
        error: `write at most ${defaultLimits.authorityNamesMax} names; one stands for all below it`,
      })
      .optional()
      .describe(
        'Names that an authority which is made may certify, with all below them; without it, every name.',
      ),
    separateProcess: z
      .literal(true, { error: 'write separateProcess: true, or leave it away' })
      .optional()
      .describe(
        'The key is in a process that signs leaves and does nothing else. So it is with signedBy too.',
      ),
    signedBy: signedBySchema
      .optional()
      .describe(
        'An authority elsewhere signs one for this gateway, which lives for a day and is renewed by itself.',
      ),
  },
  {
    hint: 'write certificateAuthority: { directory: path }',
    synonyms: {
      path: 'directory',
      password: 'passphrase',
      secret: 'passphrase',
      parent: 'signedBy',
      issuer: 'signedBy',
      process: 'separateProcess',
    },
  },
);

export type CertificateAuthorityDocument = z.infer<typeof certificateAuthoritySchema>;
