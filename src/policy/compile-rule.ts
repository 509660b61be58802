// One rule of a file to a rule that can be matched, with everything that is wrong in it by itself.

import type { Report } from './yaml-source.ts';
import { parseByteSize } from './byte-size.ts';
import { checkCombination, isPassthrough } from './check-combination.ts';
import type { ClaimSelector } from './claim-selector.ts';
import { compileAsk } from './compile-ask.ts';
import { compileDecide } from './compile-decide.ts';
import { compileCapture } from './compile-capture.ts';
import { compileGit } from './compile-git.ts';
import { compileGraphql } from './compile-graphql.ts';
import { compileLeaks } from './compile-leaks.ts';
import { compileLlm } from './compile-llm.ts';
import { compileMcp } from './compile-mcp.ts';
import { compileWay } from './compile-way.ts';
import { compileProtocol, writtenPorts } from './compile-protocol.ts';
import { compilePackages } from './compile-packages.ts';
import type { CompileCondition } from './condition.ts';
import type { RuleLimits } from './decision.ts';
import { compileHosts, widthProblem } from './compile-hosts.ts';
import { compileLogIn } from './compile-log-in.ts';
import type { HostPattern } from './host-pattern.ts';
import { type Network, networkContains, parseAddress, parseNetwork, refusedNetwork } from './network.ts';
import { PathPattern } from './path-pattern.ts';
import { compileRequestFields } from './compile-request-fields.ts';
import type { PolicyDocument, RuleDocument } from './policy-schema.ts';
import { budgetOf } from './rule-budget.ts';
import { compileRewrite } from './compile-rewrite.ts';
import { compileScreen } from './compile-screen.ts';
import { type AgentKeyNames, compileSign } from './compile-sign.ts';
import { parseRuleTime } from './rule-times.ts';
import type { Rule, RuleScheme } from './rule.ts';

/** What the rule takes from its surroundings. */
export interface RuleContext {
  readonly order: number;
  /** `file:line` of the rule. */
  readonly place: string;
  readonly fileMode: 'enforce' | 'observe';
  readonly fileSelectors: readonly ClaimSelector[];
  /** Facts that the file demands of rules that inject. */
  readonly fileRequire: readonly string[];
  /** Names that the file adds to the tables of request fields. */
  readonly fileRequestFields: PolicyDocument['requestFields'];
  /** What its rules without "tls" do. */
  readonly fileTls: PolicyDocument['tls'];
  /** What its rules without "leaks" are searched for. */
  readonly fileLeaks: PolicyDocument['leaks'];
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Names of the known credentials; undefined if they are not known here. */
  readonly credentials: ReadonlySet<string> | undefined;
  /** Those that go wherever the workload writes a placeholder. */
  readonly placeholders: ReadonlySet<string>;
  /** Those that sign what they are put on. */
  readonly signing: ReadonlySet<string>;
  /** Those that log in to what is no HTTP. */
  readonly logins: ReadonlySet<string>;
  /** The same, with a key of SSH. */
  readonly sshKeys: ReadonlySet<string>;
  /** Those that sign commits and tags. */
  readonly signingKeys: ReadonlySet<string>;
  /** Those of the agent of SSH. */
  readonly agentKeys: AgentKeyNames;
  /** It is a policy by which a session is narrowed. */
  readonly isNarrowing: boolean;
  /** Names of the known trust; undefined if it is not known here. */
  readonly trust: ReadonlySet<string> | undefined;
  /** Names of the exits; undefined if they are not known here. */
  readonly exits: ReadonlySet<string> | undefined;
  /** Names of the known deciders; undefined if they are not known here. */
  readonly deciders: ReadonlySet<string> | undefined;
  /** Those that can be asked about requests alone. */
  readonly requestDeciders: ReadonlySet<string>;
  readonly compileCondition: CompileCondition;
  readonly report: Report;
}

type Effect = Rule['effect'];

