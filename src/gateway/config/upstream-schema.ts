// The shape of `upstream` in the configuration: how origins are found, verified and reached.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';

const addressesHint = 'write an IP address, or a list of them';
const proxyUrlHint = 'write http://host:port or https://host:port, without user and password';
const upstreamProxySchema = strictMap(
  {
    url: text(proxyUrlHint)
      .regex(/^https?:\/\/[^/@?#]+\/?$/, { error: proxyUrlHint })
      .describe('http://host:port or https://host:port.'),
    username: text('write a user name').optional().describe('With source: who the gateway is to the proxy.'),
    source: plainSourceSchema.optional().describe('Where the password comes from: env, file or command.'),
    noProxy: oneOrMany(text('write a host, or .suffix'), 'write a host, or a list of them')
      .optional()
      .describe(
        'Hosts that are dialled directly: exact names, .suffix for a name and all below it, IP literals.',
      ),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe('PEM files that an https proxy is verified against.'),
  },
  {
    hint: 'write proxy: { url: http://proxy.example.com:3128 }',
    synonyms: { user: 'username', password: 'source', no_proxy: 'noProxy', exceptions: 'noProxy' },
  },
);

export const upstreamSchema = strictMap(
  {
    systemTrust: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe("Whether the system's trust bundle verifies origins. true by default."),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe('PEM files of further authorities for origins.'),
    resolvers: oneOrMany(text(addressesHint), addressesHint)
      .optional()
      .describe("Name servers as address or address:port; the system's own by default."),
    proxy: upstreamProxySchema
      .optional()
      .describe(
        'Another proxy that is the way out: CONNECT for everything but noProxy. It resolves the names.',
      ),
    hosts: z
      .record(z.string(), oneOrMany(text(addressesHint), addressesHint), {
        error: 'write a map from host name to addresses',
      })
      .optional()
      .describe(
        'Addresses of names that are not asked of a name server. The address guard judges them all the same.',
      ),
  },
  {
    hint: 'write upstream: { ca: [file] }',
    synonyms: { cas: 'ca', dns: 'resolvers', nameservers: 'resolvers' },
  },
);
