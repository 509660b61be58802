// The shape of a policy file. schema/policy.schema.json is made from it; docs/reference/policy.md says what it means.

import { z } from 'zod';
import { askSchema } from './ask-schema.ts';
import { entrySchemaOf, partKeys } from './catalog/entry-schema.ts';
import { catalogUseSchema } from './catalog/use-schema.ts';
import type { ClaimPattern } from './claim-pattern.ts';
import { decideSchema } from './decide-schema.ts';
import { denyError, effectWords } from './effect-words.ts';
import { dnsSchema, exitSchema } from './way-schema.ts';
import { gitSchema } from './git-schema.ts';
import { graphqlSchema } from './graphql-schema.ts';
import { leaksSchema } from './leak-schema.ts';
import { limitsSchema, sizeSchema } from './limits-schema.ts';
import { llmSchema } from './llm-schema.ts';
import { logInSchema } from './log-in-schema.ts';
import { mcpSchema } from './mcp-schema.ts';
import { rewriteSchema } from './rewrite-schema.ts';
import { postgresSchema, protocolSchema } from './protocol-schema.ts';
import { mysqlSchema } from './mysql-schema.ts';
import { redisSchema } from './redis-schema.ts';
import { signSchema } from './sign-schema.ts';
import { sshSchema } from './ssh-schema.ts';
import { screenSchema } from './screen-schema.ts';
import { packagesSchema } from './packages-schema.ts';
import { postureFacts } from './posture-facts.ts';
import { tlsSchema } from './tls-schema.ts';
import { strictMap } from './yaml-source.ts';

const nameHint = 'write a short name of letters, digits, ".", "_" and "-", such as npm-read';
const nameSchema = z
  .string({ error: nameHint })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: nameHint });

const includeHint = 'write the name of a group, catalog/ and the name of a service, or a list of groups';
const includeSchema = z
  .string({ error: includeHint })
  .regex(/^(?:catalog\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: includeHint });

/** One value or a list of them; a list is never empty, or the key would say nothing. */
function oneOrMany<T extends z.ZodType>(item: T, hint: string) {
  const error = { error: hint };
  return z.union([item, z.array(item, error).min(1, error).max(10_000, error)], error);
}

const text = (hint: string) => z.string({ error: hint }).min(1, { error: hint }).max(2000, { error: hint });

const hostHint = 'write a host name such as registry.example.com or *.example.com, or a list of them';
const hostsSchema = oneOrMany(text(hostHint), hostHint);
const portHint = 'write a port from 1 to 65535, or a list of them';
const portsSchema = oneOrMany(
  z.int({ error: portHint }).min(1, { error: portHint }).max(65_535, { error: portHint }),
  portHint,
);
const methodHint = 'write a method in upper case such as GET, or a list such as [GET, HEAD]';
const pathHint = 'write a path pattern such as /simple/:name or /repos/acme/*, or a list of them';
const networkHint = 'write a private network such as 10.1.0.0/16, or a list of them';
const credentialHint = "write the name of a credential of the gateway's configuration";
const trustHint = "write a name of the gateway's trust, or a list of them";
const traceHint = "write new, or continue for the trace of the client's traceparent";
const captureHint = 'write capture: { bodies: true }';
const redactHint = 'write the name of a member or field, such as password, or a list of them';
const homeHint = 'write read, or write for all that the rule admits';
const bodiesHint = 'write where-defined, to refuse bodies where HTTP defines none, or any';
const modeSchema = z.enum(['enforce', 'observe'], { error: 'write enforce or observe' });
const requireHint = `write facts of the posture: ${postureFacts.join(', ')}`;
const requireSchema = oneOrMany(z.enum(postureFacts, { error: requireHint }), requireHint);

const claimHint = 'write a value, a list of values, or a map of claims; * in text stands for anything';
const claimValue = z.union([z.string(), z.number(), z.boolean()], { error: claimHint });
const claimPattern: z.ZodType<ClaimPattern> = z.lazy(() =>
  z.union(
    [claimValue, z.array(claimValue).min(1, { error: claimHint }), z.record(z.string(), claimPattern)],
    {
      error: claimHint,
    },
  ),
);
/** Claims of the sessions that something is for; the gateway's configuration has it for issuers too. */
export const forSchema = z
  .record(z.string(), claimPattern, {
    error: 'write claims of the session token, such as { repository: acme/app }',
  })
  .refine((claims) => Object.keys(claims).length > 0, {
    error: 'write at least one claim, or leave "for" out',
  });

