// `leaks` of a rule, and of a file, as it is written.

import { z } from 'zod';
import { leakKinds } from './leak-rule.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const onHint = 'write block, redact or alert';
const findHint = `write what is searched for: ${leakKinds.join(', ')}, or a list of them`;
const allowHint = 'write the hash of the event in the audit, 32 digits from 0 to f, or a list of them';
const leaksHint = 'write leaks: { on: block }, or false for a rule of a file that has it';

export const leaksSchema = z.union(
  [
    z.literal(false, { error: leaksHint }),
    strictMap(
      {
        on: z
          .enum(['block', 'redact', 'alert'], { error: onHint })
          .describe(
            'block refuses the request or cuts its body; redact sends asterisks in its place, and refuses where it cannot; alert sends it and says so.',
          ),
        find: oneOrMany(z.enum(leakKinds, { error: findHint }), findHint)
          .optional()
          .describe(
            'credential: values that the gateway holds; canary: values that were planted; shape: what looks like a secret of a service. All of them by default.',
          ),
        allow: oneOrMany(
          z.string({ error: allowHint }).regex(/^[0-9a-f]{32}$/, { error: allowHint }),
          allowHint,
        )
          .optional()
          .describe('Hashes, as the audit has them, of texts of known shapes that are no secrets.'),
      },
      {
        hint: leaksHint,
        synonyms: { action: 'on', mode: 'on', kinds: 'find', ignore: 'allow', except: 'allow' },
      },
    ),
  ],
  { error: leaksHint },
);
