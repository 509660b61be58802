// `rewrite` of a rule as it is written.

import { z } from 'zod';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const pathHint = 'write the path of a field, such as /user/email or /messages/*/name, or a list of them';
const setHint = 'write a map from paths to values, such as { /model: small }';
const rewriteHint = 'write rewrite: { request: { set: { /model: small } } }';
const value = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'write a text, a number, true, false or null',
});

const sideSchema = strictMap(
  {
    set: z
      .record(z.string(), value, { error: setHint })
      .optional()
      .describe('Fields by their paths (RFC 6901, and * for each), and the values that they get.'),
    drop: oneOrMany(text(pathHint), pathHint).optional().describe('Paths of fields that are left out.'),
    redact: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe('Paths of fields whose values become "[redacted]".'),
  },
  { hint: rewriteHint, synonyms: { remove: 'drop', delete: 'drop', mask: 'redact' } },
);

export const rewriteSchema = strictMap(
  {
    request: sideSchema.optional().describe('What becomes of the JSON of a request.'),
    response: sideSchema.optional().describe('What becomes of the JSON of a response.'),
  },
  { hint: rewriteHint },
);