const asList = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  // Array.isArray does not narrow a union with a readonly array; the runtime check is the proof.
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** Compiles one rule. Problems go to `context.report`; the result is of use only if none was an error. */
export function compileRule(document: RuleDocument, context: RuleContext): Rule {
  const effect: Effect = document.deny === undefined ? 'allow' : 'deny';
  const schemes = compileSchemes(document, effect, context.report);
  const handling =
    isAnyBytes(schemes) && effect === 'allow' ? 'raw' : isPassthrough(document) ? 'passthrough' : 'intercept';
  const hosts = compileHosts(document, effect, context);
  const addresses = compileNetworks(document, hosts, effect, context.report);
  checkCombination(document, effect, handling, context.report);
  checkInjection(document, schemes, hosts, context);
  checkPlaceholders(document, context);
  checkTrust(document, schemes, context);
  const inject = asList(document.inject);
  const denial =
    typeof document.deny === 'object'
      ? document.deny
      : { reason: typeof document.deny === 'string' ? document.deny : undefined, operator: undefined };
  return {
    order: context.order,
    reference: { name: document.name, place: context.place },
    effect,
    handling,
    end: compileProtocol(document, { ...context, effect }),
    opensAsNeeded: opensAsNeeded(document, { handling, effect, schemes }, context),
    mode: document.mode ?? context.fileMode,
    hasOwnMode: document.mode !== undefined,
    hosts,
    schemes,
    ports: writtenPorts(document, effect),
    methods: compileMethods(document, context.report),
    paths: compilePaths(document, context.report),
    git: compileGit(document, context.report),
    ...compileContents(document, effect, context),
    when: compileWhen(document, context),
    selectors: document.for === undefined ? context.fileSelectors : [...context.fileSelectors, document.for],
    require: requireOf(document, context),
    expiresMs: compileExpiry(document, context.report),
    inject,
    addresses: addresses.map(({ text }) => text),
    limits: compileLimits(document),
    budget: budgetOf(document, context.report),
    bodies: document.bodies ?? 'any',
    homeWrites: document.homeCredentials === 'write',
    logIn: compileLogIn(document, { schemes, hosts, report: context.report }),
    continuesTrace: document.trace === 'continue',
    capture: compileCapture(document, context.report),
    leaks: compileLeaks(document, { ...context, effect, handling }),
    ask: compileAsk(document),
    screen: compileScreen(document, { ...context, mode: document.mode ?? context.fileMode }),
    decide: compileDecide(document, { ...context, mode: document.mode ?? context.fileMode }),
    rewrite: compileRewrite(document, context.signing, context.report),
    refusesEch: typeof document.tls === 'object' && document.tls.ech === 'refuse',
    requestFields: compileRequestFields(document, context.fileRequestFields),
    trust: [...new Set(asList(document.trust))],
    ...compileWay(document, { ...context, effect, schemes }),
    scrub: document.scrub,
    reason: denial.reason,
    operatorReason: denial.operator,
  };
}

/** What the file asks for is for rules that give something. */
function requireOf(
  { require, inject, logIn }: RuleDocument,
  { fileRequire }: RuleContext,
): readonly string[] {
  const gives = asList(inject).length > 0 || logIn !== undefined;
  return [...new Set([...asList(require), ...(gives ? fileRequire : [])])];
}

/** What is looked at beyond the head of a request. */
function compileContents(
  document: RuleDocument,
  effect: Effect,
  context: RuleContext,
): Pick<Rule, 'mcp' | 'graphql' | 'llm' | 'packages' | 'sign'> {
  const { report } = context;
  return {
    mcp: compileMcp(document, report),
    graphql: compileGraphql(document, report),
    llm: compileLlm(document, report),
    packages: compilePackages(document, report),
    sign: compileSign(document, { ...context, effect }),
  };
}

function opensAsNeeded(
  { tls }: RuleDocument,
  { handling, effect, schemes }: Pick<Rule, 'handling' | 'effect' | 'schemes'>,
  { fileTls, report }: RuleContext,
): boolean {
  if (effect === 'deny' || handling !== 'intercept') return false;
  if (tls === 'auto' && !schemes.has('https')) report(['tls'], 'there is no TLS over http; remove "tls"');
  return (tls ?? fileTls) === 'auto' && schemes.has('https');
}

