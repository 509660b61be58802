// The shape of `peers` in the configuration.

import { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import { text } from '../../policy/schema-parts.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const knownHint = 'write a list of host and port, such as ["10.0.0.12:8444"]';
const portHint = 'write a port from 0 to 65535 (0 lets the system choose)';
const hostHint = 'write a name or an address of this gateway, or host: { env: POD_IP }';

export const peersSchema = strictMap(
  {
    listen: strictMap(
      {
        address: text('write an IP address, such as 10.0.0.5'),
        port: z.int({ error: portHint }).min(0, { error: portHint }).max(65_535, { error: portHint }),
      },
      { hint: 'write listen: { address: 10.0.0.5, port: 8444 }', synonyms: { host: 'address' } },
    ).describe('Where other gateways reach this one. Each worker has a port of its own, from this one on.'),
    host: z
      .union(
        [
          text(hostHint),
          strictMap(
            { env: text('write the name of a variable').describe('Variable of the gateway that has it.') },
            { hint: hostHint },
          ),
        ],
        { error: hostHint },
      )
      .optional()
      .describe('By which others reach it; the address of listen by default.'),
    known: z
      .array(text(knownHint).regex(/^(?:\[[0-9A-Fa-f:.]+\]|[^\s/@:[\]]+):\d{1,5}$/, { error: knownHint }), {
        error: knownHint,
      })
      .max(defaultLimits.peersAskedMax, { error: knownHint })
      .optional()
      .describe(
        'Where others are, by host and port. A gateway that starts while the store is away asks them, and those that it saw before, for what it has to know.',
      ),
  },
  {
    hint: 'write peers: { listen: { address: 10.0.0.5, port: 8444 } }',
    synonyms: { announce: 'host', name: 'host', port: 'listen: { address: 10.0.0.5, port: 8444 }' },
  },
);

export type PeersDocument = z.infer<typeof peersSchema>;
