// `redis` of a rule as it is written.

import { z } from 'zod';
import { redisCommandsOfGateway } from './redis-commands.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const commandHint = 'write commands by the names of Redis, such as get, client|kill or json.get';
const commandName = z
  .string({ error: commandHint })
  .regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}(?:\|[A-Za-z0-9._-]{1,63})?$/, { error: commandHint })
  .refine((name) => !redisCommandsOfGateway.has(name.toLowerCase()), {
    error: `${[...redisCommandsOfGateway].join(', ')} are never passed on as they are; remove them`,
  });

export const redisSchema = strictMap(
  {
    commands: strictMap(
      {
        allow: oneOrMany(commandName, commandHint)
          .optional()
          .describe(
            'Commands that go on; "default", which it is by default, stands for all that work with keys and messages.',
          ),
        deny: oneOrMany(commandName, commandHint).optional().describe('Commands of those that do not.'),
      },
      { hint: 'write commands: { allow: [default, eval] }', synonyms: { only: 'allow', except: 'deny' } },
    )
      .optional()
      .describe('By the names of Redis, such as get or client|kill.'),
    dangerouslyAllowPlaintext: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('The server has no TLS. The password goes over the network as it is.'),
  },
  { hint: 'write redis: { commands: { allow: [default, eval] } }', synonyms: { command: 'commands' } },
);