function compileSchemes(document: RuleDocument, effect: Effect, report: Report): ReadonlySet<RuleScheme> {
  const written = asList(document.scheme);
  if (document.protocol !== undefined && effect === 'allow') return new Set(['tcp']);
  if (written.length === 0) return new Set(effect === 'deny' ? ['https', 'http', 'tcp', 'udp'] : ['https']);
  const schemes = new Set(written);
  if (effect === 'allow' && isAnyBytes(schemes)) {
    const one = schemes.has('tcp') ? 'tcp' : 'udp';
    if (schemes.size > 1)
      report(['scheme'], `"${one}" allows any bytes, so it stands alone; write a rule of its own for it`);
    if (document.ports === undefined) {
      const what =
        one === 'tcp'
          ? 'raw TCP needs "ports"; write them, such as ports: 22'
          : 'datagrams needs "ports"; write them, such as ports: 123';
      report(['scheme'], `a rule for ${what}`);
    }
  }
  return schemes;
}

/** Nothing is looked into. */
function isAnyBytes(schemes: ReadonlySet<RuleScheme>): boolean {
  return schemes.has('tcp') || schemes.has('udp');
}

function compileNetworks(
  document: RuleDocument,
  hosts: readonly HostPattern[],
  effect: Effect,
  report: Report,
): readonly Network[] {
  const networks: Network[] = [];
  for (const [i, text] of asList(document.addresses).entries()) {
    const path = Array.isArray(document.addresses) ? ['addresses', i] : ['addresses'];
    const network = parseNetwork(text);
    const problem = typeof network === 'string' ? network : refusedNetwork(network);
    if (problem !== undefined) report(path, problem);
    else if (typeof network !== 'string') networks.push(network);
  }
  if (effect === 'deny') return networks;
  for (const host of hosts) {
    if (host.kind !== 'exact' || !host.isAddress) continue;
    const bytes = parseAddress(host.host) ?? [];
    const own = parseNetwork(host.host);
    if (typeof own === 'string') continue;
    const isPrivate = refusedNetwork(own) === undefined;
    if (isPrivate && !networks.some((network) => networkContains(network, bytes))) {
      report(
        ['hosts'],
        `${host.host} is a private address, which the address guard refuses; add addresses: ${own.text}`,
      );
    }
  }
  return networks;
}

/** A credential goes over verified TLS to hosts that the rule names, or nowhere. */
function checkInjection(
  document: RuleDocument,
  schemes: ReadonlySet<RuleScheme>,
  hosts: readonly HostPattern[],
  context: RuleContext,
): void {
  if (document.scrub !== undefined && document.inject === undefined)
    context.report(['scrub'], 'responses are searched for what "inject" names; write it, or remove "scrub"');
  if (document.inject === undefined) return;
  checkNames('inject', 'credential', document.inject, context);
  if (schemes.has('http')) {
    context.report(
      ['inject'],
      'a credential is never sent in cleartext; write scheme: https, and a rule of its own for http',
    );
  }
  if (hosts.some((host) => widthProblem(host) !== undefined)) {
    context.report(
      ['inject'],
      "a credential is never given to a wildcard over strangers' hosts; name the hosts that get it",
    );
  }
}

/** An origin keeps texts that it is sent, and gives them back in responses that nobody searches. */
function checkPlaceholders(document: RuleDocument, { placeholders, report }: RuleContext): void {
  const { inject, paths } = document;
  if (paths !== undefined || document.git !== undefined || !takesBodies(document)) return;
  for (const [i, name] of asList(inject).entries()) {
    if (!placeholders.has(name)) continue;
    report(
      typeof inject === 'string' ? ['inject'] : ['inject', i],
      `${name} is put wherever the workload writes its placeholder, so a request that stores a text can store it, to be read back later; name the paths that need it, or allow GET only`,
      'warning',
    );
  }
}

function takesBodies({ methods }: RuleDocument): boolean {
  const named = asList(methods);
  return named.length === 0 || named.some((method) => method !== 'GET' && method !== 'HEAD');
}

/** Certificates verify TLS that the gateway speaks, and nothing else. */
function checkTrust(document: RuleDocument, schemes: ReadonlySet<RuleScheme>, context: RuleContext): void {
  if (document.trust === undefined) return;
  checkNames('trust', 'trust', document.trust, context);
  if (!schemes.has('https') && !schemes.has('tcp')) {
    context.report(
      ['trust'],
      'there is no certificate to verify over http; write scheme: https, or remove "trust"',
    );
  }
}

