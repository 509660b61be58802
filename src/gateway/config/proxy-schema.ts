// The shape of `proxy` in the configuration: the listener for clients without an agent.

import { z } from 'zod';
import { text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';

const portHint = 'write a port from 0 to 65535 (0 lets the system choose)';

export const proxySchema = strictMap(
  {
    address: text('write an IP address, such as 0.0.0.0').optional(),
    port: z.int({ error: portHint }).min(0, { error: portHint }).max(65_535, { error: portHint }),
    proxyProtocol: z
      .enum(['required', 'refused'], { error: 'write required or refused' })
      .optional()
      .describe('Whether each connection begins with a PROXY head of version 2, by one of trustedProxies.'),
  },
  { hint: 'write proxy: { port: 8444 }', synonyms: { host: 'address', ip: 'address' } },
);

export type ProxyDocument = z.infer<typeof proxySchema>;
