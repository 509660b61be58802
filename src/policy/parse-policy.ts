// Policy files to a policy that can decide, or to everything that is wrong with them.

import { defaultLimits } from '../protocol/limits.ts';
import { Catalog, discoverProblem, type PlacedRule, toolsOfEntries } from './catalog/expand-rules.ts';
import type { ClaimSelector } from './claim-selector.ts';
import { checkConditions } from './check-conditions.ts';
import { checkCounted } from './check-llm.ts';
import { checkAdvisories, checkPackages, checkProvenance } from './check-packages.ts';
import { checkRules } from './check-rules.ts';
import { checkBudgets } from './rule-budget.ts';
import { checkSessions, type SessionProblem } from './check-sessions.ts';
import { CompiledPolicy, type PolicyFile } from './compiled-policy.ts';
import { compileRule } from './compile-rule.ts';
import { conditionCompiler } from './condition.ts';
import { autoLoses, autoWarning, mayPass } from './auto-passage.ts';
import { parseHostPattern } from './host-pattern.ts';
import { type PolicyDocument, policySchema } from './policy-schema.ts';
import { type PolicyProblem, sortProblems } from './problem.ts';
import { shortHash } from './short-hash.ts';
import type { Rule } from './rule.ts';
import { type Locate, readYaml, type YamlPath, type YamlSource } from './yaml-source.ts';

export type { PolicyProblem } from './problem.ts';

/** Names of the gateway's configuration, which rules are checked by. */
export interface KnownNames {
  /** Of the credentials that can be injected. Absent: they are not checked. */
  readonly credentials?: Iterable<string>;
  /** Of those that go wherever the workload writes a placeholder. */
  readonly placeholders?: Iterable<string>;
  /** Of those that sign what they are put on. */
  readonly signing?: Iterable<string>;
  /** Of those that log in to what is no HTTP. */
  readonly logins?: Iterable<string>;
  /** The same, with a key of SSH. */
  readonly sshKeys?: Iterable<string>;
  /** Of those that sign commits and tags. */
  readonly signingKeys?: Iterable<string>;
  /** Of those of the agent of SSH: for log-ins, and for hashes. */
  readonly logInKeys?: Iterable<string>;
  readonly hashKeys?: Iterable<string>;
  /** Of the trust that rules can pin. Absent: they are not checked. */
  readonly trust?: Iterable<string>;
  /** Of the exits. Absent: they are not checked. */
  readonly exits?: Iterable<string>;
  /** Of the deciders that rules can ask. Absent: they are not checked. */
  readonly deciders?: Iterable<string>;
  /** Of those of them that can be asked about requests alone. */
  readonly requestDeciders?: Iterable<string>;
  /** The index of advisories, if there is one. Absent: it is not checked. */
  readonly advisories?: Iterable<string>;
  /** The root of trust that attestations are verified by, if there is one. Absent: it is not checked. */
  readonly provenance?: Iterable<string>;
  /** Issuers of which every token for the gateway starts a session. Absent: who may have a session is not looked at. */
  readonly issuers?: Iterable<string>;
}

/** What the reader cannot know by itself. */
export interface ParsePolicyOptions extends KnownNames {
  /** Hosts of the tools that groups name under `discover`, or why there are none. Absent: `discover` is an error. */
  readonly discovered?: ReadonlyMap<string, readonly string[] | string>;
  /** It is a policy by which a session is narrowed: with what is given is not its to say. */
  readonly isNarrowing?: boolean;
  /** Overrides the version, which is a short hash of the texts. */
  readonly version?: string;
}

export type ParsePolicyResult =
  | { readonly policy: CompiledPolicy; readonly warnings: readonly PolicyProblem[] }
  | { readonly problems: readonly PolicyProblem[] };

/** The names alone, as data that can be given to another thread. */
export function plainNames(given: KnownNames): KnownNames {
  const { credentials, placeholders, signing, logins, trust, exits, deciders, requestDeciders } = given;
  const { advisories, provenance, issuers, sshKeys, signingKeys, logInKeys, hashKeys } = given;
  const ofGateway = { trust, exits, deciders, requestDeciders, advisories, provenance, issuers };
  const keys = { sshKeys, signingKeys, logInKeys, hashKeys };
  const all = { credentials, placeholders, signing, logins, ...keys, ...ofGateway };
  const names = Object.entries(all);
  return Object.fromEntries(names.flatMap(([key, list]) => (list === undefined ? [] : [[key, [...list]]])));
}

interface ReadFile {
  readonly file: string;
  readonly document: PolicyDocument;
  readonly locate: Locate;
}

/** A file with its rules, those of entries of the catalogue in their places. */
interface RuledFile extends ReadFile {
  readonly rules: readonly PlacedRule[];
}

