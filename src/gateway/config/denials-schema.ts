// The shape of `denials` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';

const textHint = 'write one line of at most 300 characters';
const linkHint = 'write https://host/path';

/** Words of the organisation in each denial. */
export const denialsSchema = strictMap(
  {
    text: z
      .string({ error: textHint })
      .regex(/^[^\p{Cc}\p{Cf}\u2028\u2029]{1,300}$/u, { error: textHint })
      .describe('What whoever is denied reads, such as whom to ask.'),
    link: z
      .string({ error: linkHint })
      .regex(/^https:\/\/[^\s"<>]{1,500}$/, { error: linkHint })
      .optional()
      .describe('Where they can read on.'),
  },
  {
    hint: 'write denials: { text: Ask the platform team., link: https://wiki.example.com/proxy }',
    synonyms: { help: 'text', url: 'link' },
  },
);

export type DenialsDocument = z.infer<typeof denialsSchema>;
