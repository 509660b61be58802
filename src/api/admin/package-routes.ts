// The operations of the admin API about packages of registries.

import { z } from 'zod';
import type { AdminRoute } from './route.ts';
import { count, texts, time } from './schema-fields.ts';

/** This row knows no reader; the compiler compares them where the operation is done. */
const packageRegistries = ['npm', 'pypi', 'cargo', 'go', 'maven', 'rubygems', 'oci'] as const;

/** No line ends, and nothing that a terminal obeys. */
const word = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,512}$/u, { error: 'write 1 to 512 printable letters' });

const seenRecordSchema = z
  .object({
    at: z.string().describe('Where the registry begins.'),
    name: z.string(),
    item: z.string().describe('A version, or a file of one.'),
    firstSeen: time,
    digest: z.string().optional().describe('What was promised of it first.'),
    credentials: texts.describe('With which the registry was asked, by name.'),
  })
  .readonly();

export const packageRoutes = {
  forgetPackages: {
    method: 'POST',
    path: '/v1/packages/forget',
    role: 'administrator',
    ofAll: true,
    summary:
      'Lets the store forget when versions were seen first, and what was promised of them then. Each counts as new from when a gateway sees it next.',
    body: z.strictObject({
      registry: z
        .enum(packageRegistries, { error: `write one of ${packageRegistries.join(', ')}` })
        .describe('How it speaks.'),
      index: word.optional().describe('Where the registry begins. Without it all of that kind are meant.'),
      name: word
        .optional()
        .describe('A package. Without it all of the registry are meant, and `index` has to be there.'),
      version: word.optional().describe('A version, or a file, as the store has it.'),
      dry: z.boolean().describe('Nothing is forgotten: it is only told what would be.'),
    }),
    output: z
      .object({
        records: z.array(seenRecordSchema).readonly().describe('What was forgotten, or would be.'),
        left: count.describe('How many more there are: ask again.'),
      })
      .readonly(),
  },
} as const satisfies Readonly<Record<string, AdminRoute>>;
