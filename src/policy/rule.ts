// A rule ready to be matched, and the one function that says whether it matches and, if not, why.

import type {
  AccessRequest,
  Principal,
  AwaitedPart,
  RequestAccess,
  RuleBodies,
  RuleCapture,
  RuleLimits,
  RuleReference,
  RuleScrub,
} from './decision.ts';
import { actingOnTwo } from '../http/request-field-table.ts';
import { type ClaimSelector, selects } from './claim-selector.ts';
import type { GitCondition } from './git-condition.ts';
import { type GitMismatch, gitMismatch } from './git-rule.ts';
import {
  awaitsGraphql,
  type GraphqlCondition,
  type GraphqlMismatch,
  graphqlMismatch,
} from './graphql-rule.ts';
import type { HostPattern } from './host-pattern.ts';
import type { RuleDecide } from './decide-rule.ts';
import type { RuleLeaks } from './leak-rule.ts';
import type { RuleRewrite } from './rewrite-rule.ts';
import type { RuleAsk } from './ask-rule.ts';
import type { RuleScreen } from './screen-rule.ts';
import type { LlmCondition } from './llm-condition.ts';
import type { RuleLogIn } from './log-in-rule.ts';
import { type LlmMismatch, llmMismatch } from './llm-rule.ts';
import { type McpCondition, type McpMismatch, mcpMismatch } from './mcp-rule.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';

import type { ProtocolEnd } from './protocol-rule.ts';
import {
  awaitsPublication,
  type PackageMismatch,
  packageMismatch,
  type PackagesCondition,
} from './package-rule.ts';
import { conditionHolds, type RuleCondition } from './rule-condition.ts';
import type { RequestFields } from './request-fields.ts';
import { pathsMatch, readingsOf } from './path-matching.ts';
import type { PathPattern } from './path-pattern.ts';
import type { SignCondition } from './sign-condition.ts';
import { signMismatch } from './sign-rule.ts';

export type RuleScheme = 'https' | 'http' | 'tcp' | 'udp';

/** A rule of the policy after reading. Absent conditions are undefined, never empty lists. */
export interface Rule {
  /** Place in the order over all files. */
  readonly order: number;
  readonly reference: RuleReference;
  readonly effect: 'allow' | 'deny';
  /** What becomes of a connection that the rule admits; `intercept` in rules that deny. */
  readonly handling: 'intercept' | 'passthrough' | 'raw';
  /** Of raw TCP: what is spoken, which the gateway then ends; undefined: any bytes. */
  readonly end: ProtocolEnd | undefined;
  /** Connections that it admits pass unopened where no rule needs more (`tls: auto`). */
  readonly opensAsNeeded: boolean;
  readonly mode: 'enforce' | 'observe';
  /** Whether the mode was written in the rule, not inherited from its file. */
  readonly hasOwnMode: boolean;
  readonly hosts: readonly HostPattern[];
  readonly schemes: ReadonlySet<RuleScheme>;
  /** Undefined: the default port of the scheme in a rule that allows, every port in one that denies. */
  readonly ports: ReadonlySet<number> | undefined;
  readonly methods: ReadonlySet<string> | undefined;
  readonly paths: readonly PathPattern[] | undefined;
  readonly git: GitCondition | undefined;
  readonly mcp: McpCondition | undefined;
  readonly graphql: GraphqlCondition | undefined;
  readonly llm: LlmCondition | undefined;
  readonly packages: PackagesCondition | undefined;
  /** Undefined: the rule is about requests, and no object is signed by it. */
  readonly sign: SignCondition | undefined;
  readonly when: RuleCondition | undefined;
  readonly selectors: readonly ClaimSelector[];
  readonly require: readonly string[];
  readonly expiresMs: number | undefined;
  readonly inject: readonly string[];
  readonly addresses: readonly string[];
  readonly limits: RuleLimits;
  /** Names what its limits of a whole session are counted in; undefined if it has none. */
  readonly budget: string | undefined;
  readonly bodies: RuleBodies;
  /** Secrets of the caller's home serve more than reads. */
  readonly homeWrites: boolean;
  /** Tokens of log-ins of the session are kept, or go on; undefined: neither. */
  readonly logIn: RuleLogIn | undefined;
  /** The trace that the client says it is in is gone on with. */
  readonly continuesTrace: boolean;
  /** What of bodies is kept; undefined: nothing. */
  readonly capture: RuleCapture | undefined;
  /** What requests are searched for; undefined: nothing. */
  readonly leaks: RuleLeaks | undefined;
  /** What a person has to say first; undefined: nobody is asked. */
  readonly ask: RuleAsk | undefined;
  /** What responses are judged by; undefined: nothing. */
  readonly screen: RuleScreen | undefined;
  /** Who else has to allow what the rule allows; undefined: nobody. */
  readonly decide: RuleDecide | undefined;
  /** What is changed of JSON; undefined: nothing. */
  readonly rewrite: RuleRewrite | undefined;
  /** Passthrough: whether a hello may carry encrypted_client_hello, behind which another name can be. */
  readonly refusesEch: boolean;
  /** Undefined where every field goes on: the rule is bounded by no path and gives no credential. */
  readonly requestFields: RequestFields | undefined;
  /** Names in the configuration's `trust`. */
  readonly trust: readonly string[];
  /** Of `udp`: names that queries of DNS may be about; undefined: any datagram passes. */
  readonly dns: readonly HostPattern[] | undefined;
  /** A name in the configuration's `upstream.exits`, or `direct`; undefined: the one for all. */
  readonly exit: string | undefined;
  readonly scrub: RuleScrub | undefined;
  readonly reason: string | undefined;
  readonly operatorReason: string | undefined;
}

