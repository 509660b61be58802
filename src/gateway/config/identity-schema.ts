// The shape of `identity` in the configuration.

import { strictMap } from '../../policy/yaml-source.ts';
import { text } from '../../policy/schema-parts.ts';

export const identitySchema = strictMap(
  {
    directory: text('write the path of a folder').describe(
      'A folder with the same files for all gateways, in which no gateway makes any.',
    ),
  },
  { hint: 'write identity: { directory: path }', synonyms: { path: 'directory', folder: 'directory' } },
);
