// A rule with "include: catalog/NAME" to the rules that the entry of the service stands for.

import type { CatalogEntry, RuleDocument } from '../policy-schema.ts';
import { countsOverSession } from '../rule-budget.ts';
import { asList } from '../schema-parts.ts';
import type { Report } from '../yaml-source.ts';
import type { partKeys } from './entry-schema.ts';
import type { CatalogAccess } from './use-schema.ts';

const catalogPrefix = 'catalog/';

type Part = CatalogEntry['parts'][number];

/** Which requests a rule is about: with an entry, the entry says it. */
const refusedKeys = [
  'hosts',
  'dangerouslyAllowWideHosts',
  'scheme',
  'protocol',
  'ports',
  'methods',
  'paths',
  'mcp',
  'graphql',
  'deny',
] as const satisfies readonly (keyof RuleDocument)[];

/** What a rule that denies shares with those that allow: whom it is for, and when. */
const sharedKeys = [
  'description',
  'for',
  'require',
  'expires',
  'mode',
] as const satisfies readonly (keyof RuleDocument)[];

/** Of `git`, what has a meaning for pushes alone. */
const pushKeys = ['refs', 'changes', 'options'] as const;

/** The name of the entry that the rule uses; undefined for a rule that uses none. */
export function entryNameOf({ include }: RuleDocument): string | undefined {
  return asList(include)
    .find((name) => name.startsWith(catalogPrefix))
    ?.slice(catalogPrefix.length);
}

/** The rules of the entry, in its order. Problems go to `report`; the rules are of use only if there was none. */
export function expandEntry(
  rule: RuleDocument,
  entryName: string,
  entry: CatalogEntry,
  report: Report,
): readonly RuleDocument[] {
  const use = rule.catalog ?? {};
  const access: ReadonlySet<CatalogAccess> = new Set(
    use.access === undefined ? ['read'] : asList(use.access),
  );
  if (asList(rule.include).length > 1)
    report(['include'], `catalog/${entryName} stands alone in a rule; write a rule of its own for it`);
  for (const key of refusedKeys)
    if (rule[key] !== undefined)
      report(
        [key],
        `catalog/${entryName} says which requests the rule is about; remove "${key}", or write a rule of your own beside it`,
      );
  checkNarrowing(rule, entryName, report);
  checkTenant(entryName, entry, use.tenant, report);
  const credentials = credentialsOf(rule, entryName, entry, report);
  const wanted = entry.parts.filter((part) => access.has(part.access) || part.access === 'reveals');
  const isGitLeftOut = rule.git?.repository === undefined && wanted.some(needsRepository);
  if (isGitLeftOut)
    report(
      ['include'],
      `catalog/${entryName} lets git through for the repositories that the rule names; write git: { repository: acme/app }`,
      'warning',
    );
  const parts = isGitLeftOut ? wanted.filter((part) => !needsRepository(part)) : wanted;
  if (!parts.some((part) => access.has(part.access)))
    report(['catalog', 'access'], `catalog/${entryName} has nothing for ${[...access].join(', ')}`);
  return parts.map((part) => {
    const shown = withTenant(part, use.tenant);
    return access.has(part.access)
      ? allowingRule(rule, shown, credentials.get(part.credential ?? ''))
      : denyingRule(rule, shown, `${entry.title}: ${part.why ?? 'its response can bring secrets with it'}`);
  });
}

/** Which repositories a rule means, an entry can't know. */
const needsRepository = ({ git, access }: Part): boolean =>
  git !== undefined && git.repository === undefined && access !== 'reveals';

/** What only says less is the rule's; what the entry says is the entry's. */
function checkNarrowing({ git, llm, packages }: RuleDocument, name: string, report: Report): void {
  const said: readonly (readonly [string, string, unknown])[] = [
    ['git', 'operations', git?.operations],
    ['llm', 'api', llm?.api],
    ['packages', 'registry', packages?.registry],
    ['packages', 'index', packages?.index],
    ['packages', 'publish', packages?.publish],
  ];
  for (const [key, member, value] of said)
    // Of both keys the schema wants the one that says what they are about.
    if (value !== undefined && !isNeeded(member))
      report(
        [key, member],
        `catalog/${name} says "${member}" already, or lets nothing of it through; remove it, or write a rule of your own`,
      );
}

const isNeeded = (member: string): boolean => member === 'api' || member === 'registry';

function checkTenant(name: string, entry: CatalogEntry, tenant: string | undefined, report: Report): void {
  if (entry.tenant !== undefined && tenant === undefined)
    report(
      ['catalog'],
      `catalog/${name} needs your part of the service; write catalog: { tenant: … } (${entry.tenant})`,
    );
  if (entry.tenant === undefined && tenant !== undefined)
    report(
      ['catalog', 'tenant'],
      `catalog/${name} has no tenants: its hosts are the same for everybody; remove "tenant"`,
    );
}

