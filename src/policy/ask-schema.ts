// `ask` of a rule as it is written.

import { z } from 'zod';
import { askChoices } from './ask-rule.ts';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const askHint = 'write ask: true, or { body: unseen, choices: [once, session, minutes, always] }';
const bodyHint = 'write seen, or unseen to ask about what nobody can be shown';
const choicesHint = `write how far an answer may go: ${askChoices.join(', ')}, or a list of them`;

export const askSchema = z.union(
  [
    z.literal(true, { error: askHint }),
    strictMap(
      {
        body: z
          .enum(['seen', 'unseen'], { error: bodyHint })
          .optional()
          .describe(
            'unseen: bodies that are too long to be shown, have no end, are encoded or no text, and WebSockets are asked about too, and the question says that nobody saw them. seen by default: they are refused.',
          ),
        choices: oneOrMany(z.enum(askChoices, { error: choicesHint }), choicesHint)
          .optional()
          .describe(
            'How far an answer may go: once, for this session or for 15 minutes with any body and the same fields, or always, which goes on once and proposes a rule. All of them by default.',
          ),
      },
      { hint: askHint, synonyms: { answers: 'choices', bodies: 'body' } },
    ),
  ],
  { error: askHint },
);
