// `cache.bucket` of the configuration: the bucket that gateways of several machines share.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { secretWords, sourceSchema } from '../credentials/sources/source-schema.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';

const urlHint =
  'write https://host:port without a path, or http:// with a loopback address such as 127.0.0.1';
const nameHint = 'write the name of a bucket: 3 to 63 of a-z, 0-9, "." and "-"';
const regionHint = 'write a region, such as eu-central-1';
const prefixHint = 'write what stands before all names: letters, digits, "_", "-" and "/" between them';
const bytesHint = 'write a number of bytes from 16777216 (16 MiB) to 1125899906842624 (1 PiB)';
const flagHint = 'write true or false';

export const cacheBucketSchema = strictMap(
  {
    url: z
      .string({ error: urlHint })
      .regex(/^https?:\/\/[^\s@#?/]+\/?$/, { error: urlHint, abort: true })
      .refine(isServiceUrl, { error: urlHint })
      .describe('Where the service is, without the name of the bucket.'),
    name: z.string({ error: nameHint }).regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: nameHint }),
    region: z
      .string({ error: regionHint })
      .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: regionHint })
      .optional()
      .describe('For which requests are signed; us-east-1 by default.'),
    prefix: z
      .string({ error: prefixHint })
      .regex(/^[A-Za-z0-9_-]{1,64}(\/[A-Za-z0-9_-]{1,64}){0,7}$/, { error: prefixHint })
      .optional()
      .describe('Before the names of all that the cache has there; upstreamproxy by default.'),
    pathStyle: z
      .boolean({ error: flagHint })
      .optional()
      .describe('Whether the bucket stands in the path; false: before the host. true by default.'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that it is verified against, and nothing else; the gateway's roots by default."),
    accessKeyId: sourceSchema.describe('Where the access key id is.'),
    source: sourceSchema.describe('Where the secret access key is.'),
    sessionToken: sourceSchema.optional().describe('Where the session token of temporary keys is.'),
    keepBytes: z
      .int({ error: bytesHint })
      .min(16 * 1024 ** 2, { error: bytesHint })
      .max(1024 ** 5, { error: bytesHint })
      .optional()
      .describe(
        'Bytes that the cache has there at most; beyond it what was stored first leaves. 107374182400 (100 GiB) by default.',
      ),
  },
  {
    hint: 'write bucket: { url: https://s3.example.com, name: packages, accessKeyId: { env: NAME }, source: { env: NAME } }',
    synonyms: {
      ...secretWords,
      bucket: 'name',
      endpoint: 'url',
      cacert: 'ca',
      accessKey: 'accessKeyId',
      secretKey: 'source',
      secretAccessKey: 'source',
      forcePathStyle: 'pathStyle',
      bytes: 'keepBytes',
      size: 'keepBytes',
    },
  },
);

export type CacheBucketDocument = z.infer<typeof cacheBucketSchema>;