/** The credential of the configuration by the form of the entry. */
function credentialsOf(
  { inject, catalog = {} }: RuleDocument,
  name: string,
  { credentials = {} }: CatalogEntry,
  report: Report,
): ReadonlyMap<string, string> {
  const forms = Object.keys(credentials);
  const known = forms.length === 0 ? 'it has none' : `its forms are ${forms.join(', ')}`;
  const given = Object.entries(catalog.inject ?? {});
  for (const [form] of given)
    if (!Object.hasOwn(credentials, form))
      report(['catalog', 'inject', form], `catalog/${name} has no form "${form}" of a credential; ${known}`);
  if (inject === undefined) return new Map(given);
  const [only] = forms;
  const [credential, ...more] = asList(inject);
  if (
    given.length === 0 &&
    forms.length === 1 &&
    only !== undefined &&
    credential !== undefined &&
    more.length === 0
  )
    return new Map([[only, credential]]);
  const form = forms.map((one) => `${one}: NAME`).join(', ');
  report(
    ['inject'],
    forms.length === 0
      ? `catalog/${name} puts no credential on; remove "inject"`
      : `catalog/${name} puts its credential on in these forms: ${forms.join(', ')}; write catalog: { inject: { ${form} } } instead`,
  );
  return new Map(given);
}

type PartKeys = keyof typeof partKeys;

/** The keys of a rule alone. */
function requestsOf({
  name: _name,
  access: _access,
  credential: _credential,
  why: _why,
  discover: _discover,
  ...requests
}: Part): Pick<RuleDocument, PartKeys> {
  return requests;
}

function allowingRule(rule: RuleDocument, part: Part, credential: string | undefined): RuleDocument {
  const {
    include: _include,
    catalog: _catalog,
    inject: _inject,
    git,
    llm,
    packages,
    when,
    requestFields,
    bodies,
    ...kept
  } = rule;
  const requests = requestsOf(part);
  return definedOf({
    ...kept,
    ...requests,
    name: `${rule.name}/${part.name}`,
    // What the rule says narrows what the part says, and never the other way round: the part's keys win.
    git: requests.git === undefined ? undefined : { ...gitFor(requests.git, git), ...requests.git },
    llm: requests.llm === undefined ? undefined : { ...llm, ...requests.llm },
    packages: requests.packages === undefined ? undefined : { ...packages, ...requests.packages },
    when: bothConditions(requests.when, when),
    requestFields: requestFields ?? requests.requestFields,
    bodies: bodies ?? requests.bodies,
    inject: credential,
    // As one rule, all of them together count.
    limits: countsOverSession(rule) ? { budget: rule.name, ...rule.limits } : rule.limits,
  });
}

function denyingRule(rule: RuleDocument, part: Part, reason: string): RuleDocument {
  const { requestFields: _requestFields, bodies: _bodies, when: own, ...requests } = requestsOf(part);
  return definedOf({
    ...Object.fromEntries(sharedKeys.map((key) => [key, rule[key]])),
    ...requests,
    paths: requests.paths === undefined ? undefined : withTrailingSlash(asList(requests.paths)),
    name: `${rule.name}/${part.name}`,
    when: bothConditions(own, rule.when),
    deny: reason,
  });
}

/** Many services respond to a path with a slash behind it as to the one without. */
const withTrailingSlash = (paths: readonly string[]): string[] => [
  ...new Set(paths.flatMap((path) => (/[*/]$/.test(path) ? [path] : [path, `${path}/`]))),
];

/** What a rule says of refs is about pushes, and a part that is for fetching alone has none. */
function gitFor(part: NonNullable<RuleDocument['git']>, git: RuleDocument['git']): RuleDocument['git'] {
  if (git === undefined || part.operations === undefined || asList(part.operations).includes('push'))
    return git;
  return Object.fromEntries(Object.entries(git).filter(([key]) => !pushKeys.some((one) => one === key)));
}

function bothConditions(part: string | undefined, rule: string | undefined): string | undefined {
  if (part === undefined || rule === undefined) return part ?? rule;
  return `(${part}) && (${rule})`;
}

/** A key without a value says something else than no key, for who counts keys. */
function definedOf(rule: RuleDocument): RuleDocument {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined)) as RuleDocument;
}

function withTenant(part: Part, tenant: string | undefined): Part {
  if (tenant === undefined) return part;
  const hosts = asList(part.hosts).map((host) => host.replaceAll('{tenant}', tenant));
  return { ...part, hosts };
}