/** Reads the files in their order as one policy. Never throws on bad input: all problems are returned, with places. */
export function parsePolicy(
  sources: readonly YamlSource[],
  options: ParsePolicyOptions = {},
): ParsePolicyResult {
  const problems: PolicyProblem[] = [];
  const files: ReadFile[] = [];
  for (const source of sources) {
    const result = readYaml(source, policySchema, { showText: true });
    if ('problems' in result) problems.push(...result.problems);
    else files.push({ file: source.file, document: result.value, locate: result.locate });
  }
  const reportTo =
    ({ file, locate }: ReadFile) =>
    (
      path: YamlPath,
      message: string,
      severity: 'error' | 'warning' = 'error',
      on: 'key' | 'value' = 'value',
    ) => {
      problems.push({ file, ...locate(path, on), message, severity });
    };
  const groups = collectGroups(files, options, reportTo);
  const catalog = new Catalog(options.discovered);
  for (const file of files) catalog.add(file.document, reportTo(file));
  const ruled = files.map((file) => ({ ...file, rules: catalog.expand(file.document, reportTo(file)) }));
  const tooLarge = sizeProblem(ruled, groups);
  const [firstFile] = files;
  if (tooLarge !== undefined && firstFile !== undefined) {
    reportTo(firstFile)([], tooLarge);
    return { problems };
  }
  const { rules, places } = compileFiles(ruled, groups, options, reportTo);
  if (!problems.some(({ severity }) => severity === 'error')) {
    for (const { index, key, message } of [...checkRules(rules), ...checkCounted(rules)]) {
      const place = places[index];
      if (place !== undefined)
        reportTo(place.file)(key === undefined ? place.path : [...place.path, key], message);
    }
    const policyFiles = files.flatMap(policyFile);
    for (const problem of [
      ...checkBudgets(rules),
      ...checkConditions(rules),
      ...checkPackages(rules),
      ...checkAdvisories(rules, options.advisories),
      ...checkProvenance(rules, options.provenance),
      ...checkSessions(rules, policyFiles, [...(options.issuers ?? [])]),
    ])
      warnOnce(problem, { files, places, reportTo });
  }
  const sorted = sortProblems(problems);
  if (sorted.some(({ severity }) => severity === 'error')) return { problems: sorted };
  const version = options.version ?? shortHash(sources.flatMap(({ file, text }) => [file, text]));
  const policy = new CompiledPolicy({ version, rules, files: files.flatMap(policyFile) });
  return { policy, warnings: sorted };
}

