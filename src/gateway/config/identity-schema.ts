// The shape of `identity` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { text } from '../../policy/schema-parts.ts';
import { sourceSchema } from '../credentials/sources/source-schema.ts';

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
