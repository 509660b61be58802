// Turns what was seen into a policy that allows just that: hosts, ports, methods, paths as templates, and what git did.

import { stringify } from 'yaml';

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Destination } from '../../http/destination.ts';
import { entriesOfHosts } from '../../policy/catalog/find-entries.ts';
import { parseNetwork, refusedNetwork } from '../../policy/network.ts';
import { GitSeen, type ProposedGit } from './git-proposal.ts';
import { DeniedPaths } from './denied-paths.ts';
import { RefusedRaw } from './refused-raw.ts';
import { recordedDecision, type RecordedDecision } from '../../gateway/policies/recorded-decision.ts';
import { SeenDatabases } from './seen-databases.ts';
import { type PathRule, SeenPaths } from './seen-paths.ts';
import { SeenMysql } from './seen-mysql.ts';
import { SeenRedis } from './seen-redis.ts';

/** What is seen of one destination with the same credentials. */
interface Seen {
  readonly destination: Destination;
  readonly handling: 'intercept' | 'passthrough' | 'raw';
  readonly injected: readonly string[];
  readonly networks: Set<string>;
  readonly paths: SeenPaths;
  readonly git: GitSeen;
  readonly databases: SeenDatabases;
  readonly mysql: SeenMysql;
  readonly redis: SeenRedis;
  count: number;
}

/** About requests, unless it says something of git. */
interface ProposedRule extends PathRule {
  readonly git?: ProposedGit;
}

/**
 * A policy in YAML: for each destination that one rule served a set of methods, with the paths as templates; most used
 * first. Denied and failed exchanges are left out, and no template admits what was denied. The text is deterministic, whatever the
 * order of the events. What is kept of them does not grow with their number.
 */
export class PolicyProposal {
  readonly #seen = new Map<string, Seen>();
  readonly #denied = new DeniedPaths();
  readonly #refusedRaw = new RefusedRaw();
  #partial = 0;

  note(event: AuditEvent): void {
    const recorded = recordedDecision(event);
    if (recorded === undefined || typeof recorded === 'string') return;
    if (recorded.partial !== undefined && recorded.effect === 'allow') {
      this.#partial += 1;
      return;
    }
    if (recorded.partial === undefined && this.#refusedRaw.note(recorded)) return;
    if (recorded.effect === 'allow') note(this.#seen, recorded);
    else if (recorded.effect === 'deny') this.#denied.note(recorded);
  }

  text(): string {
    return proposalText([...this.#seen.values()], this.#denied, this.#refusedRaw, this.#partial);
  }
}

function proposalText(
  seen: readonly Seen[],
  denied: DeniedPaths,
  refusedRaw: RefusedRaw,
  partial: number,
): string {
  const entries = seen.toSorted(
    (a, b) => b.count - a.count || compareText(destinationText(a), destinationText(b)),
  );
  const untold = partial === 0 ? '' : partialNote(partial);
  if (entries.length === 0 && refusedRaw.size === 0)
    return `# Nothing was contacted, so nothing is allowed.\n${untold}rules: []\n`;
  const names = new Set<string>();
  const hosts = new Set(entries.map(({ destination }) => destination.host));
  const lines = [
    '# Allows what was contacted; everything else is denied.\n',
    untold + knownNote(hosts),
    'rules:\n',
  ];
  for (const entry of entries) {
    for (const rule of rulesOf(entry, denied)) lines.push(ruleText(entry, rule, names));
  }
  // Marks alone make no list.
  // What stands behind marks is no list yet.
  if (entries.length === 0 && !refusedRaw.hasObserved)
    lines[2] = 'rules: [] # take these brackets away with the first mark\n';
  return [...lines, ...refusedRaw.lines(names)].join('');
}

/** Services whose rules nobody has to write. */
function knownNote(hosts: ReadonlySet<string>): string {
  return entriesOfHosts(hosts)
    .map(
      ({ name, known }) =>
        `# catalog/${name} has rules for ${known.join(', ')}: upstreamproxy catalog show ${name}\n`,
    )
    .join('');
}

function partialNote(count: number): string {
  const what = count === 1 ? '1 request is' : `${count} requests are`;
  return `# ${what} left out: an event has only the beginning of what was judged, so it can't be told what would allow them.\n`;
}

function note(seen: Map<string, Seen>, { access, event, injected }: RecordedDecision): void {
  const { destination } = access;
  // A request to cancel, or a session that did not begin, shows no rule.
  if (event.protocol === 'postgres' && !SeenDatabases.has(event)) return;
  if (event.protocol === 'mysql' && !SeenMysql.has(event)) return;
  if (event.protocol === 'redis' && !SeenRedis.has(event)) return;
  // Which keys a server has is for a person to find out.
  if (event.protocol === 'ssh') return;
  const handling =
    access.depth === 'request' ? 'intercept' : destination.scheme === 'tcp' ? 'raw' : 'passthrough';
  const key = JSON.stringify([destination, handling, injected]);
  const entry = seen.get(key) ?? {
    destination,
    handling,
    injected,
    networks: new Set<string>(),
    paths: new SeenPaths(),
    git: new GitSeen(),
    databases: new SeenDatabases(),
    mysql: new SeenMysql(),
    redis: new SeenRedis(),
    count: 0,
  };
  seen.set(key, entry);
  entry.count += 1;
  entry.databases.note(event);
  entry.mysql.note(event);
  entry.redis.note(event);
  const network = privateNetwork(event.address);
  if (network !== undefined) entry.networks.add(network);
  if (access.depth === 'request' && !entry.git.note(access)) entry.paths.note(access.method, access.path);
}

/** The network that a rule must name for the address guard to let its address through. */
function privateNetwork(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const network = parseNetwork(address);
  return typeof network === 'string' || refusedNetwork(network) !== undefined ? undefined : network.text;
}

/** One rule for each thing that git did, and one for each set of methods that some template was used with. */
function rulesOf(
  { handling, destination, git, paths, count: total }: Seen,
  denied: DeniedPaths,
): readonly ProposedRule[] {
  if (handling !== 'intercept') return [{ methods: [], paths: undefined, count: total }];
  for (const { method, path, count } of git.listingsAlone()) paths.note(method, path, count);
  const rules = paths.rules((method, pattern) => denied.contradicts(destination, method, pattern));
  const gitRules = git.rules().map((one) => ({ git: one, methods: [], paths: undefined, count: one.count }));
  return [...gitRules, ...rules].toSorted(
    (a, b) => b.count - a.count || compareText(a.methods.join(), b.methods.join()),
  );
}

const standardPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

function ruleText(entry: Seen, { git, methods, paths, count }: ProposedRule, names: Set<string>): string {
  const { destination, handling, injected, networks, databases, mysql, redis } = entry;
  const { scheme, host, port } = destination;
  const what = handling === 'intercept' ? 'request' : 'connection';
  const lines = [
    `  # ${count} ${what}${count === 1 ? '' : 's'}`,
    `  - name: ${nameFor(destination, names)}`,
    `    hosts: ${scalar(host)}`,
  ];
  const ofProtocol = [...databases.lines(scalar), ...mysql.lines(scalar), ...redis.lines(scalar)];
  if (ofProtocol.length > 0) lines.push(...ofProtocol);
  else if (handling === 'raw') lines.push('    scheme: tcp');
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
