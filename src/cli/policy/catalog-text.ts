// An entry of the catalogue for a person, and its rules for a policy file.

import { stringify } from 'yaml';
import { expandEntry } from '../../policy/catalog/expand-entry.ts';
import type { FoundEntry } from '../../policy/catalog/find-entries.ts';
import { type CatalogAccess, catalogAccess } from '../../policy/catalog/use-schema.ts';
import type { CatalogEntry, RuleDocument } from '../../policy/policy-schema.ts';
import { asList } from '../../policy/schema-parts.ts';
import { harmlessText } from '../terminal/text-table.ts';

type Part = CatalogEntry['parts'][number];
type EntryCredential = NonNullable<CatalogEntry['credentials']>[string];

const accessTitles = {
  read: 'Read',
  write: 'Write',
  reveals: 'Brings secrets with its response: denied unless a rule names "reveals"',
} as const;

export function entryText(found: FoundEntry): string {
  const { name, entry, file } = found;
  const blocks = [
    [
      `${entry.title} (catalog/${name}, version ${entry.version}, looked at on ${entry.checked}${file === undefined ? '' : `, of ${file}`})`,
    ],
    entry.tenant === undefined ? [] : [`Tenant: ${entry.tenant}`],
    ...catalogAccess.map((access) => partLines(entry, access)),
    (entry.traps ?? []).length === 0 ? [] : ['Mind:', ...(entry.traps ?? []).map((trap) => `  - ${trap}`)],
    ['Sources:', ...entry.sources.map((source) => `  ${source}`)],
    ['A rule:', ...indented(stringify([ruleOf(found)]))],
    ...credentialLines(name, entry),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(harmlessText).join('\n'))
    .join('\n\n')}\n`;
}

/** The rules that it stands for with read alone, and what it would deny. */
export function entryRules({ name, entry }: FoundEntry): string {
  const rule = ruleOf({ name, entry, file: undefined });
  const rules = expandEntry(rule, name, entry, () => undefined).map(copied);
  return `# ${entry.title}: catalog/${name}, version ${entry.version}, with access read.\n${stringify({ version: 1, rules })}`;
}

/** Names that are written have no slash. */
const copied = ({ name, ...rule }: RuleDocument): RuleDocument => ({ name: name.replace('/', '-'), ...rule });

function partLines(entry: CatalogEntry, access: CatalogAccess): readonly string[] {
  const parts = entry.parts.filter((part) => part.access === access);
  return parts.length === 0 ? [] : [`${accessTitles[access]}:`, ...parts.map(partLine)];
}

const indented = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`);

function partLine(part: Part): string {
  const { git, llm, packages, graphql, mcp } = part;
  const what = [
    ...asList(part.methods),
    ...asList(part.hosts),
    ...asList(part.paths),
    ...Object.entries({ git, llm, packages, graphql, mcp }).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} ${JSON.stringify(value)}`],
    ),
  ];
  const more = [
    ...(part.credential === undefined ? [] : [`credential ${part.credential}`]),
    ...(part.why === undefined ? [] : [part.why]),
  ];
  return `  ${part.name}: ${what.join(' ')}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
}

function ruleOf({ name, entry }: FoundEntry): Parameters<typeof expandEntry>[0] {
  const forms = Object.keys(entry.credentials ?? {});
  const access = entry.parts.some((part) => part.access === 'read') ? 'read' : 'write';
  const [only = ''] = forms;
  return {
    name,
    include: `catalog/${name}`,
    catalog: {
      access,
      ...(entry.tenant === undefined ? {} : { tenant: 'acme' }),
      ...(forms.length > 1
        ? { inject: Object.fromEntries(forms.map((form) => [form, `${name}-${form}`])) }
        : {}),
    },
    ...(entry.parts.some((part) => part.git !== undefined) ? { git: { repository: 'acme/app' } } : {}),
    ...(forms.length === 1 ? { inject: `${name}-${only}` } : {}),
  };
}

function credentialLines(name: string, entry: CatalogEntry): readonly (readonly string[])[] {
  const credentials = Object.entries(entry.credentials ?? {});
  if (credentials.length === 0) return [];
  const made = Object.fromEntries(
    credentials.map(([form, credential]) => [`${name}-${form}`, written(`${name}-${form}`, credential)]),
  );
  const scopes = credentials.flatMap(([form, { scopes = [] }]) =>
    scopes.map((scope) => `  ${name}-${form}: ${scope}`),
  );
  return [
    ['Its credentials in the configuration of the gateway:', ...indented(stringify({ credentials: made }))],
    scopes.length === 0 ? [] : ['The least to ask for:', ...scopes],
  ];
}

/** As the gateway's configuration has it. */
function written(name: string, credential: EntryCredential): object {
  const { variables, form: value, scopes: _scopes, ...kind } = credential;
  const [env] = asList(variables);
  const placeholder = env === undefined ? undefined : { env, ...(value === undefined ? {} : { value }) };
  const source = { file: `/run/secrets/${name}` };
  return { ...kind, source, ...(placeholder === undefined ? {} : { placeholder }) };
}
