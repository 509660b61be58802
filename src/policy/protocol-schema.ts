// `protocol` of a rule, and what belongs to each protocol, as they are written.

import { z } from 'zod';
import { postgresClientAuthentications, postgresLoginMethods } from './postgres-end.ts';
import { ruleStatementKinds } from './postgres-statements.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const databaseHint = 'write the name of a database such as orders, or a list of them';
const databaseName = z.string({ error: databaseHint }).regex(/^[^\0]{1,63}$/, { error: databaseHint });
const parametersHint = 'write settings and their values, such as { statement_timeout: 30s }';
const settingName = z
  .string({ error: parametersHint })
  .regex(/^[A-Za-z_][A-Za-z0-9_.]{0,62}$/, { error: parametersHint })
  .refine((name) => !['user', 'database', 'replication', 'options'].includes(name.toLowerCase()), {
    error: 'user, database, replication and options are no settings; the rule and its credential say them',
  });
const settingValue = z.union([z.string().regex(/^[^\0]{0,1000}$/), z.number(), z.boolean()], {
  error: parametersHint,
});
const methodsHint = `write ${postgresLoginMethods.join(', ')}, or a list of them`;
const statementsHint = `write kinds of statements, such as [select, insert]: ${ruleStatementKinds.join(', ')}`;

export const protocolSchema = z.enum(['postgres', 'mysql', 'redis', 'ssh'], {
  error: 'write postgres, mysql, redis or ssh',
});

export const postgresSchema = strictMap(
  {
    databases: oneOrMany(databaseName, databaseHint).describe(
      'Databases that a client may ask for; one that asks for none gets the first.',
    ),
    parameters: z
      .record(settingName, settingValue, { error: parametersHint })
      .optional()
      .describe('Settings that the session begins with, whatever the client asks for. It can change them.'),
    authentication: oneOrMany(z.enum(postgresLoginMethods, { error: methodsHint }), methodsHint)
      .optional()
      .describe(
        'How the gateway may log in: scram-sha-256 by default. md5 and cleartext, for old servers, go over TLS alone.',
      ),
    clientAuthentication: z
      .enum(postgresClientAuthentications, { error: 'write none or scram-sha-256' })
      .optional()
      .describe(
        'scram-sha-256 asks clients for the placeholder of the credential, for those with channel_binding=require; default none.',
      ),
    statements: oneOrMany(z.enum(ruleStatementKinds, { error: statementsHint }), statementsHint)
      .optional()
      .describe(
        'Kinds of statements that may pass, those inside of them too; what cannot be read may not. It narrows: the rights of the role are the boundary.',
      ),
    readOnly: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe(
        'Only statements that read pass, in transactions that only read. Functions in them can still write what the role may.',
      ),
    recordStatements: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe(
        'Kinds and fingerprints of statements go into the audit, never what is in them. So they do with statements and readOnly.',
      ),
    dangerouslyAllowPlaintext: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('Goes on without TLS where the server has none.'),
  },
  {
    hint: 'write postgres: { databases: orders }',
    synonyms: {
      database: 'databases',
      dbname: 'databases',
      settings: 'parameters',
      auth: 'authentication',
      methods: 'authentication',
    },
  },
);
