// Turns what was seen into a policy that allows just that: hosts, ports, methods, paths as templates, and what git did.

import { stringify } from 'yaml';

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Destination } from '../../http/destination.ts';
import type { RequestAccess } from '../../policy/decision.ts';
import { parseNetwork, refusedNetwork } from '../../policy/network.ts';
import { GitSeen, type ProposedGit } from './git-proposal.ts';
import { admits, literalPattern, mayAdmit, pathTemplate } from './path-template.ts';
import { RefusedRaw } from './refused-raw.ts';
import { recordedDecision, type RecordedDecision } from './recorded-decision.ts';

/** More templates than this on one host are no list that anybody reads. */
const patternsMax = 200;

/** What is seen of one destination with the same credentials. */
interface Seen {
  readonly destination: Destination;
  readonly handling: 'intercept' | 'passthrough' | 'raw';
  readonly injected: readonly string[];
  readonly networks: Set<string>;
  /** By path and method. */
  readonly requests: Map<string, { readonly path: string; readonly method: string; count: number }>;
  readonly git: GitSeen;
  count: number;
}

/** About requests, unless it says something of git. */
interface ProposedRule {
  readonly git?: ProposedGit;
  readonly methods: readonly string[];
  /** Templates with what was seen of each; undefined: any path. */
  readonly paths: ReadonlyMap<string, number> | undefined;
  readonly count: number;
}

/**
 * A policy in YAML: for each destination that one rule served a set of methods, with the paths as templates; most used
 * first. Denied and failed exchanges are left out, and no template admits what was denied. The text is deterministic.
 */
export function proposePolicy(events: Iterable<AuditEvent>): string {
  const seen = new Map<string, Seen>();
  const denied: RecordedDecision[] = [];
  const refusedRaw = new RefusedRaw();
  let partial = 0;
  for (const event of events) {
    const recorded = recordedDecision(event);
    if (recorded === undefined || typeof recorded === 'string') continue;
    if (recorded.partial !== undefined && recorded.effect === 'allow') {
      partial += 1;
      continue;
    }
    if (recorded.partial === undefined && refusedRaw.note(recorded)) continue;
    if (recorded.effect === 'allow') note(seen, recorded);
    else if (recorded.effect === 'deny') denied.push(recorded);
  }
  const entries = [...seen.values()].toSorted(
    (a, b) => b.count - a.count || compareText(destinationText(a), destinationText(b)),
  );
  const untold = partial === 0 ? '' : partialNote(partial);
  if (entries.length === 0 && refusedRaw.size === 0)
    return `# Nothing was contacted, so nothing is allowed.\n${untold}rules: []\n`;
  const names = new Set<string>();
  const lines = ['# Allows what was contacted; everything else is denied.\n', untold, 'rules:\n'];
  for (const entry of entries) {
    for (const rule of rulesOf(entry, denied)) lines.push(ruleText(entry, rule, names));
  }
  // Marks alone make no list.
  // What stands behind marks is no list yet.
  if (entries.length === 0 && !refusedRaw.hasObserved)
    lines[2] = 'rules: [] # take these brackets away with the first mark\n';
  return [...lines, ...refusedRaw.lines(names)].join('');
}

function partialNote(count: number): string {
  const what = count === 1 ? '1 request is' : `${count} requests are`;
  return `# ${what} left out: an event has only the beginning of what was judged, so it can't be told what would allow them.\n`;
}

function note(seen: Map<string, Seen>, { access, event, injected }: RecordedDecision): void {
  const { destination } = access;
  const handling =
    access.depth === 'request' ? 'intercept' : destination.scheme === 'tcp' ? 'raw' : 'passthrough';
  const key = JSON.stringify([destination, handling, injected]);
  const entry = seen.get(key) ?? {
    destination,
    handling,
    injected,
    networks: new Set<string>(),
    requests: new Map<string, { readonly path: string; readonly method: string; count: number }>(),
    git: new GitSeen(),
    count: 0,
  };
  seen.set(key, entry);
  entry.count += 1;
  const network = privateNetwork(event.address);
  if (network !== undefined) entry.networks.add(network);
  if (access.depth === 'request' && !entry.git.note(access)) noteRequest(entry, access);
}

function noteRequest({ requests }: Seen, { method, path }: RequestAccess): void {
  const request = requests.get(`${method} ${path}`) ?? { method, path, count: 0 };
  request.count += 1;
  requests.set(`${method} ${path}`, request);
}

/** The network that a rule must name for the address guard to let its address through. */
function privateNetwork(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const network = parseNetwork(address);
  return typeof network === 'string' || refusedNetwork(network) !== undefined ? undefined : network.text;
}