const denySchema = z.union(
  [
    z.literal(true, { error: 'write true, or the reason that the workload is told' }),
    text('write the reason that the workload is told'),
    strictMap(
      {
        reason: text('write the reason that the workload is told').describe('Told to the workload.'),
        operator: text('write the reason that only the operator sees')
          .optional()
          .describe('Written to the audit only.'),
      },
      {
        hint: 'write deny: { reason: …, operator: … }',
        synonyms: { message: 'reason', workload: 'reason', why: 'reason' },
      },
    ),
  ],
  { error: denyError },
);

const fieldHint = 'write the name of a request field such as x-amz-copy-source, or a list of them';
const fieldName = text(fieldHint).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, { error: fieldHint });
const fieldsSchema = z.union(
  [
    oneOrMany(fieldName, fieldHint),
    strictMap(
      {
        only: oneOrMany(fieldName, fieldHint).describe(
          'The only request fields that are let through, beside those of every client.',
        ),
      },
      { hint: 'write requestFields: { only: [x-request-id] }', synonyms: { allow: 'only', names: 'only' } },
    ),
  ],
  { error: `${fieldHint}, or { only: [...] }` },
);
const fileFieldsSchema = strictMap(
  {
    removed: oneOrMany(fieldName, fieldHint)
      .optional()
      .describe('Fields that only tell who asks: removed as those of the table are.'),
    refused: oneOrMany(fieldName, fieldHint)
      .optional()
      .describe('Fields that change what is asked: refused as those of the table are.'),
  },
  {
    hint: 'write requestFields: { refused: [x-route-to] }',
    synonyms: { remove: 'removed', refuse: 'refused', strip: 'removed', deny: 'refused' },
  },
);

const quietHint = 'write milliseconds from 1 to 60000';
const schemeHint = 'write https, http, tcp or udp (WebSocket is https), or [https, http]';

