// What this program speaks and keeps. package.json and release.json say the same, for who asks before an upgrade.

import type { Compatibility } from '../../api/release-manifest.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../protocol/frame.ts';
import { schemaFacts } from '../../store/schema-facts.ts';

export const ownCompatibility: Compatibility = {
  wire: [tunnelSubprotocol, chunkSubprotocol],
  store: schemaFacts,
};
