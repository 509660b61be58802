// By what a token service is verified, in the configuration of a credential.

import { pathHint, text } from '../../../policy/schema-parts.ts';

export const tokenServiceCa = text(pathHint)
  .optional()
  .describe("PEM file that the token service is verified against beside the gateway's roots.");
