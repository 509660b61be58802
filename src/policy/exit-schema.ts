// The shape of `exit` in a rule.

import { text } from './schema-parts.ts';

export const exitSchema = text("write the name of one of the gateway's exits, or direct").describe(
  'The way out: a name in `upstream.exits` of the gateway, or direct. What the gateway uses for all by default.',
);
