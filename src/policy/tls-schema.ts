// `tls` of a rule as it is written.

import { z } from 'zod';
import { strictMap } from './yaml-source.ts';

const tlsHint = 'write intercept, auto, passthrough, or { passthrough: true, ech: refuse }';
const echHint = 'write refuse, or allow';
export const tlsSchema = z.union(
  [
    z.enum(['intercept', 'auto', 'passthrough'], { error: tlsHint }),
    strictMap(
      {
        // A key alone in a flow map of YAML has the value null.
        passthrough: z
          .union([z.literal(true), z.null()], { error: 'write true' })
          .describe('TLS is not opened.'),
        ech: z
          .enum(['refuse', 'allow'], { error: echHint })
          .optional()
          .describe(
            'refuse: no hello with encrypted_client_hello passes. Browsers send one that only looks so (GREASE), and are refused too.',
          ),
      },
      { hint: tlsHint, synonyms: { mode: 'passthrough', encryptedClientHello: 'ech' } },
    ),
  ],
  { error: tlsHint },
);