/** Why a rule does not match; undefined if it does. `handling`: the rule decides about connections only. */
export type Mismatch =
  | 'expired'
  | 'for'
  | 'scheme'
  | 'ports'
  | 'handling'
  | 'methods'
  | 'paths'
  | GitMismatch
  | McpMismatch
  | GraphqlMismatch
  | LlmMismatch
  | PackageMismatch
  | 'sign'
  | 'when'
  | 'require';

/** Everything about a rule's match except its hosts, which the index of the policy has matched. */
export function mismatchOf(
  rule: Rule,
  principal: Principal,
  access: AccessRequest,
  nowMs: number,
): Mismatch | undefined {
  return measuredMismatch(rule, access, { principal, nowMs, work: unmeasured });
}

/** Who asks, when, and what the decision may cost. */
export interface Asking {
  readonly principal: Principal;
  readonly nowMs: number;
  readonly work: MatchingWork;
}

/** As `mismatchOf`; what it gives counts only while the work is not spent. */
export function measuredMismatch(rule: Rule, access: AccessRequest, asking: Asking): Mismatch | undefined {
  const { principal, nowMs } = asking;
  return destinationMismatch(rule, principal, access, nowMs) ?? requestMismatch(rule, access, asking);
}

/** The conditions that a connection shows already. */
export function destinationMismatch(
  rule: Rule,
  principal: Principal,
  access: AccessRequest,
  nowMs: number,
): Mismatch | undefined {
  const { scheme, port } = access.destination;
  // Raw TCP is whatever the bytes are; every other rule is for what it names.
  if (rule.handling !== 'raw' && !rule.schemes.has(scheme)) return 'scheme';
  if (!portMatches(rule, scheme, port)) return 'ports';
  if (rule.expiresMs !== undefined && nowMs >= rule.expiresMs) return 'expired';
  return isForSession(rule, principal) ? undefined : 'for';
}

/** Whether the rule is for sessions with such claims. */
export function isForSession({ selectors }: Rule, { claims }: Pick<Principal, 'claims'>): boolean {
  return selectors.every((selector) => selects(selector, claims));
}

function portMatches(rule: Rule, scheme: RuleScheme, port: number): boolean {
  if (rule.ports !== undefined) return rule.ports.has(port);
  return rule.effect === 'deny' || port === (scheme === 'http' ? 80 : 443);
}