/** One rule for each thing that git did, and one for each set of methods that some template was used with. */
function rulesOf(entry: Seen, denied: readonly RecordedDecision[]): readonly ProposedRule[] {
  if (entry.handling !== 'intercept') return [{ methods: [], paths: undefined, count: entry.count }];
  for (const access of entry.git.listingsAlone()) noteRequest(entry, access);
  const templates = new Map<string | undefined, { methods: Set<string>; count: number }>();
  for (const { method, path, count } of entry.requests.values()) {
    const pattern = templateFor(entry.destination, method, path, denied);
    const template = templates.get(pattern) ?? { methods: new Set(), count: 0 };
    templates.set(pattern, template);
    template.methods.add(method);
    template.count += count;
  }
  const rules = new Map<
    string,
    { methods: readonly string[]; paths: Map<string, number> | undefined; count: number }
  >();
  for (const [pattern, { methods, count }] of templates) {
    const sorted = [...methods].toSorted();
    const isOpen = pattern === undefined || templates.size > patternsMax;
    const key = JSON.stringify([sorted, isOpen]);
    const rule = rules.get(key) ?? { methods: sorted, paths: isOpen ? undefined : new Map(), count: 0 };
    rules.set(key, rule);
    rule.count += count;
    if (pattern !== undefined) rule.paths?.set(pattern, count);
  }
  const gitRules = entry.git.rules().map((git) => ({ git, methods: [], paths: undefined, count: git.count }));
  return [...gitRules, ...rules.values()].toSorted(
    (a, b) => b.count - a.count || compareText(a.methods.join(), b.methods.join()),
  );
}

/** A template that admits nothing which was denied there, else the path itself. */
function templateFor(
  { scheme, host, port }: Destination,
  method: string,
  path: string,
  denied: readonly RecordedDecision[],
): string | undefined {
  const pattern = pathTemplate(path);
  if (pattern === undefined) return undefined;
  const contradicts = denied.some(
    ({ access, partial }) =>
      access.depth === 'request' &&
      access.method === method &&
      access.destination.host === host &&
      access.destination.port === port &&
      access.destination.scheme === scheme &&
      // Of a path that is not all there nobody can tell what admits it.
      (partial !== undefined || mayAdmit(pattern, access.path)),
  );
  const literal = literalPattern(path);
  return contradicts && admits(literal, path) ? literal : pattern;
}

const standardPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

function ruleText(entry: Seen, { git, methods, paths, count }: ProposedRule, names: Set<string>): string {
  const { destination, handling, injected, networks } = entry;
  const { scheme, host, port } = destination;
  const what = handling === 'intercept' ? 'request' : 'connection';
  const lines = [
    `  # ${count} ${what}${count === 1 ? '' : 's'}`,
    `  - name: ${nameFor(destination, names)}`,
    `    hosts: ${scalar(host)}`,
  ];
  if (handling === 'raw') lines.push('    scheme: tcp');
  else if (scheme === 'http') lines.push('    scheme: http');
  if (handling === 'passthrough') lines.push('    tls: passthrough');
  if (port !== standardPorts[scheme]) lines.push(`    ports: ${port}`);
  if (git !== undefined) lines.push(...gitLines(git));
  if (methods.length > 0) lines.push(`    methods: [${methods.map(scalar).join(', ')}]`);
  if (paths !== undefined) {
    lines.push('    paths:');
    const sorted = [...paths].toSorted(([a], [b]) => compareText(a, b));
    lines.push(...sorted.map(([pattern, seen]) => `      - ${scalar(pattern)} # ${seen}`));
  } else if (methods.length > 0) {
    lines.push('    # Any path: there were too many, or some that no pattern can say.');
  }
  if (injected.length > 0) lines.push(`    inject: [${injected.map(scalar).join(', ')}]`);
  if (networks.size > 0) lines.push(`    addresses: [${[...networks].toSorted().map(scalar).join(', ')}]`);
  return `${lines.join('\n')}\n`;
}

function gitLines({ repositories, operation, refs, changes, options }: ProposedGit): readonly string[] {
  const list = (values: readonly string[]): string => `[${values.map(scalar).join(', ')}]`;
  const lines = ['    git:', `      repository: ${list(repositories)}`, `      operations: ${operation}`];
  if (refs?.some((ref) => ref.includes('*')) === true)
    lines.push('      # A star stands for names that no pattern can say, or for many: it admits others too.');
  if (refs !== undefined) lines.push(`      refs: ${list(refs)}`);
  else if (operation === 'push') lines.push('      # What was pushed is not recorded.');
  if (changes !== undefined) lines.push(`      changes: ${list(changes)}`);
  if (options?.includes('*') === true)
    lines.push('      # Any option: there were some that no pattern can say, or too many.');
  if (options !== undefined) lines.push(`      options: ${list(options)}`);
  return lines;
}

function scalar(text: string): string {
  return stringify(text, {
    lineWidth: 0,
    defaultStringType: /^[\w./@-]+$/.test(text) ? 'PLAIN' : 'QUOTE_DOUBLE',
  }).trimEnd();
}

/** Unique, and of the characters and the length that names have. */
function nameFor({ scheme, host, port }: Destination, names: Set<string>): string {
  const parts = [
    host
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
      .slice(0, 48) || 'host',
  ];
  if (scheme !== 'https') parts.push(scheme);
  if (port !== standardPorts[scheme]) parts.push(String(port));
  const name = parts.join('-');
  let unique = name;
  for (let i = 2; names.has(unique); i++) unique = `${name}-${i}`;
  names.add(unique);
  return unique;
}

function destinationText({ destination, injected }: Seen): string {
  const { scheme, host, port } = destination;
  return `${host} ${scheme} ${port} ${injected.join()}`;
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
