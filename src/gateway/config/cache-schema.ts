// What the configuration says of the cache of archives and metadata.

import { z } from 'zod';
import { text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { cacheBucketSchema } from './cache-bucket-schema.ts';

const bytesHint = 'write a number of bytes from 16777216 (16 MiB) to 1125899906842624 (1 PiB)';

export const cacheSchema = strictMap(
  {
    directory: text('write the path of a folder')
      .optional()
      .describe(
        'Where it is; `cache` in the state directory by default. Gateways of one machine may share it.',
      ),
    keepBytes: z
      .int({ error: bytesHint })
      .min(16 * 1024 ** 2, { error: bytesHint })
      .max(1024 ** 5, { error: bytesHint })
      .optional()
      .describe(
        'Bytes that it takes of the disk at most, an eighth of them for metadata; beyond it what was not used for the longest leaves. 10737418240 (10 GiB) by default.',
      ),
    share: z
      .enum(['all', 'principal'], { error: 'write all or principal' })
      .optional()
      .describe(
        'Who is served by what one session fetched: `all`, or only sessions of the same `principal`. `all` by default.',
      ),
    bucket: cacheBucketSchema
      .optional()
      .describe('A bucket of S3, or of a service like it, that gateways of several machines share.'),
  },
  {
    hint: 'write cache: { keepBytes: 10737418240 }, or cache: {}',
    synonyms: { bytes: 'keepBytes', size: 'keepBytes', path: 'directory', shared: 'share', s3: 'bucket' },
  },
);

export type CacheDocument = z.infer<typeof cacheSchema>;
