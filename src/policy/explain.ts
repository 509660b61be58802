// Why a policy decides as it does: every rule for the host, in order, with what became of it. Nothing is contacted.

import { formatHostPattern } from './host-pattern.ts';
import { askText } from './ask-rule.ts';
import { openingKey } from './auto-passage.ts';
import { captureText } from './compile-capture.ts';
import { decideText } from './decide-rule.ts';
import { leaksText } from './leak-rule.ts';
import { logInText } from './log-in-rule.ts';
import { endText } from './protocol-rule.ts';
import { rewriteText } from './rewrite-rule.ts';
import { screenText } from './screen-rule.ts';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { AccessRequest, AllowDecision, AwaitedPart, Decision, Principal } from './decision.ts';
import { bodyText, describeAccess, explainMismatch, placeOf } from './denial.ts';
import { wantedBy } from './wanted-by.ts';
import { isForSession, type Mismatch, mismatchOf, type Rule, seesRequests } from './rule.ts';

/** What became of one rule. `because` is a sentence for a person. */
export interface ExplanationStep {
  readonly rule: string;
  readonly place: string | undefined;
  readonly effect: 'allow' | 'deny';
  readonly outcome: 'decides' | 'matches' | 'observes' | 'does not match' | 'judges requests only';
  readonly because: string;
  /** Conditions beside its hosts that the rule has, in the order in which they are asked. */
  readonly looksAt: readonly ConditionName[];
  /** Of a rule that does not match: by which of them, and what it would have. */
  readonly stopsAt?: { readonly condition: ConditionName; readonly wanted: string };
}

/** What a rule looks at beside hosts, in the order in which it is asked. */
const ruleConditions = [
  'scheme',
  'ports',
  'time',
  'for',
  'methods',
  'paths',
  'git',
  'mcp',
  'graphql',
  'llm',
  'packages',
  'sign',
  'when',
  'require',
] as const;
type ConditionName = (typeof ruleConditions)[number];

/** A decision with its reasons; `text` is all of it for a terminal. */
export interface Explanation {
  readonly decision: Decision;
  readonly steps: readonly ExplanationStep[];
  readonly text: string;
}

/** What is asked: an access at a time. */
export interface ExplanationQuestion {
  readonly principal: Principal;
  readonly access: AccessRequest;
  readonly nowMs: number;
  /** Rules that are for other sessions are left out: who asks sees this one and not those. */
  readonly isOwnOnly?: boolean;
}

/** Explains the decision about an access at a time. The decision is the one that `decide` gives. */
export function explain(policy: CompiledPolicy, question: ExplanationQuestion): Explanation {
  const { principal, access, nowMs, isOwnOnly = false } = question;
  const decision = policy.decide(principal, access, nowMs);
  const rules = new Set(policy.candidates(access.destination.host).flat());
  const steps = [...rules]
    .filter((rule) => !isOwnOnly || isForSession(rule, principal))
    .toSorted((a, b) => a.order - b.order)
    .map((rule) => stepOf(rule, { decision, principal, access, nowMs }));
  return { decision, steps, text: textOf(decision, steps, { policy, question }) };
}

const awaited: Readonly<Record<AwaitedPart, string>> = {
  'git-commands': 'the refs of the push',
  body: 'the body',
  graphql: 'the operations of GraphQL',
  publication: 'what its body publishes',
  'publish-times': 'the time at which the version came out',
  provenance: 'what attestations say of how the version was built',
};

const handlings: Readonly<Record<AllowDecision['handling'], string>> = {
  raw: 'any bytes pass, unseen',
  passthrough: 'TLS passes unopened, so no request in it is decided and nothing is injected',
  intercept: 'opened, and each request is decided',
};

interface Scene {
  readonly decision: Decision;
  readonly principal: Principal;
  readonly access: AccessRequest;
  readonly nowMs: number;
}

function stepOf(rule: Rule, { decision, principal, access, nowMs }: Scene): ExplanationStep {
  const { name, place } = rule.reference;
  const common = { rule: name, place, effect: rule.effect, looksAt: conditionsOf(rule) };
  const mismatch = mismatchOf(rule, principal, access, nowMs);
  if (mismatch !== undefined) {
    return {
      ...common,
      outcome: 'does not match',
      stopsAt: { condition: conditionOf(rule, mismatch), wanted: wantedBy(rule, mismatch, principal) },
      because: explainMismatch(rule, mismatch, { principal, nowMs }, access),
    };
  }
  if (decision.rule.name === rule.reference.name) {
    return {
      ...common,
      outcome: 'decides',
      because: `${placeOf(rule)} ${rule.effect === 'deny' ? 'denies it' : rule.ask === undefined ? 'allows it' : 'asks a person about it'}`,
    };
  }
  if (rule.effect === 'deny') {
    if (rule.mode === 'observe') {
      return {
        ...common,
        outcome: 'observes',
        because: `${placeOf(rule)} would deny it, and only records that`,
      };
    }
    if (access.depth === 'connect' && seesRequests(rule)) {
      return {
        ...common,
        outcome: 'judges requests only',
        because: `${placeOf(rule)} may deny requests inside the connection`,
      };
    }
  }
  const winner =
    decision.effect === 'deny' && rule.effect === 'allow' ? 'a denial wins' : 'an earlier rule decides';
  return { ...common, outcome: 'matches', because: `${placeOf(rule)} matches too, but ${winner}` };
}

