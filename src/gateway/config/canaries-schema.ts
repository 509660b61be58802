// `canaries:` of the configuration: where values are that somebody planted. The values themselves never stand there.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema, secretWords } from '../credentials/sources/source-schema.ts';

const canaryHint = 'write a canary as { source: { env: NAME } }';

export const canariesSchema = z.record(
  z.string(),
  strictMap(
    { source: plainSourceSchema.describe('Where the value is, of 16 octets or more.') },
    { hint: canaryHint, synonyms: secretWords },
  ),
  { error: 'write a map from name to { source: … }' },
);
