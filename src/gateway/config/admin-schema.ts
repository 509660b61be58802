// The shape of `admin` in the configuration.

import { z } from 'zod';
import { adminRoles } from '../../api/admin/roles.ts';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { oidcSchema } from './oidc-schema.ts';

const portHint = 'write a port from 0 to 65535 (0 lets the system choose)';
const listenSchema = strictMap(
  {
    address: text('write an IP address, such as 127.0.0.1').optional(),
    port: z.int({ error: portHint }).min(0, { error: portHint }).max(65_535, { error: portHint }),
    names: oneOrMany(text('write a host name'), 'write a host name, or a list of them')
      .optional()
      .describe('Host names under which it is reached; requests for another name are refused.'),
    certificate: text(pathHint).optional().describe('PEM file; with key.'),
    key: text(pathHint).optional().describe('PEM file; with certificate.'),
  },
  { hint: 'write listen: { port: 9443 }', synonyms: { host: 'address', cert: 'certificate' } },
);

const rolesHint = 'write roles by user id, such as { "0": administrator, "1000": viewer }';

/** Where the admin API is served, and to whom. */
export const adminSchema = strictMap(
  {
    socket: text(pathHint)
      .optional()
      .describe('Path of the Unix socket; admin/admin.sock in the state folder by default.'),
    socketRoles: z
      .record(
        z.string().regex(/^\d{1,10}$/, { error: rolesHint }),
        z.enum(adminRoles, { error: `write one of ${adminRoles.join(', ')}` }),
        { error: rolesHint },
      )
      .optional()
      .describe('What users of this machine may do without a token, by their user id. Nobody by default.'),
    listen: listenSchema
      .optional()
      .describe('A TCP port beside the socket, for tokens only; with TLS where its address is not loopback.'),
    sessionTokens: z
      .enum(['operator', 'administrator'], { error: 'write operator or administrator' })
      .optional()
      .describe(
        'The least role that may issue session tokens by this API, such as that of an orchestrator. Nobody by default.',
      ),
    oidc: oidcSchema
      .optional()
      .describe(
        'Log-in to the console at an identity provider, by OpenID Connect. Without it by tokens alone.',
      ),
  },
  {
    hint: 'write admin: { socketRoles: { "0": administrator } }',
    synonyms: { path: 'socket', roles: 'socketRoles', tcp: 'listen', openid: 'oidc', sso: 'oidc' },
  },
);