/** Names that stand in the gateway's configuration, if that is known here. */
function checkNames(
  key: 'inject' | 'trust',
  what: 'credential' | 'trust',
  written: string | readonly string[],
  context: RuleContext,
): void {
  const known = key === 'inject' ? context.credentials : context.trust;
  if (known === undefined) return;
  for (const [i, name] of asList(written).entries()) {
    if (known.has(name)) continue;
    const remedy =
      known.size === 0
        ? `define it under "${key === 'inject' ? 'credentials' : 'trust'}" there`
        : `it has ${[...known].join(', ')}`;
    context.report(
      typeof written === 'string' ? [key] : [key, i],
      `there is no ${what} ${JSON.stringify(name)} in the gateway's configuration; ${remedy}`,
    );
  }
}

function compileMethods(document: RuleDocument, report: Report): ReadonlySet<string> | undefined {
  if (document.methods === undefined) return undefined;
  const methods = asList(document.methods);
  for (const [i, method] of methods.entries()) {
    const path = Array.isArray(document.methods) ? ['methods', i] : ['methods'];
    const shown = JSON.stringify(method.slice(0, 40));
    if (method === '*') report(path, 'all methods is what a rule without "methods" says; remove the key');
    else if (method === 'CONNECT' || method === 'TRACE') {
      report(path, `${method} is never admitted inside a connection; remove it (raw TCP is scheme: tcp)`);
    } else if (!/^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31}$/.test(method)) {
      const better = method.toUpperCase();
      report(
        path,
        `${shown} is not a method in upper case; write ${/^[A-Z-]+$/.test(better) ? better : 'a method such as GET'}`,
      );
    }
  }
  return new Set(methods);
}

/** Endpoints that carry every operation on one path, so that a path says nothing about what is done. */
const singleEndpoint = /\/(graphql|gql|jsonrpc|json-rpc|rpc|xmlrpc|mcp)$/i;

function compilePaths(document: RuleDocument, report: Report): readonly PathPattern[] | undefined {
  if (document.paths === undefined) return undefined;
  const patterns: PathPattern[] = [];
  for (const [i, text] of asList(document.paths).entries()) {
    const path = Array.isArray(document.paths) ? ['paths', i] : ['paths'];
    const pattern = PathPattern.parse(text);
    if (typeof pattern === 'string') {
      report(path, pattern);
      continue;
    }
    patterns.push(pattern);
    const { deny, mcp, graphql, packages } = document;
    const isBounded = [deny, mcp, graphql, packages].some((one) => one !== undefined);
    if (!isBounded && takesBodies(document) && singleEndpoint.test(text)) {
      report(
        path,
        `every operation of ${text} goes to this one path, so the rule does not bound what is done there; give the credential fewer rights, or allow GET only`,
        'warning',
      );
    }
  }
  return patterns;
}

function compileWhen(document: RuleDocument, { compileCondition, report }: RuleContext): Rule['when'] {
  if (document.when === undefined) return undefined;
  const condition = compileCondition(document.when);
  if (typeof condition !== 'string') return condition;
  report(['when'], condition);
  return undefined;
}

function compileExpiry(document: RuleDocument, report: Report): number | undefined {
  if (document.expires === undefined) return undefined;
  const time = parseRuleTime(document.expires);
  if (time === undefined)
    report(['expires'], '"expires" is not a time with a zone; write it as 2030-01-31T12:00:00Z');
  return time;
}

function compileLimits({ limits = {} }: RuleDocument): RuleLimits {
  const { requestsPerSecond, requestsPerSession, bodyBytes, bytesPerSession, whenStoreAway } = limits;
  const { bytesOutPerSession, urlsPerSession, urlBytesPerSession } = limits;
  return {
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(requestsPerSession === undefined ? {} : { requestsPerSession }),
    ...(bodyBytes === undefined ? {} : { bodyBytes: parseByteSize(bodyBytes) }),
    ...(bytesPerSession === undefined ? {} : { bytesPerSession: parseByteSize(bytesPerSession) }),
    ...(bytesOutPerSession === undefined ? {} : { bytesOutPerSession: parseByteSize(bytesOutPerSession) }),
    ...(urlsPerSession === undefined ? {} : { urlsPerSession }),
    ...(urlBytesPerSession === undefined ? {} : { urlBytesPerSession: parseByteSize(urlBytesPerSession) }),
    ...(whenStoreAway === undefined ? {} : { whenStoreAway }),
  };
}
