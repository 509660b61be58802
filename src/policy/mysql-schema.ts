// `mysql` of a rule as it is written.

import { z } from 'zod';
import { mysqlLoginMethods } from './mysql-end.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const databaseHint = 'write the name of a database such as orders, or a list of them';
const databaseName = z.string({ error: databaseHint }).regex(/^[^\0]{1,64}$/, { error: databaseHint });
const methodsHint = `write ${mysqlLoginMethods.join(', ')}, or a list of them`;

export const mysqlSchema = strictMap(
  {
    databases: oneOrMany(databaseName, databaseHint)
      .optional()
      .describe(
        'Databases that a client may begin with; one that asks for none gets the first. Any by default. It narrows: SQL reaches what the user may.',
      ),
    authentication: oneOrMany(z.enum(mysqlLoginMethods, { error: methodsHint }), methodsHint)
      .optional()
      .describe('How the gateway may log in; each of the three by default.'),
    dangerouslyAllowPlaintext: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('Goes on without TLS where the server has none. Nothing then shows which server it is.'),
  },
  {
    hint: 'write mysql: { databases: orders }',
    synonyms: {
      database: 'databases',
      dbname: 'databases',
      schema: 'databases',
      auth: 'authentication',
      methods: 'authentication',
    },
  },
);
