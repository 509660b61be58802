// `screen` of a rule as it is written.

import { z } from 'zod';
import { oneOrMany } from './schema-parts.ts';
import { screenMarks } from './screen-rule.ts';
import { strictMap } from './yaml-source.ts';

const onHint = 'write block, annotate or alert';
const findHint = `write the marks to look for: ${screenMarks.join(', ')}, or a list of them`;

export const screenSchema = strictMap(
  {
    on: z
      .enum(['block', 'annotate', 'alert'], { error: onHint })
      .describe(
        'block: the response does not reach the client; annotate: it has a field that names the marks; alert: the audit alone has them. A phrase is never more than told.',
      ),
    find: oneOrMany(z.enum(screenMarks, { error: findHint }), findHint)
      .optional()
      .describe('Marks to look for; all of them by default.'),
  },
  { hint: 'write screen: { on: alert }', synonyms: { action: 'on', mode: 'on', marks: 'find' } },
);
