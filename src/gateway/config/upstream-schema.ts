// The shape of `upstream` in the configuration: how origins are found, verified and reached.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';

const addressesHint = 'write an IP address, or a list of them';
const proxyUrlHint =
  'write http://host:port, https://host:port, socks5://host:port or socks5h://host:port, without user and password';
const proxyShape = {
  url: text(proxyUrlHint)
    .regex(/^(?:https?|socks5h?):\/\/[^/@?#]+\/?$/, { error: proxyUrlHint })
    .describe(
      'http://host:port, https://host:port, socks5://host:port (the gateway resolves names) or socks5h://host:port (the proxy does).',
    ),
  username: text('write a user name').optional().describe('With source: who the gateway is to the proxy.'),
  source: plainSourceSchema.optional().describe('Where the password comes from: env, file or command.'),
  ca: oneOrMany(text(pathHint), pathHint)
    .optional()
    .describe('PEM files that an https proxy is verified against.'),
};
const proxySynonyms = { user: 'username', password: 'source', no_proxy: 'noProxy', exceptions: 'noProxy' };
const upstreamProxySchema = strictMap(
  {
    ...proxyShape,
    noProxy: oneOrMany(text('write a host, or .suffix'), 'write a host, or a list of them')
      .optional()
      .describe(
        'Hosts that are dialled directly: exact names, .suffix for a name and all below it, IP literals.',
      ),
  },
  { hint: 'write proxy: { url: http://proxy.example.com:3128 }', synonyms: proxySynonyms },
);

const fromHint = 'write an IP address, or one of each family';
const exitSchema = strictMap(
  {
    proxy: upstreamProxySchema.optional().describe('Through one proxy.'),
    pac: strictMap(
      {
        file: text(pathHint).describe('The script (proxy auto-configuration), read at start.'),
        proxies: z
          .array(
            strictMap(proxyShape, { hint: 'write { url: http://host:port }', synonyms: proxySynonyms }),
            {
              error: 'write a list of { url: http://host:port }',
            },
          )
          .optional()
          .describe('The proxies that the script may name. It cannot lead to another one.'),
        direct: z
          .boolean({ error: 'write true or false' })
          .optional()
          .describe('Whether DIRECT of the script counts. false by default.'),
      },
      { hint: 'write pac: { file: proxy.pac, proxies: [{ url: http://proxy.example.com:3128 }] }' },
    )
      .optional()
      .describe('Through the proxies that a script names for a host.'),
    from: oneOrMany(text(fromHint), fromHint)
      .optional()
      .describe('The addresses of this machine that connections begin at: one, or one of each family.'),
    interface: text('write the name of an interface, such as wg0')
      .optional()
      .describe(
        'The interface of this machine whose addresses connections begin at, as they are at the time.',
      ),
  },
  {
    hint: 'write an exit as { proxy: { url: socks5h://proxy.example.com:1080 } }, { pac: { file: proxy.pac } }, { from: 203.0.113.9 } or { interface: wg0 }',
    synonyms: {
      address: 'from',
      addresses: 'from',
      localAddress: 'from',
      device: 'interface',
      script: 'pac',
    },
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
        'Another proxy that is the way out for everything but noProxy. It resolves the names, unless it is socks5.',
      ),
    exits: z
      .record(z.string(), exitSchema, { error: 'write a map from name to an exit' })
      .optional()
      .describe('Ways out that rules name by `exit`.'),
    exit: text('write the name of an exit')
      .optional()
      .describe(
        'The exit for all that name none: rules, and what the gateway itself asks for. In place of proxy.',
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