/** Scheme and ports are of every rule. */
function conditionsOf(rule: Rule): readonly ConditionName[] {
  const has: Readonly<Record<ConditionName, boolean>> = {
    scheme: true,
    ports: true,
    time: rule.expiresMs !== undefined,
    for: rule.selectors.length > 0,
    methods: rule.methods !== undefined,
    paths: rule.paths !== undefined,
    git: rule.git !== undefined,
    mcp: rule.mcp !== undefined,
    graphql: rule.graphql !== undefined,
    llm: rule.llm !== undefined,
    packages: rule.packages !== undefined,
    sign: rule.sign !== undefined,
    when: rule.when !== undefined,
    require: rule.require.length > 0,
  };
  return ruleConditions.filter((one) => has[one]);
}

function conditionOf(rule: Rule, mismatch: Mismatch): ConditionName {
  switch (mismatch) {
    case 'expired':
      return 'time';
    // It is for connections, whatever is asked in them.
    case 'handling':
      return 'methods';
    case 'refs':
    case 'options':
    case 'unread':
      return 'git';
    case 'pin':
      return 'mcp';
    case 'no-graphql':
    case 'unread-graphql':
      return 'graphql';
    case 'age':
    case 'advisory':
    case 'unread-publication':
    case 'provenance':
      return 'packages';
    case 'body':
    case 'unread-body':
      if (rule.llm !== undefined) return 'llm';
      return rule.mcp === undefined ? 'when' : 'mcp';
    default:
      return mismatch;
  }
}

/** What a decision comes to, in one word. */
export function effectWord(decision: Decision): 'ALLOW' | 'ASK' | 'DENY' {
  if (decision.effect === 'deny') return 'DENY';
  return decision.asks === undefined ? 'ALLOW' : 'ASK';
}

/** Why a connection is opened that `tls: auto` could pass. */
function autoText(
  policy: CompiledPolicy,
  { principal, access, nowMs }: ExplanationQuestion,
): readonly string[] {
  const rule = policy.openedFor(principal, access, nowMs);
  return rule === undefined ? [] : [`  tls: auto opens it for: ${placeOf(rule)} (${openingKey(rule) ?? ''})`];
}

function textOf(
  decision: Decision,
  steps: readonly ExplanationStep[],
  { policy, question }: { readonly policy: CompiledPolicy; readonly question: ExplanationQuestion },
): string {
  const { access } = question;
  const { name, place } = decision.rule;
  const body = bodyText(access);
  const lines = [
    `${effectWord(decision)} ${describeAccess(access)}`,
    ...(body === undefined ? [] : [`  body: ${body}`]),
    `  decided by: ${name}${place === undefined ? '' : ` (${place})`}`,
  ];
  if (decision.effect === 'allow') {
    const { handling, inject, addresses, limits, trust = [], exit, dns, observed } = decision;
    if (access.depth === 'connect')
      lines.push(`  connection: ${handling} (${handlings[handling]})`, ...autoText(policy, question));
    if (decision.end !== undefined) lines.push(`  ended and logged in here: ${endText(decision.end)}`);
    const credentials = inject.map(({ credential }) => credential).join(', ');
    if (access.depth === 'request' || decision.end !== undefined)
      lines.push(`  would inject: ${credentials === '' ? 'nothing' : credentials}`);
    if (addresses.length > 0) lines.push(`  private networks: ${addresses.join(', ')}`);
    if (dns !== undefined)
      lines.push(
        `  queries of DNS about: ${dns.map((names) => names.map(formatHostPattern).join(', ')).join(' and ')}`,
      );
    if (exit !== undefined) lines.push(`  goes out by: ${exit}`);
    if (trust.length > 0) lines.push(`  trusts beside the gateway's roots: ${trust.join(', ')}`);
    if (decision.scrub !== undefined)
      lines.push(`  what is held to be searched goes on after: ${decision.scrub.quietMs} ms`);
    if (decision.homeWrites === true)
      lines.push("  secrets of the caller's home: for writes too, where the gateway is that of run");
    if (decision.logIn !== undefined) lines.push(`  log-in by tools: ${logInText(decision.logIn)}`);
    if (decision.continuesTrace === true) lines.push("  goes on with the client's trace");
    if (decision.asks !== undefined) lines.push(`  waits until a person says: ${askText(decision.asks)}`);
    if (decision.capture !== undefined) lines.push(`  bodies are kept: ${captureText(decision.capture)}`);
    if (decision.rewrite !== undefined) lines.push(`  changes ${rewriteText(decision.rewrite)}`);
    if (decision.screen !== undefined)
      lines.push(`  its response is screened: ${screenText(decision.screen)}`);
    for (const one of decision.deciders ?? []) lines.push(`  if this allows it too: ${decideText(one)}`);
    if (decision.leaks !== undefined) lines.push(`  searched for leaks: ${leaksText(decision.leaks)}`);
    const shown = Object.entries(limits).map(([limit, value]) => `${limit} ${String(value)}`);
    if (decision.budget?.startsWith('budget ') === true) shown.push(decision.budget);
    if (shown.length > 0) lines.push(`  limits: ${shown.join(', ')}`);
    if (decision.awaits !== undefined) lines.push(`  then decided again by ${awaited[decision.awaits]}`);
    if (observed !== undefined) lines.push(`  let through by observe mode; else denied by: ${observed}`);
  } else {
    lines.push(`  workload is told: ${decision.reason}`, `  operator is told: ${decision.operatorReason}`);
  }
  lines.push(steps.length === 0 ? '  no rule has this host' : '  rules for this host, in order:');
  lines.push(...steps.map(({ outcome, because }) => `    ${outcome}: ${because}`));
  return `${lines.join('\n')}\n`;
}
