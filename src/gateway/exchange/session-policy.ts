// What the gateway tells a session of the policy that it is judged by: as JSON for a program, as text for a person or a language model.

import type { Policy, Principal, SessionRules, ViewedRule } from '../../policy/decision.ts';
import { accessUrl } from '../access/access-desk.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { DoctorResponse } from './doctor-response.ts';

/** Where a session asks what it may do, at the gateway's own name. */
export const policyPath = '/policy';

interface SessionPolicyOptions {
  readonly policy: Policy;
  readonly principal: Principal;
  /** Requests for access of this session, as they are told there; undefined: none can be left. */
  readonly requests: unknown;
  readonly wantsJson: boolean;
  readonly nowMs: number;
}

export function sessionPolicy({
  policy,
  principal,
  requests,
  wantsJson,
  nowMs,
}: SessionPolicyOptions): DoctorResponse {
  const { sessionViewRulesMax: max } = defaultLimits;
  const { rules, notShown, isBounded, mayBeObserved } = policy.rulesFor(principal, { nowMs, max });
  const message = messageOf(rules, { isBounded, mayBeObserved });
  const view = {
    policy: policy.version,
    message,
    rules,
    ...(notShown > 0 ? { rules_not_shown: notShown } : {}),
    ...(requests === undefined ? {} : { requests, request_access: { method: 'POST', url: accessUrl } }),
  };
  if (wantsJson)
    return { status: 200, type: 'application/json', text: `${JSON.stringify(view, undefined, 2)}\n` };
  const lines = [
    message,
    ...rules.map(lineOf),
    ...(notShown > 0 ? [`and ${String(notShown)} more rules`] : []),
    ...(requests === undefined ? [] : ['', `To ask for more: POST ${accessUrl}; GET it for what was asked.`]),
    '',
  ];
  return { status: 200, type: 'text/plain; charset=utf-8', text: lines.join('\n') };
}

function messageOf(
  rules: readonly ViewedRule[],
  { isBounded, mayBeObserved }: Pick<SessionRules, 'isBounded' | 'mayBeObserved'>,
): string {
  const said = [
    rules.length === 0 ? 'No rule is for this session.' : 'A rule that denies goes before all that allow.',
    mayBeObserved
      ? 'What no rule allows may be let through, and the operator is told.'
      : 'Everything that no rule allows is denied.',
    ...(isBounded ? ['A ceiling of the operators, which is not shown, has to allow too.'] : []),
  ];
  return said.join(' ');
}

/** One rule in one line. */
function lineOf(rule: ViewedRule): string {
  const { name, effect, hosts, schemes, ports, methods, paths, only, limits, ends, needs, reason } = rule;
  const parts = [
    `${effect} ${methods?.join(', ') ?? 'every method'}`,
    `of ${hosts.join(', ')}`,
    `over ${schemes.join(', ')}${ports === undefined ? '' : ` on ${ports.map(String).join(', ')}`}`,
    ...(paths === undefined ? [] : [`paths ${paths.join(', ')}`]),
    ...Object.entries(only ?? {}).map(([key, text]) => `if ${key}: ${text}`),
    ...Object.entries(limits ?? {}).map(([key, value]) => `${key} ${String(value)}`),
    ...(ends === undefined ? [] : [`until ${ends}`]),
    ...(needs === undefined ? [] : [`not for this session, which lacks ${needs.join(', ')}`]),
    ...(reason === undefined ? [] : [reason]),
  ];
  return `- ${name}: ${parts.join('; ')}`;
}