const ruleSchema = strictMap(
  {
    name: nameSchema.describe('Names the rule in the audit and in denials. Unique over all files.'),
    description: text('write a sentence').optional().describe('For people; no effect.'),
    hosts: hostsSchema
      .optional()
      .describe('Exact names, *.name for whole labels below a name, or IP literals.'),
    include: oneOrMany(includeSchema, includeHint)
      .optional()
      .describe(
        'Groups whose hosts the rule has too, or catalog/NAME: the requests of that service, as its entry has them.',
      ),
    catalog: catalogUseSchema
      .optional()
      .describe('What of the service is let through, with "include: catalog/NAME". read by default.'),
    dangerouslyAllowWideHosts: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('Lets an allowing rule have "*" or a wildcard below a public suffix.'),
    scheme: oneOrMany(z.enum(['https', 'http', 'tcp', 'udp'], { error: schemeHint }), schemeHint)
      .optional()
      .describe('https by default; all in a rule that denies. tcp is any raw TCP, udp are datagrams.'),
    protocol: protocolSchema
      .optional()
      .describe(
        'What is spoken instead of HTTP: the gateway ends its start-up and logs in with the credential of the rule.',
      ),
    postgres: postgresSchema.optional().describe('For protocol postgres: databases and settings.'),
    mysql: mysqlSchema.optional().describe('For protocol mysql: databases, and how the gateway logs in.'),
    redis: redisSchema.optional().describe('For protocol redis: which commands go on.'),
    ssh: sshSchema.optional().describe('For protocol ssh: keys of the server, and what may be run.'),
    ports: portsSchema
      .optional()
      .describe('443 for https and 80 for http by default; all in a rule that denies.'),
    methods: oneOrMany(text(methodHint), methodHint).optional().describe('All methods by default.'),
    paths: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe(
        'URLPattern pathnames on the canonical path, without regular expressions. All paths by default.',
      ),
    git: gitSchema
      .optional()
      .describe('Requests of git over smart HTTP: repositories, fetch or push, and which refs.'),
    mcp: mcpSchema
      .optional()
      .describe(
        'Messages of the Model Context Protocol: which tools may be called, and the rest of a server.',
      ),
    graphql: graphqlSchema
      .optional()
      .describe('Operations of GraphQL: fields of queries and mutations, and how large they may be.'),
    llm: llmSchema.optional().describe('Calls of models: which ones, and what all of them may take.'),
    packages: packagesSchema
      .optional()
      .describe('Packages of a registry: which of them, and which versions, may be fetched.'),
    sign: signSchema.optional().describe('Commits and tags that the gateway signs with its key.'),
    when: text('write a CEL expression').optional().describe('A CEL expression that must be true.'),
    for: forSchema.optional().describe('Claims of the sessions that the rule is for.'),
    require: requireSchema.optional().describe('Facts of the posture without which the rule does not apply.'),
    expires: text('write a time such as 2030-01-31T12:00:00Z')
      .optional()
      .describe('RFC 3339 time from which the rule does not apply any more.'),
    deny: denySchema.optional().describe('Makes the rule deny: true, a reason, or { reason, operator }.'),
    ask: askSchema
      .optional()
      .describe(
        'What the rule admits waits until a person says that it may go on: true, or how far an answer may go.',
      ),
    inject: oneOrMany(text(credentialHint), credentialHint)
      .optional()
      .describe('Credentials that the gateway puts on requests that this rule admits. https only.'),
    logIn: logInSchema,
    requestFields: fieldsSchema
      .optional()
      .describe(
        'Request fields that change what is asked and are let through, or { only: [...] }. None of them by default where the rule has paths, git or inject.',
      ),
    scrub: strictMap(
      {
        quietMs: z
          .int({ error: quietHint })
          .min(1, { error: quietHint })
          .max(60_000, { error: quietHint })
          .describe(
            'Milliseconds without a byte after which what is held goes on; a secret in two pieces then gets through.',
          ),
      },
      { hint: 'write scrub: { quietMs: 200 }' },
    )
      .optional()
      .describe('How responses are searched for the credentials that the rule names.'),
    tls: tlsSchema
      .optional()
      .describe(
        'passthrough: TLS is not opened, so nothing but its outer name is checked, and nothing injected. With ech: refuse not even a hello that may hide another name.',
      ),
    trust: oneOrMany(text(trustHint), trustHint)
      .optional()
      .describe(
        "Names in the gateway's `trust`: certificates that verify the hosts of this rule beside the gateway's roots.",
      ),
    exit: exitSchema.optional(),
    dns: dnsSchema.optional(),
    addresses: oneOrMany(text(networkHint), networkHint)
      .optional()
      .describe('Private networks that the hosts of this rule may resolve to.'),
    bodies: z
      .enum(['any', 'where-defined'], { error: bodiesHint })
      .optional()
      .describe(
        'where-defined: a request with a body is refused for GET, HEAD, DELETE and OPTIONS, where HTTP defines none. any by default.',
      ),
    homeCredentials: z
      .enum(['read', 'write'], { error: homeHint })
      .optional()
      .describe(
        "What secrets of the caller's home serve, which the gateway of `run` puts on: read, or write for all that this rule admits. read by default; with run --home-credentials=write every rule serves writes.",
      ),
    trace: z
      .enum(['new', 'continue'], { error: traceHint })
      .optional()
      .describe(
        "continue: where the gateway sends traces, the exchange is a part of the client's own, if the client says that it is sampled, and the origin gets a traceparent that says so. new by default.",
      ),
    capture: strictMap(
      {
        bodies: z
          .literal(true, { error: captureHint })
          .describe('Bodies of request and response are kept, encrypted, for operators.'),
        bytesMax: sizeSchema
          .optional()
          .describe('How much of each body is kept, in bytes or with a unit: 64 KiB by default.'),
        redact: oneOrMany(text(redactHint), redactHint)
          .optional()
          .describe(
            'Names of members of JSON and of fields of forms whose values are not kept, in any letter case. A body that is neither, or is encoded, is then not kept at all.',
          ),
      },
      { hint: captureHint, synonyms: { body: 'bodies', bytes: 'bytesMax', max: 'bytesMax', mask: 'redact' } },
    )
      .optional()
      .describe('What of an exchange is kept beside its event in the audit. Nothing by default.'),
    leaks: leaksSchema
      .optional()
      .describe(
        'What requests are searched for as they go out, and what happens where something is found; false: nothing. What the file says by default.',
      ),
    rewrite: rewriteSchema
      .optional()
      .describe('Named fields of JSON that are changed on their way. Nothing by default.'),
    screen: screenSchema
      .optional()
      .describe('Marks by which the beginning of a response is judged. Nothing by default.'),
    decide: decideSchema
      .optional()
      .describe('A system of the operator that has to allow, too, what the rule allows. None by default.'),
    limits: limitsSchema.optional(),
    mode: modeSchema.optional().describe('observe: what the rule would deny is recorded and let through.'),
  },
  {
    hint: 'write a rule as a map with name and hosts',
    synonyms: {
      host: 'hosts',
      domain: 'hosts',
      domains: 'hosts',
      url: 'hosts',
      group: 'include',
      groups: 'include',
      schemes: 'scheme',
      port: 'ports',
      method: 'methods',
      path: 'paths',
      condition: 'when',
      package: 'packages',
      if: 'when',
      claims: 'for',
      principals: 'for',
      posture: 'require',
      credential: 'inject',
      credentials: 'inject',
      networks: 'addresses',
      headers: 'requestFields',
      fields: 'requestFields',
      ca: 'trust',
      proxy: 'exit',
      cas: 'trust',
      limit: 'limits',
      body: 'bodies',
      leak: 'leaks',
      dlp: 'leaks',
      id: 'name',
    },
    refused: effectWords,
  },
);

