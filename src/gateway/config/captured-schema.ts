// What the configuration says of bodies that rules ask to be kept.

import { z } from 'zod';
import { text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';

const daysHint = 'write days from 1 to 3650';
const bytesHint = 'write a number of bytes from 1048576 (1 MiB) to 1125899906842624 (1 PiB)';

export const capturedSchema = strictMap(
  {
    directory: text('write the path of a folder')
      .optional()
      .describe('Where they are; `captured` in the state directory by default.'),
    keepDays: z
      .int({ error: daysHint })
      .min(1, { error: daysHint })
      .max(3650, { error: daysHint })
      .optional()
      .describe('Days that are older are removed, with their keys. 7 by default.'),
    keepBytes: z
      .int({ error: bytesHint })
      .min(1024 ** 2, { error: bytesHint })
      .max(1024 ** 5, { error: bytesHint })
      .optional()
      .describe(
        'Bytes of bodies that are kept at most; beyond it new ones are dropped. 1073741824 (1 GiB) by default.',
      ),
    source: plainSourceSchema
      .optional()
      .describe(
        'Where the key is that seals the keys of days: 32 random octets as base64 or hexadecimal digits (`openssl rand -base64 32`). By default `captured.key` in the state directory, which the gateway makes.',
      ),
  },
  {
    hint: 'write captured: { keepDays: 7 }',
    synonyms: { days: 'keepDays', bytes: 'keepBytes', key: 'source' },
  },
);

export type CapturedDocument = z.infer<typeof capturedSchema>;
