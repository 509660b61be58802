// The shape of the gateway's configuration file. schema/gateway.schema.json is made from it.

import { z } from 'zod';
import { parseAuthority } from '../../http/authority.ts';
import { cacheSchema } from './cache-schema.ts';
import { capturedSchema } from './captured-schema.ts';
import { defaultLimits, limitTable, type LimitName } from '../../protocol/limits.ts';
import { forSchema } from '../../policy/policy-schema.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { adminSchema } from './admin-schema.ts';
import { advisoriesSchema } from './advisories-schema.ts';
import { packageTrustSchema } from './package-trust-schema.ts';
import { auditSchema } from './audit-schema.ts';
import { callbacksSchema } from './callbacks-schema.ts';
import { canariesSchema } from './canaries-schema.ts';
import { decidersSchema } from './deciders-schema.ts';
import { credentialSchema } from '../credentials/credential-kinds.ts';
import { certificateAuthoritySchema, identitySchema } from './identity-schema.ts';
import { denialsSchema } from './denials-schema.ts';
import { noticesSchema } from './notices-schema.ts';
import { upstreamSchema } from './upstream-schema.ts';
import { proxySchema } from './proxy-schema.ts';
import { peersSchema } from './peers-schema.ts';
import { storeSchema } from './store-schema.ts';
import { telemetrySchema } from './telemetry-schema.ts';
import { tlsSchema } from './tls-schema.ts';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';

/** The largest value of a timer in Node; more would fire at once. */
const timerMsMax = 2 ** 31 - 1;

const listenSchema = strictMap(
  {
    address: text('write an IP address to listen on, such as 0.0.0.0 or ::').optional(),
    port: z
      .int({ error: 'write a port from 0 to 65535 (0 lets the system choose)' })
      .min(0, { error: 'write a port from 0 to 65535 (0 lets the system choose)' })
      .max(65_535, { error: 'write a port from 0 to 65535 (0 lets the system choose)' })
      .optional(),
    proxyProtocol: z
      .enum(['required', 'refused'], { error: 'write required or refused' })
      .optional()
      .describe('Whether each connection begins with a PROXY head of version 2, by one of trustedProxies.'),
  },
  { hint: 'write listen: { address: 0.0.0.0, port: 8443 }', synonyms: { host: 'address', ip: 'address' } },
);

const discoverHint = 'write a command as a list, such as { command: [tool, config, get, registry] }';
const discoverSchema = strictMap(
  {
    command: z
      .array(z.string().min(1, { error: discoverHint }), { error: discoverHint })
      .min(1, { error: discoverHint })
      .optional()
      .describe('Program with its arguments, started without a shell; prints URLs or hosts, one a line.'),
    file: z
      .string({ error: discoverHint })
      .min(1, { error: discoverHint })
      .optional()
      .describe('File with URLs or hosts, one a line.'),
  },
  { hint: discoverHint, synonyms: { cmd: 'command', exec: 'command', path: 'file' } },
);

const trustSchema = strictMap(
  {
    file: text(pathHint).describe(
      'PEM file of certificates of authorities; read at start and when the policy is taken again.',
    ),
  },
  { hint: 'write trust as { internal: { file: internal-ca.pem } }', synonyms: { ca: 'file', path: 'file' } },
);

const ttlHint = 'write seconds from 60 to 86400';
const tokensSchema = strictMap(
  {
    issuer: text('write the issuer that stands in tokens, such as https://gateway.example.com').optional(),
    audience: text('write the audience that tokens must name').optional(),
    ttlSeconds: z
      .int({ error: ttlHint })
      .min(60, { error: ttlHint })
      .max(86_400, { error: ttlHint })
      .optional(),
  },
  {
    hint: 'write tokens: { audience: upstreamproxy }',
    synonyms: { ttl: 'ttlSeconds', aud: 'audience', iss: 'issuer' },
  },
);

const urlHint = 'write an https:// URL';
const algorithmHint = 'write asymmetric algorithms such as [RS256, ES256]';
const issuerSchema = strictMap(
  {
    issuer: z.string({ error: urlHint }).regex(/^https:\/\/[^\s]+$/, { error: urlHint }),
    audience: text('write the audience that its tokens must name').optional(),
    jwksUrl: z
      .string({ error: urlHint })
      .regex(/^https:\/\/[^\s]+$/, { error: urlHint })
      .optional(),
    for: forSchema.optional().describe('Claims without which a token of the issuer starts no session.'),
    algorithms: oneOrMany(
      z.enum(['EdDSA', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'], {
        error: algorithmHint,
      }),
      algorithmHint,
    ).optional(),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that the issuer is verified against beside the gateway's roots; origins are not."),
  },
  {
    hint: 'write an issuer as { issuer: https://issuer.example.com }',
    synonyms: { url: 'issuer', jwks: 'jwksUrl', claims: 'for', require: 'for' },
  },
);

