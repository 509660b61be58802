// The shapes of `exit` and `dns` in a rule.

import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

export const exitSchema = text("write the name of one of the gateway's exits, or direct").describe(
  'The way out: a name in `upstream.exits` of the gateway, or direct. What the gateway uses for all by default.',
);

const namesHint = 'write a name, or a pattern such as *.example.com';

export const dnsSchema = strictMap(
  {
    names: oneOrMany(text(namesHint), namesHint).describe(
      'Names that queries may be about: exact, or *.suffix for all that is below a name.',
    ),
  },
  { hint: 'write dns: { names: "*.example.com" }', synonyms: { name: 'names', hosts: 'names' } },
).describe(
  'For scheme udp: only queries of DNS pass, about these names, and only responses to them come back. Any datagram by default.',
);
