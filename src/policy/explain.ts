// Why a policy decides as it does: every rule for the host, in order, with what became of it. Nothing is contacted.

import { captureText } from './compile-capture.ts';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { AccessRequest, AllowDecision, AwaitedPart, Decision, Principal } from './decision.ts';
import { describeAccess, explainMismatch, placeOf } from './denial.ts';
import { isForSession, mismatchOf, type Rule, seesRequests } from './rule.ts';

/** What became of one rule. `because` is a sentence for a person. */
export interface ExplanationStep {
  readonly rule: string;
  readonly place: string | undefined;
  readonly effect: 'allow' | 'deny';
  readonly outcome: 'decides' | 'matches' | 'observes' | 'does not match' | 'judges requests only';
  readonly because: string;
}

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
  return { decision, steps, text: textOf(decision, steps, access) };
}

const awaited: Readonly<Record<AwaitedPart, string>> = {
  'git-commands': 'the refs of the push',
  body: 'the body',
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
  const common = { rule: rule.reference.name, place: rule.reference.place, effect: rule.effect };
  const mismatch = mismatchOf(rule, principal, access, nowMs);
  if (mismatch !== undefined) {
    return {
      ...common,
      outcome: 'does not match',
      because: explainMismatch(rule, mismatch, principal, access),
    };
  }
  if (decision.rule.name === rule.reference.name) {
    return {
      ...common,
      outcome: 'decides',
      because: `${placeOf(rule)} ${rule.effect === 'deny' ? 'denies' : 'allows'} it`,
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

function textOf(decision: Decision, steps: readonly ExplanationStep[], access: AccessRequest): string {
  const { name, place } = decision.rule;
  const lines = [
    `${decision.effect === 'allow' ? 'ALLOW' : 'DENY'} ${describeAccess(access)}`,
    `  decided by: ${name}${place === undefined ? '' : ` (${place})`}`,
  ];
  if (decision.effect === 'allow') {
    const { handling, inject, addresses, limits, trust = [], observed } = decision;
    if (access.depth === 'connect') lines.push(`  connection: ${handling} (${handlings[handling]})`);
    const credentials = inject.map(({ credential }) => credential).join(', ');
    if (access.depth === 'request')
      lines.push(`  would inject: ${credentials === '' ? 'nothing' : credentials}`);
    if (addresses.length > 0) lines.push(`  private networks: ${addresses.join(', ')}`);
    if (trust.length > 0) lines.push(`  trusts beside the gateway's roots: ${trust.join(', ')}`);
    if (decision.scrub !== undefined)
      lines.push(`  what is held to be searched goes on after: ${decision.scrub.quietMs} ms`);
    if (decision.homeWrites === true)
      lines.push("  secrets of the caller's home: for writes too, where the gateway is that of run");
    if (decision.continuesTrace === true) lines.push("  goes on with the client's trace");
    if (decision.capture !== undefined) lines.push(`  bodies are kept: ${captureText(decision.capture)}`);
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
