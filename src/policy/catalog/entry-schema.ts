// One service of the catalogue, as it is written: the entries that come along, and those under "catalog" of a policy file.

import { z } from 'zod';
import { oneOrMany, text } from '../schema-parts.ts';
import { strictMap } from '../yaml-source.ts';
import { catalogAccess } from './use-schema.ts';

/** Keys of a rule that a part of an entry has too: which requests it is about, and nothing of who may send them. */
export const partKeys = {
  hosts: true,
  ports: true,
  methods: true,
  paths: true,
  git: true,
  graphql: true,
  mcp: true,
  llm: true,
  packages: true,
  when: true,
  requestFields: true,
  bodies: true,
} as const;

const formHint = 'write the form of a credential of the entry, such as api';
const formName = z.string({ error: formHint }).regex(/^[a-z][a-z0-9-]{0,31}$/, { error: formHint });
const kindHint = "write a kind of the gateway's credentials, such as bearer";
const dateHint = 'write the day on which the facts were looked at, such as 2026-11-28';
const urlHint = 'write the https:// address of the page that says so';
const variableHint = 'write the name of an environment variable such as GITHUB_TOKEN, or a list of them';
const accessHint = 'write read, write or reveals';
const needsHint = 'write read, write, reveals, or none for what no access lets through';
const url = z.string({ error: urlHint }).regex(/^https:\/\/[\x21-\x7e]{1,500}$/, { error: urlHint });
const linesOf = (what: string) =>
  z.array(text(`write ${what}`), { error: `write a list: ${what}` }).max(50, { error: 'write at most 50' });

const credentialSchema = strictMap(
  {
    kind: z
      .string({ error: kindHint })
      .regex(/^[a-z][a-z0-9-]{0,31}$/, { error: kindHint })
      .describe("How it goes on: a kind of the gateway's credentials."),
    username: text('write the user name that goes with the secret').optional().describe('For kind basic.'),
    header: text('write the name of the header field').optional().describe('For kind header.'),
    prefix: text('write the text before the secret').optional().describe('For kind header.'),
    parameter: text('write the name of the query parameter').optional().describe('For kind query.'),
    variables: oneOrMany(
      z.string({ error: variableHint }).regex(/^[A-Z_][A-Z0-9_]{0,63}$/, { error: variableHint }),
      variableHint,
    )
      .optional()
      .describe("Variables in which the service's own tools look for it."),
    hostVariables: oneOrMany(
      z.string({ error: variableHint }).regex(/^[A-Z_][A-Z0-9_]{0,63}$/, { error: variableHint }),
      variableHint,
    )
      .optional()
      .describe('Variables by which those tools go to another host.'),
    form: text('write what a harmless text of its form looks like, such as ghp_ and 36 letters')
      .optional()
      .describe('A text of its form that opens nothing: tools that check the form take it.'),
    scopes: linesOf('a scope or right to ask for').optional().describe('The least to ask the service for.'),
  },
  { hint: 'write a credential as { kind: bearer, variables: GITHUB_TOKEN }' },
);

const sampleSchema = strictMap(
  {
    request: text('write a method and a URL, such as GET https://api.example.com/v1/items')
      .regex(/^[A-Z]{3,10} https:\/\/[\x21-\x7e]+$/, {
        error: 'write a method and a URL, such as GET https://api.example.com/v1/items',
      })
      .describe('Method and URL.'),
    needs: z
      .enum([...catalogAccess, 'none'], { error: needsHint })
      .describe('The access that lets it through, or none.'),
    with: formName.optional().describe('The form of the credential that is put on.'),
    type: text('write a media type').optional().describe('Content-Type of the body.'),
    body: text('write the body').optional(),
  },
  { hint: 'write a sample as { request: GET https://…, needs: read }' },
);

/** The schema of an entry. `shared`: the schemas of the keys that its parts share with rules. */
export function entrySchemaOf<const Shape extends z.ZodRawShape>(shared: Shape) {
  const part = strictMap(
    {
      name: formName.describe('Names the part; a rule NAME gives a part PART the name NAME/PART.'),
      access: z.enum(catalogAccess, { error: accessHint }).describe('What it is for.'),
      credential: formName.optional().describe('The form of the credential that goes on its requests.'),
      discover: oneOrMany(
        text('write the name of a tool, such as npm'),
        'write the name of a tool, such as npm',
      )
        .optional()
        .describe(
          "Tools whose own configuration on the gateway's machine names the hosts, instead of hosts.",
        ),
      why: text('write what the response brings with it')
        .optional()
        .describe('For access reveals: what a denial says.'),
      ...shared,
    },
    { hint: 'write a part as a map with name, access and hosts', synonyms: { host: 'hosts', path: 'paths' } },
  );
  return strictMap(
    {
      title: text('write the name of the service').describe('The name that people know it by.'),
      version: z
        .int({ error: 'write a whole number from 1' })
        .min(1, { error: 'write a whole number from 1' })
        .describe('Grows with each change of what the parts are.'),
      checked: z
        .string({ error: dateHint })
        .regex(/^\d{4}-\d{2}-\d{2}$/, { error: dateHint })
        .describe('When the facts were last looked at.'),
      sources: z.array(url, { error: urlHint }).min(1, { error: urlHint }).describe('Where they stand.'),
      plainTokens: z
        .literal(true, { error: 'write true, or leave it out' })
        .optional()
        .describe(
          'Its responses have members that are called tokens and that clients need: `run` does not look for tokens in them.',
        ),
      tenant: text('write what the tenant is, and where a person finds it')
        .optional()
        .describe('There is one, and what it is. {tenant} stands for it in hosts.'),
      credentials: z
        .record(formName, credentialSchema, { error: 'write credentials as a map from a form to its kind' })
        .optional()
        .describe('In which forms its credentials go on.'),
      parts: z
        .array(part, { error: 'write a list of parts' })
        .min(1, { error: 'write at least one part' })
        .max(60, { error: 'write at most 60 parts' }),
      traps: linesOf('a trap').optional().describe('What surprises people, in a sentence each.'),
      samples: z
        .array(sampleSchema, { error: 'write a list of samples' })
        .max(200, { error: 'write at most 200 samples' })
        .optional()
        .describe('Requests, and what lets each through: `catalog test` plays them.'),
    },
    { hint: 'write an entry as a map with title, version, checked, sources and parts' },
  );
}
