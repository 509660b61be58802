// The shape of `store` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';

const urlHint = 'write sqlite:path, or postgres://user@host/database';
const storeUrl = z
  .string({ error: urlHint })
  .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, { error: urlHint })
  .describe('sqlite:path, relative to the folder of this file; or postgres://user@host:port/database.');

const inlineSecret = 'source: { file: path }, for a secret never stands in this file';
export const storeSchema = z.union(
  [
    storeUrl,
    strictMap(
      {
        url: storeUrl,
        source: plainSourceSchema
          .optional()
          .describe('Where the password comes from: env, file or command. Asked for each new connection.'),
        ca: text(pathHint)
          .optional()
          .describe(
            'PEM file that the server is verified against instead of the authorities that Node has built in.',
          ),
        dangerouslyWithoutTls: z
          .boolean({ error: 'write true or false' })
          .optional()
          .describe('The connection is not encrypted: who is on the way reads and changes everything.'),
      },
      {
        hint: 'write store: { url: postgres://user@host/database, source: { file: path } }',
        synonyms: {
          password: inlineSecret,
          cacert: 'ca',
          tls: 'ca',
          ssl: 'ca',
          sslmode: 'ca',
          path: 'url: sqlite:path',
        },
      },
    ),
  ],
  { error: urlHint },
);

export type StoreDocument = z.infer<typeof storeSchema>;
