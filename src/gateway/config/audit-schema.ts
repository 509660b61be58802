// What the configuration says of the audit.

import { z } from 'zod';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';

const keepDaysHint = 'write days from 1 to 36500';
const keepEventsHint = 'write a number of events from 1000 to 1000000000';
const keepBytesHint = 'write a number of bytes from 4194304 (4 MiB) to 1125899906842624 (1 PiB)';

export const auditSchema = strictMap(
  {
    file: text(pathHint).optional().describe('JSON lines, beside the store.'),
    keepDays: z
      .int({ error: keepDaysHint })
      .min(1, { error: keepDaysHint })
      .max(36_500, { error: keepDaysHint })
      .optional()
      .describe('Events in the store that are older are removed. 90 by default.'),
    keepEvents: z
      .int({ error: keepEventsHint })
      .min(1000, { error: keepEventsHint })
      .max(1_000_000_000, { error: keepEventsHint })
      .optional()
      .describe('About how many events the store keeps at most.'),
    keepBytes: z
      .int({ error: keepBytesHint })
      .min(4 * 1024 ** 2, { error: keepBytesHint })
      .max(1024 ** 5, { error: keepBytesHint })
      .optional()
      .describe('Bytes of events, as JSON, that the store keeps at most. 8589934592 (8 GiB) by default.'),
  },
  {
    hint: 'write audit: { file: path }',
    synonyms: {
      jsonl: 'file',
      path: 'file',
      days: 'keepDays',
      retention: 'keepDays',
      max: 'keepEvents',
      size: 'keepBytes',
    },
  },
);