function requestMismatch(rule: Rule, access: AccessRequest, asking: Asking): Mismatch | undefined {
  const { principal, work } = asking;
  if (access.depth === 'request') {
    if (access.signs !== undefined || rule.sign !== undefined) {
      const sign = signMismatch(rule, access, looksAtHttp(rule), work);
      if (sign !== undefined) return sign;
    }
    if (rule.effect === 'allow' && rule.handling !== 'intercept') return 'handling';
    if (!methodMatches(rule, access.method)) return 'methods';
    if (rule.paths !== undefined && !pathsMatch(rule.effect, rule.paths, readingsOf(access), work))
      return 'paths';
    const git = rule.git === undefined ? undefined : gitMismatch(rule.git, rule.effect, access, work);
    if (git !== undefined) return git;
    const mcp = rule.mcp === undefined ? undefined : mcpMismatch(rule.mcp, rule.effect, access, work);
    if (mcp !== undefined) return mcp;
    const graphql =
      rule.graphql === undefined ? undefined : graphqlMismatch(rule.graphql, rule.effect, access, work);
    if (graphql !== undefined) return graphql;
    // What cannot be read cannot be changed.
    if (rule.rewrite?.request !== undefined && access.body?.kind === 'unreadable') return 'body';
    const llm = rule.llm === undefined ? undefined : llmMismatch(rule.llm, rule, access, work);
    if (llm !== undefined) return llm;
    const { packages } = rule;
    const ofPackage =
      packages === undefined ? undefined : packageMismatch(packages, rule.effect, access, asking);
    if (ofPackage !== undefined) return ofPackage;
    const when = rule.when === undefined ? undefined : whenMismatch(rule.when, rule.effect, access, asking);
    if (when !== undefined) return when;
  }
  return missingFacts(rule, principal).length === 0 ? undefined : 'require';
}

/** A condition over a body that is not there yet is true in a rule that allows: it is asked again. */
function whenMismatch(
  when: RuleCondition,
  effect: Rule['effect'],
  access: RequestAccess,
  asking: Asking,
): 'when' | 'unread-body' | undefined {
  if (when.usesBody && access.body === undefined) return effect === 'deny' ? 'unread-body' : undefined;
  // Of what could be asked there is no body: some would be allowed.
  if (when.usesBody && access.body?.kind === 'message') return effect === 'deny' ? 'when' : undefined;
  return conditionHolds(when, effect, access, asking) ? undefined : 'when';
}

/** What of a body a rule that allows looks at, and has not seen. */
export function awaitedOf(
  { mcp, graphql, llm, packages, when, rewrite }: Rule,
  access: AccessRequest,
): readonly AwaitedPart[] {
  if (access.depth === 'connect') return [];
  const looksAtBody =
    mcp !== undefined || llm !== undefined || when?.usesBody === true || rewrite?.request !== undefined;
  return [
    ...(awaitsPublication(packages, access) ? (['publication'] as const) : []),
    ...(awaitsGraphql(graphql, access) ? (['graphql'] as const) : []),
    ...(looksAtBody && access.body === undefined ? (['body'] as const) : []),
  ];
}

/** A method that acts on a second resource needs its own word where a rule is bounded by the first. */
export function methodMatches({ methods, requestFields, effect }: Rule, method: string): boolean {
  if (methods !== undefined) return methods.has(method);
  return effect === 'deny' || requestFields === undefined || !actingOnTwo.has(method);
}

/** The demanded facts of the posture that the session does not have. */
export function missingFacts(rule: Rule, principal: Principal): readonly string[] {
  if (rule.require.length === 0) return rule.require;
  const facts = new Set(
    principal.posture.map((fact) => fact.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)),
  );
  // The one fact that is asked for by its absence.
  if (!facts.has('token-in-container')) facts.add('no-token-in-container');
  return rule.require.filter((fact) => !facts.has(fact));
}

/** Whether the rule looks at more than the destination, so that only a request can be judged by it. */
export function seesRequests(rule: Rule): boolean {
  return rule.sign !== undefined || looksAtHttp(rule);
}

function looksAtHttp(rule: Rule): boolean {
  const { methods, paths, git, mcp, graphql, llm, packages, when } = rule;
  return [methods, paths, git, mcp, graphql, llm, packages, when].some((one) => one !== undefined);
}

/** Whether a request gets nothing by the rule, and is not counted by it, that another to the same destination would not. */
export function isByDestination(rule: Rule): boolean {
  const { bytesPerSession: _bytes, whenStoreAway: _away, ...counted } = rule.limits;
  const counts = Object.values(counted).some((limit) => limit !== undefined);
  const isOpen =
    rule.inject.length === 0 &&
    rule.requestFields === undefined &&
    rule.bodies === 'any' &&
    !rule.homeWrites &&
    rule.logIn === undefined &&
    !rule.continuesTrace &&
    rule.capture === undefined &&
    rule.leaks === undefined &&
    rule.ask === undefined &&
    rule.screen === undefined &&
    rule.decide === undefined &&
    rule.rewrite === undefined;
  return !seesRequests(rule) && isOpen && !counts;
}
