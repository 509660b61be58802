// `advisories` of the configuration: what is known against packages.

import { z } from 'zod';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';

const daysHint = 'write days from 1 to 365';

export const advisoriesSchema = strictMap(
  {
    index: text(pathHint).describe(
      'File that `packages advisories import` writes; taken again when it changes.',
    ),
    staleDays: z
      .int({ error: daysHint })
      .min(1, { error: daysHint })
      .max(365, { error: daysHint })
      .optional()
      .describe(
        'The newest advisory of each registry is younger than this, or an alarm says so. 7 by default.',
      ),
  },
  {
    hint: 'write advisories: { index: advisories.index }',
    synonyms: { file: 'index', path: 'index', maxAge: 'staleDays', staleMs: 'staleDays' },
  },
);