// One optional whole number for each row of the table that is a setting; fromEntries forgets the names.
const limitsShape = Object.fromEntries(
  Object.entries(limitTable).flatMap(([name, { value, reason, isFixed }]) => {
    if (isFixed === true) return [];
    const max = name.includes('Ms') ? timerMsMax : Number.MAX_SAFE_INTEGER;
    const hint = `write a whole number from 1 to ${max}; the default is ${value}`;
    const schema = z.int({ error: hint }).min(1, { error: hint }).max(max, { error: hint });
    return [[name, schema.optional().describe(`Default ${value}. ${reason}`)]];
  }),
) as Record<LimitName, z.ZodOptional<z.ZodInt>>;

const fixedLimits: ReadonlyMap<string, string> = new Map(
  Object.entries(limitTable).flatMap(([name, { value, isFixed }]) =>
    isFixed === true ? [[name, `"${name}" is fixed at ${value} and no setting; remove it`]] : [],
  ),
);

const policyHint = 'write the path of a policy file or folder, a list of them, store, or observe';

const originHint = 'write an origin such as https://gateway.example.com:8443';

/** A scheme, a host and maybe a port. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return protocol === 'https:' && href === `${origin}/`;
}

const publicNameHint = 'write a name or address of the gateway, such as gateway.example.com, without a port';

export function isPublicName(text: string): boolean {
  // Such as localhost, or the name of a container in its network: agents may know no other.
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)) return true;
  try {
    // An IPv6 address stands in brackets before a port.
    parseAuthority(text.includes(':') ? `[${text}]` : text, { defaultPort: 443 });
    return true;
  } catch {
    return false;
  }
}

/** The configuration file of `upstreamproxy gateway`. */
const workersHint = `write auto, or a number of processes from 1 to ${defaultLimits.workersMax}`;