/** Once for each file: a list of the same words for hundreds of rules would hide the others. */
function warnOnce(
  problem: SessionProblem,
  {
    files,
    places,
    reportTo,
  }: {
    readonly files: readonly ReadFile[];
    readonly places: readonly RulePlace[];
    readonly reportTo: ReportTo;
  },
): void {
  if ('file' in problem) {
    const file = files.find((one) => one.file === problem.file);
    if (file !== undefined) reportTo(file)([], problem.message, 'warning');
    return;
  }
  const found = Map.groupBy(problem.indexes, (index) => places[index]?.file);
  for (const [file, [first = 0, ...more]] of found) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more in this file)`;
    if (file !== undefined)
      reportTo(file)(places[first]?.path ?? [], `${problem.message}${others}`, 'warning');
  }
}

function sizeProblem(
  files: readonly RuledFile[],
  groups: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  const { policyRulesMax, policyHostsMax } = defaultLimits;
  const rules = files.flatMap((file) => file.rules.map(({ document }) => document));
  if (rules.length > policyRulesMax)
    return `the policy has ${rules.length} rules; at most ${policyRulesMax} are allowed`;
  let hosts = 0;
  for (const rule of rules) {
    hosts += asList(rule.hosts).length;
    for (const name of asList(rule.include)) hosts += groups.get(name)?.length ?? 0;
  }
  if (hosts <= policyHostsMax) return undefined;
  return `the rules have ${hosts} hosts, those of a group counted in each rule that includes it; at most ${policyHostsMax} are allowed`;
}

const asList = (value: string | readonly string[] | undefined): readonly string[] =>
  typeof value === 'string' ? [value] : (value ?? []);

type ReportTo = (
  file: ReadFile,
) => (path: YamlPath, message: string, severity?: 'error' | 'warning', on?: 'key' | 'value') => void;

function selectorsOf(document: PolicyDocument): readonly ClaimSelector[] {
  return document.for === undefined ? [] : [document.for];
}

/** A file that only defines groups has no say in what becomes of the rest. */
function policyFile({ file, document }: ReadFile): PolicyFile[] {
  if (document.rules === undefined && document.mode === undefined) return [];
  return [{ file, selectors: selectorsOf(document), mode: document.mode ?? 'enforce' }];
}

/** Groups are known in all files, whatever their order. */
function collectGroups(
  files: readonly ReadFile[],
  options: ParsePolicyOptions,
  reportTo: ReportTo,
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>();
  for (const file of files) {
    const report = reportTo(file);
    for (const [name, group] of Object.entries(file.document.groups ?? {})) {
      const path = ['groups', name];
      if (groups.has(name)) {
        report(
          path,
          `the group ${JSON.stringify(name)} is defined in another file already; rename one`,
          'error',
          'key',
        );
      }
      const hosts = asList(group.hosts);
      // Full checks happen where a rule includes the group; this finds typing errors in groups that none includes.
      for (const [i, host] of hosts.entries()) {
        const pattern = parseHostPattern(host, 'deny');
        if (typeof pattern === 'string') report([...path, 'hosts', i], pattern);
      }
      const found: string[] = [];
      for (const tool of asList(group.discover)) {
        const discovered = options.discovered?.get(tool);
        if (discovered === undefined || typeof discovered === 'string')
          report([...path, 'discover'], discoverProblem(tool, discovered));
        else found.push(...discovered);
      }
      if (group.hosts === undefined && group.discover === undefined) {
        report(
          path,
          `the group ${JSON.stringify(name)} has no hosts; write hosts: [registry.example.com]`,
          'error',
          'key',
        );
      }
      groups.set(
        name,
        [...new Set([...hosts, ...found])].filter(
          (host) => typeof parseHostPattern(host, 'deny') !== 'string',
        ),
      );
    }
  }
  return groups;
}

/** The tools that groups and entries of these files name under `discover`; files that cannot be read have none. */
export function discoveredTools(sources: readonly YamlSource[]): ReadonlySet<string> {
  const tools = sources.flatMap((source) => {
    // Most policies name none, and reading takes its time.
    if (!/discover|catalog/.test(source.text)) return [];
    const result = readYaml(source, policySchema, { showText: true });
    if ('problems' in result) return [];
    const groups = Object.values(result.value.groups ?? {}).flatMap(({ discover = [] }) => discover);
    return [...groups, ...toolsOfEntries(result.value)];
  });
  return new Set(tools);
}

interface RulePlace {
  readonly file: ReadFile;
  readonly path: YamlPath;
}

function compileFiles(
  files: readonly RuledFile[],
  groups: ReadonlyMap<string, readonly string[]>,
  options: ParsePolicyOptions,
  reportTo: ReportTo,
): { readonly rules: readonly Rule[]; readonly places: readonly RulePlace[] } {
  const rules: Rule[] = [];
  const places: RulePlace[] = [];
  const credentials = options.credentials === undefined ? undefined : new Set(options.credentials);
  const trust = options.trust === undefined ? undefined : new Set(options.trust);
  const exits = options.exits === undefined ? undefined : new Set(options.exits);
  const deciders = options.deciders === undefined ? undefined : new Set(options.deciders);
  const placeholders = new Set(options.placeholders);
  const requestDeciders = new Set(options.requestDeciders);
  const signing = new Set(options.signing);
  const logins = new Set(options.logins);
  const sshKeys = new Set(options.sshKeys);
  const signingKeys = new Set(options.signingKeys);
  const agentKeys = { logIn: new Set(options.logInKeys), hashes: new Set(options.hashKeys) };
  const compileCondition = conditionCompiler();
  for (const file of files) {
    const report = reportTo(file);
    const { document, locate } = file;
    const first = rules.length;
    for (const { document: rule, path } of file.rules) {
      const compiled = compileRule(rule, {
        order: rules.length,
        place: `${file.file}:${locate(path).line}`,
        fileMode: document.mode ?? 'enforce',
        fileSelectors: selectorsOf(document),
        fileRequire: asList(document.require),
        fileRequestFields: document.requestFields,
        fileTls: document.tls,
        fileLeaks: document.leaks,
        groups,
        credentials,
        placeholders,
        signing,
        logins,
        sshKeys,
        signingKeys,
        agentKeys,
        isNarrowing: options.isNarrowing === true,
        trust,
        exits,
        deciders,
        requestDeciders,
        compileCondition,
        report: (below, message, severity) => report([...path, ...below], message, severity),
      });
      rules.push(compiled);
      const warning = rule.tls === 'auto' ? autoWarning(compiled) : undefined;
      if (warning !== undefined) report([...path, 'tls'], warning, 'warning');
      places.push({ file, path });
    }
    if (document.tls === 'auto' && rules.slice(first).some(mayPass)) report(['tls'], autoLoses, 'warning');
  }
  return { rules, places };
}
