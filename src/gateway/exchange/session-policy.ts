// What the gateway tells a session of the policy that it is judged by: as JSON for a program, as text for a person or a language model.

import type { SessionRules, ViewedRule } from '../../policy/decision.ts';
import { accessUrl } from '../access/access-desk.ts';
import { budgetName, type CountedLimit, countedLimits } from './counted-limits.ts';
import type { DoctorResponse } from './doctor-response.ts';
import { modelAccounts, type ModelsLeft, modelsLeft } from './model-accounts.ts';

/** Where a session asks what it may do, at the gateway's own name. */
export const policyPath = '/policy';

interface SessionPolicyOptions {
  readonly version: string;
  readonly told: SessionRules;
  /** Requests for access of this session, as they are told there; undefined: none can be left. */
  readonly requests: unknown;
  /** Of its budgets, by their names; undefined: nobody can say now. */
  readonly spent: ReadonlyMap<string, number> | undefined;
  readonly wantsJson: boolean;
  readonly nowMs: number;
}

/** Those that all sessions of a principal share. */
export function sharedBudgets({ rules }: SessionRules, nowMs: number): readonly string[] {
  const accounts = rules.flatMap(({ modelBudget }) =>
    modelBudget === undefined ? [] : modelAccounts(modelBudget, nowMs),
  );
  return [...new Set(accounts.filter(({ of }) => of === 'principal').map(({ budget }) => budget))];
}

export function sessionPolicy({
  version,
  told: { rules: viewed, notShown, ...told },
  requests,
  spent,
  wantsJson,
  nowMs,
}: SessionPolicyOptions): DoctorResponse {
  const all = viewed.map((rule) => withLeft(rule, spent, nowMs));
  const rules = all.map(({ rule }) => rule);
  const message = messageOf(rules, told);
  const view = {
    policy: version,
    message,
    rules,
    ...(notShown > 0 ? { rules_not_shown: notShown } : {}),
    ...(requests === undefined ? {} : { requests, request_access: { method: 'POST', url: accessUrl } }),
  };
  if (wantsJson)
    return { status: 200, type: 'application/json', text: `${JSON.stringify(view, undefined, 2)}\n` };
  const lines = [
    message,
    ...all.map(lineOf),
    ...(notShown > 0 ? [`and ${String(notShown)} more rules`] : []),
    ...(requests === undefined ? [] : ['', `To ask for more: POST ${accessUrl}; GET it for what was asked.`]),
    '',
  ];
  return { status: 200, type: 'text/plain; charset=utf-8', text: lines.join('\n') };
}

function messageOf(
  rules: readonly unknown[],
  { isBounded, mayBeObserved, isNarrowed }: Omit<SessionRules, 'rules' | 'notShown'>,
): string {
  const said = [
    ...(isNarrowed === true
      ? ['This session was narrowed: what it was narrowed from has to allow too.']
      : []),
    rules.length === 0 ? 'No rule is for this session.' : 'A rule that denies goes before all that allow.',
    mayBeObserved
      ? 'What no rule allows may be let through, and the operator is told.'
      : 'Everything that no rule allows is denied.',
    ...(isBounded ? ['A ceiling of the operators, which is not shown, has to allow too.'] : []),
  ];
  return said.join(' ');
}

/** A rule with what is left of what is counted over all of the session. */
interface RuleWithLeft extends Omit<ViewedRule, 'budget' | 'modelBudget'> {
  readonly left?: ModelsLeft & Readonly<Partial<Record<CountedLimit, number>>>;
}

interface ToldRule {
  readonly rule: RuleWithLeft;
  /** Of each limit that is counted, by its key. */
  readonly rest: Readonly<Partial<Record<CountedLimit, number>>>;
  /** What is left for calls of models, for people. */
  readonly models: readonly string[];
}

/** The name of a budget can be a hash of all that the rule says, so it is not told. */
function withLeft(
  { budget, modelBudget, ...rule }: ViewedRule,
  spent: SessionPolicyOptions['spent'],
  nowMs: number,
): ToldRule {
  const { limits = {} } = rule;
  if (spent === undefined) return { rule, rest: {}, models: [] };
  const rest: Partial<Record<CountedLimit, number>> = {};
  for (const limit of countedLimits) {
    const [max, name] = [limits[limit], budgetName(limit, budget ?? `rule ${rule.name}`)];
    if (typeof max === 'number') rest[limit] = Math.max(0, max - (spent.get(name) ?? 0));
  }
  const accounts = modelBudget === undefined ? [] : modelAccounts(modelBudget, nowMs);
  const models = modelsLeft(accounts, spent);
  const left = { ...rest, ...models.left };
  return { rule: Object.keys(left).length === 0 ? rule : { ...rule, left }, rest, models: models.texts };
}

/** One rule in one line. */
function lineOf({ rule, rest, models }: ToldRule): string {
  const { name, effect, asks, hosts, schemes, ports, methods, paths, only, limits, ends, needs, reason } =
    rule;
  const parts = [
    `${asks === true ? 'ask a person for' : effect} ${methods?.join(', ') ?? 'every method'}`,
    `of ${hosts.join(', ')}`,
    `over ${schemes.join(', ')}${ports === undefined ? '' : ` on ${ports.map(String).join(', ')}`}`,
    ...(paths === undefined ? [] : [`paths ${paths.join(', ')}`]),
    ...Object.entries(only ?? {}).map(([key, text]) => `if ${key}: ${text}`),
    ...Object.entries(limits ?? {}).map(([key, value]) => {
      const left = new Map(Object.entries(rest)).get(key);
      return `${key} ${String(value)}${left === undefined ? '' : `, ${String(left)} left`}`;
    }),
    ...models,
    ...(ends === undefined ? [] : [`until ${ends}`]),
    ...(needs === undefined ? [] : [`not for this session, which lacks ${needs.join(', ')}`]),
    ...(reason === undefined ? [] : [reason]),
  ];
  return `- ${name}: ${parts.join('; ')}`;
}