export const gatewayConfigSchema = strictMap(
  {
    version: z.literal(1, { error: 'write version: 1, the only version there is' }).optional(),
    listen: listenSchema.optional().describe('The one public TLS port.'),
    proxy: proxySchema
      .optional()
      .describe(
        'A port for clients without an agent: an HTTPS proxy that takes proxy tokens. Off without it.',
      ),
    trustedProxies: oneOrMany(
      text('write a network such as 10.0.0.0/8'),
      'write the networks of the balancers before the gateway, such as [10.0.0.0/8]',
    )
      .optional()
      .describe('Networks of balancers whose word on who is behind them is taken.'),
    publicNames: oneOrMany(
      text(publicNameHint).refine(isPublicName, { error: publicNameHint }),
      'write the names of the gateway, or one',
    )
      .optional()
      .describe('Names and addresses under which agents reach the gateway.'),
    publicOrigins: oneOrMany(
      text(originHint).refine(isOrigin, { error: originHint }),
      'write the origins of the gateway, or one',
    )
      .optional()
      .describe(
        'Origins under which agents reach the gateway, where a balancer has another port; the public names on its own port and 443 by default.',
      ),
    workers: z
      .union(
        [
          z.literal('auto'),
          z.int({ error: workersHint }).min(1, { error: workersHint }).max(defaultLimits.workersMax, {
            error: workersHint,
          }),
        ],
        { error: workersHint },
      )
      .optional()
      .describe('Processes that serve, behind one port; auto is one for each core. 1 by default.'),
    stateDirectory: text('write the path of a folder')
      .optional()
      .describe('Keys, certificate authority and store, unless they are placed elsewhere.'),
    tls: tlsSchema
      .optional()
      .describe(
        "The certificate of the gateway's own port; self makes one, store has it where the identity is.",
      ),
    identity: identitySchema
      .optional()
      .describe(
        'Signing key and authorities that several gateways share; in the state directory by default.',
      ),
    certificateAuthority: certificateAuthoritySchema.optional().describe('The authority that signs leaves.'),
    store: storeSchema
      .optional()
      .describe('What outlives a process: a file, or a database that several gateways share.'),
    policy: oneOrMany(text(policyHint), policyHint)
      .optional()
      .describe(
        'Policy files or folders; store follows what `policy publish` publishes; observe allows and records public destinations. Without it all is denied.',
      ),
    credentials: z
      .record(z.string(), credentialSchema, { error: 'write a map from name to credential' })
      .optional()
      .describe('What rules can inject, by name.'),
    canaries: canariesSchema
      .optional()
      .describe(
        'Values that are planted where nobody has a reason to take them from, by name: rules with "leaks" look for them.',
      ),
    trust: z
      .record(z.string(), trustSchema, { error: 'write a map from name to { file: path }' })
      .optional()
      .describe("Certificates that rules can pin for their hosts, by name, beside the gateway's roots."),
    deciders: decidersSchema
      .optional()
      .describe('Systems of the operator that have to allow what rules with "decide" allow, by name.'),
    discover: z
      .record(z.string(), discoverSchema, { error: 'write a map from name to { command: [...] }' })
      .optional()
      .describe('Where hosts of groups with discover come from, by name, beside npm, pip and git.'),
    tokens: tokensSchema.optional().describe('Session tokens that the gateway signs itself.'),
    issuers: z
      .array(issuerSchema, { error: 'write a list of issuers' })
      .max(50, { error: 'write at most 50 issuers' })
      .optional()
      .describe('OpenID Connect issuers whose tokens start sessions too.'),
    upstream: upstreamSchema.optional().describe('How origins are found and verified.'),
    metrics: strictMap(
      {
        address: text('write an IP address, such as 127.0.0.1').optional(),
        port: z
          .int({ error: 'write a port from 1 to 65535' })
          .min(0, { error: 'write a port from 1 to 65535' })
          .max(65_535, { error: 'write a port from 1 to 65535' }),
      },
      { hint: 'write metrics: { port: 9464 }', synonyms: { host: 'address' } },
    )
      .optional()
      .describe('Serves /metrics in the Prometheus text format on this port; address 127.0.0.1 by default.'),
    peers: peersSchema
      .optional()
      .describe(
        'The link between gateways on one store, over which an agent is led to the one that has its tunnel.',
      ),
    admin: adminSchema
      .optional()
      .describe('Serves the admin API at a Unix socket. Without it there is none.'),
    cache: cacheSchema
      .optional()
      .describe(
        'Keeps archives of packages for the next session that may have them. Without it there is none.',
      ),
    captured: capturedSchema.optional().describe('Bodies that rules have kept (`capture`).'),
    advisories: advisoriesSchema
      .optional()
      .describe('What is known against packages. Without it, rules that look at advisories allow nothing.'),
    packageTrust: packageTrustSchema.optional().describe('Whose signatures about packages count.'),
    modelPrices: text(pathHint)
      .optional()
      .describe('YAML file with prices of models, beside or in place of those that the gateway knows.'),
    audit: auditSchema.optional(),
    telemetry: telemetrySchema
      .optional()
      .describe('Traces, logs and metrics for systems of the operator. Without it nothing is sent.'),
    notices: noticesSchema
      .optional()
      .describe(
        'Who is told at once of questions, requests for access, alarms, budgets and denials, by name.',
      ),
    callbacks: callbacksSchema
      .optional()
      .describe('Where other systems send what people decided about questions of rules. Off without it.'),
    denials: denialsSchema.optional().describe('Words of your own in each denial.'),
    access: strictMap(
      {
        enabled: z
          .boolean({ error: 'write true or false' })
          .describe('Whether workloads may leave requests for access. true by default.'),
      },
      { hint: 'write access: { enabled: false }' },
    )
      .optional()
      .describe('Requests for access that operators grant for a time.'),
    limits: strictMap(limitsShape, {
      hint: 'write limits as a map from name to number',
      refused: fixedLimits,
    }).optional(),
    log: strictMap(
      {
        level: z
          .enum(['debug', 'info', 'warn', 'error'], { error: 'write debug, info, warn or error' })
          .optional(),
        format: z.enum(['text', 'json'], { error: 'write text or json' }).optional(),
      },
      { hint: 'write log: { level: info }' },
    ).optional(),
  },
  {
    hint: 'write a map with keys such as listen, policy and credentials',
    synonyms: {
      policies: 'policy',
      policyFiles: 'policy',
      state: 'stateDirectory',
      ca: 'certificateAuthority',
      secrets: 'credentials',
      oidc: 'issuers',
      logging: 'log',
      names: 'publicNames',
      origins: 'publicOrigins',
      database: 'store',
      keys: 'identity',
      cluster: 'peers',
      port: 'listen: { port: 8443 }',
      address: 'listen: { address: 0.0.0.0 }',
    },
  },
);

export type GatewayConfigDocument = z.infer<typeof gatewayConfigSchema>;
