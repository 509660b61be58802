// The shape of `tls` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { pathHint, text } from '../../policy/schema-parts.ts';

const tlsHint = 'write self, store, or { certificate: file, key: file }';
export const tlsSchema = z.union(
  [
    z.literal(['self', 'store'], { error: tlsHint }),
    strictMap(
      { certificate: text(pathHint), key: text(pathHint) },
      { hint: tlsHint, synonyms: { cert: 'certificate', privateKey: 'key' } },
    ),
  ],
  { error: tlsHint },
);
