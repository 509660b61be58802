// The kinds of credentials, and what follows from them alone: the shape of the configuration, its settings, and how one is opened.

import assert from 'node:assert/strict';
import { z } from 'zod';
import { text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import type {
  Absolute,
  CommonSettings,
  Credential,
  CredentialKind,
  PlaceholderSettings,
} from './kinds/credential-kind.ts';
import { fieldName } from './kinds/field-name.ts';
import { issuedKinds } from './kinds/issued-kinds.ts';
import type { CredentialContext } from './kinds/open-source.ts';
import { logInKinds } from './kinds/log-in-kinds.ts';
import { placeholderText } from './kinds/placeholder-text.ts';
import { mintedKinds } from './kinds/minted-kinds.ts';
import { proofKinds } from './kinds/proof-kinds.ts';
import { signatureKinds } from './kinds/signature-kinds.ts';
import { sourceKinds } from './kinds/source-kinds.ts';
import { secretWords, sourceSchema } from './sources/source-schema.ts';
import type { SourceDocument } from './sources/source-schema.ts';
import { sourceSettings } from './sources/source-settings.ts';

/** The secret itself goes, or what it buys goes, or it stays and proves something, or a log-in gives it: a kind belongs into one of these files. */
const credentialKinds = [
  ...sourceKinds,
  ...issuedKinds,
  ...mintedKinds,
  ...logInKinds,
  ...proofKinds,
  ...signatureKinds,
] as const;
const kindNames = credentialKinds.map(({ kind }) => kind);

type SettingsOf<Kind> =
  Kind extends CredentialKind<infer Name, infer _Shape, infer Own>
    ? { readonly kind: Name } & Readonly<Own> & CommonSettings
    : never;

/** What the configuration says about one credential, with defaults filled in and paths made absolute. */
export type CredentialConfig = SettingsOf<(typeof credentialKinds)[number]>;

/** What a credential of the configuration has whatever its kind; the rest is the kind's own. */
export interface CredentialDocument {
  readonly kind: string;
  readonly source?: SourceDocument | undefined;
  readonly placeholder?: PlaceholderSettings;
  readonly scrub?: { readonly decode: boolean };
  readonly strip?: { readonly headers?: readonly string[]; readonly parameters?: readonly string[] };
}

const scrubSchema = strictMap(
  {
    decode: z
      .boolean({ error: 'write true or false' })
      .describe('Ask for gzip, br and zstd, and decode responses to search them.'),
  },
  { hint: 'write scrub: { decode: true }' },
);
const stripSchema = strictMap(
  {
    headers: z
      .array(fieldName('write the name of a header field, such as X-Api-Key', 'remove it'), {
        error: 'write a list of header fields',
      })
      .max(64, { error: 'write at most 64 header fields' })
      .optional(),
    parameters: z
      .array(text('write the name of a query parameter, such as api_key'), {
        error: 'write a list of query parameters',
      })
      .max(64, { error: 'write at most 64 query parameters' })
      .optional(),
  },
  { hint: 'write strip: { headers: [Cookie], parameters: [key] }' },
);
const credentialHint = 'write a credential as { kind: bearer, source: { env: NAME } }';

function schemaOf(one: CredentialKind) {
  const strip = stripSchema
    .optional()
    .describe(
      "What is taken off requests that get the credential, so that the client's own account is not used beside it; instead of the usual fields and parameters.",
    );
  const shape = {
    kind: z.literal(one.kind).describe(one.summary),
    ...one.shape,
    source: one.needsNoSource === true ? sourceSchema.optional() : sourceSchema,
    scrub: scrubSchema.optional().describe('How responses are searched for the secret.'),
    ...(one.foreign.what === 'none-beside-it' ? {} : { strip }),
    placeholder: one.placeholder.schema,
  };
  const elsewhere = credentialKinds.flatMap((other) => Object.keys(other.shape)).concat('strip');
  const refused = elsewhere
    .filter((key) => !Object.hasOwn(shape, key))
    .map((key) => [key, `"${key}" has no meaning for kind ${one.kind}; remove it`] as const);
  return strictMap(shape, { hint: credentialHint, synonyms: secretWords, refused: new Map(refused) });
}

const [first, ...others] = credentialKinds.map(schemaOf);
assert(first !== undefined);
/** A credential of the configuration, by its kind. */
export const credentialSchema = z.discriminatedUnion('kind', [first, ...others], {
  error: ({ code }) =>
    code === 'invalid_union' ? `write one of the kinds ${kindNames.join(', ')}` : credentialHint,
  // Each kind has the keys of CredentialDocument, or refuses them.
}) as z.ZodType<CredentialDocument>;

function kindOf(name: string): CredentialKind {
  const found = credentialKinds.find(({ kind }) => kind === name);
  if (found === undefined) throw new ProxyError('config_invalid', `there is no kind of credentials ${name}`);
  return found;
}

/** From the document of `credentialSchema`. */
export function credentialSettings(document: CredentialDocument, absolute: Absolute): CredentialConfig {
  const { kind, source, placeholder, scrub, strip, ...own } = document;
  const settings = {
    kind,
    ...kindOf(kind).settings(own, absolute),
    ...(source === undefined ? {} : { source: sourceSettings(source, absolute) }),
    ...(placeholder === undefined ? {} : { placeholder }),
    ...(scrub === undefined ? {} : { scrub }),
    ...(strip === undefined ? {} : { strip }),
  };
  // The kind's own settings are beside its name, and the common ones.
  return settings as CredentialConfig;
}

/** @throws ProxyError config_invalid if a source cannot be opened */
export function openCredential(
  name: string,
  config: CredentialConfig,
  context: CredentialContext,
): Credential {
  return kindOf(config.kind).open(name, config, context);
}

/** Where it goes, for people. */
export function whereOf(config: CredentialConfig): string {
  const { summary, where } = kindOf(config.kind);
  return where?.(config) ?? `${summary.charAt(0).toLowerCase()}${summary.slice(1).replace(/\.$/, '')}`;
}

/** What of the client's own goes with it, where `strip` says nothing. */
export function foreignDefaults({ kind }: CredentialConfig): CredentialKind['foreign'] {
  return kindOf(kind).foreign;
}

/** Whether it signs what the client signed. */
export function signsRequests({ kind }: CredentialConfig): boolean {
  return kindOf(kind).signs === true;
}

/** With what it logs in to what is no HTTP, where it is put on no request. */
export function logsInWith({ kind }: CredentialConfig): 'password' | 'key' | undefined {
  return kindOf(kind).logsIn;
}

/** Whether commits and tags are signed with it, and nothing else. */
export function signsObjects({ kind }: CredentialConfig): boolean {
  return kindOf(kind).signsObjects === true;
}

/** What clients of the agent of SSH may have signed with it; undefined: it is of another kind. */
export function agentUseOf(config: CredentialConfig): 'log-in' | 'hashes' | undefined {
  return config.kind === 'agent-key' ? config.use : undefined;
}

/** The environment variables that the workload gets for it; none if it sees nothing. */
export function placeholderVariables(
  name: string,
  { kind, placeholder }: Pick<CredentialDocument, 'kind' | 'placeholder'>,
): Readonly<Record<string, string>> {
  if (placeholder === undefined) return {};
  const value = placeholderText(name, placeholder);
  const variables = kindOf(kind).placeholder.variables(placeholder.env);
  return Object.fromEntries(variables.map((variable) => [variable, value]));
}