const groupSchema = strictMap(
  {
    description: text('write a sentence').optional().describe('For people; no effect.'),
    hosts: hostsSchema.optional().describe('The hosts of the group.'),
    discover: oneOrMany(nameSchema, 'write the name of a tool, such as npm')
      .optional()
      .describe("Tools whose own configuration on the gateway's machine names further hosts."),
  },
  {
    hint: 'write a group as a map with hosts',
    synonyms: { host: 'hosts', domains: 'hosts', members: 'hosts' },
  },
);

/** One service of the catalogue. */
export const catalogEntrySchema = entrySchemaOf(ruleSchema.pick(partKeys).shape);
export type CatalogEntry = z.infer<typeof catalogEntrySchema>;

/** One policy file. */
export const policySchema = strictMap(
  {
    version: z.literal(1, { error: 'write version: 1, the only version there is' }).optional(),
    mode: modeSchema.optional().describe('observe: what would be denied is recorded and let through.'),
    for: forSchema
      .optional()
      .describe('Claims of the sessions that this file is for. All sessions by default.'),
    require: requireSchema
      .optional()
      .describe('Facts of the posture without which no rule of this file injects a credential.'),
    requestFields: fileFieldsSchema
      .optional()
      .describe('Names that this file adds to the tables of request fields, for its own rules.'),
    tls: z
      .literal('auto', { error: 'write auto, or leave it out' })
      .optional()
      .describe(
        'auto: what rules of this file without "tls" allow passes unopened where nothing has to be looked at. They intercept by default.',
      ),
    leaks: leaksSchema.optional().describe('What rules of this file without "leaks" are searched for.'),
    groups: z
      .record(z.string(), groupSchema, { error: 'write groups as a map from name to { hosts: [...] }' })
      .optional()
      .describe('Named lists of hosts for "include", known in all files.'),
    catalog: z
      .record(nameSchema, catalogEntrySchema, {
        error: 'write catalog as a map from the name of a service to its entry',
      })
      .optional()
      .describe('Services of your own for "include: catalog/NAME", known in all files.'),
    rules: z
      .array(ruleSchema, { error: 'write a list of rules, each with name and hosts' })
      .optional()
      .describe('Any deny that matches wins; of the rules that allow, the first in order decides.'),
  },
  {
    hint: 'write a map with the key rules',
    synonyms: { rule: 'rules', policy: 'rules', allow: 'rules', claims: 'for' },
  },
);

export type PolicyDocument = z.infer<typeof policySchema>;
export type RuleDocument = NonNullable<PolicyDocument['rules']>[number];
