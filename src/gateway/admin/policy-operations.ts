// The policy: what is in force, what is wrong with another, and why a request is decided as it is. Nothing is changed or contacted.

import type { OutputOf } from '../../api/admin/routes.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Principal } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { explain, type ExplanationStep } from '../../policy/explain.ts';
import type { Rule } from '../../policy/rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { askedRequest, connectionAccess, judgedAccess } from '../policies/asked-access.ts';
import { policyNames } from '../policies/open-policies.ts';
import { principalOf } from '../sessions/session-authenticator.ts';
import { type AdminParts, type Asked, given, type Handlers } from './admin-parts.ts';
import type { PolicyReads } from './policy-reads.ts';
import { findSession } from './session-operations.ts';

type Files = Asked<'checkPolicy'>['body']['files'];
type Explained = OutputOf<'explainPolicy'>;

export const policyOperations: Handlers<'policy' | 'checkPolicy' | 'explainPolicy'> = {
  policy: ({ policies, config }) => {
    const policy = policies.current();
    const { mode, paths } = config.policy;
    const rules = policy instanceof CompiledPolicy ? policy.rules : [];
    return {
      version: policy.version,
      ageSeconds: policies.ageMs() / 1000,
      staleSeconds: policies.staleMs() / 1000,
      mode: mode === 'files' && paths.length === 0 ? 'deny' : mode,
      rules: rules.map(shownRule),
    };
  },
  checkPolicy: async (parts, { body }) => {
    const read = await readFiles(parts, body.files);
    if ('problems' in read) return { ok: false, problems: read.problems };
    const { version, rules } = read.policy;
    return { ok: true, version, rules: rules.length, problems: read.warnings };
  },
  explainPolicy: async (parts, asked) => {
    const { body, nowMs } = asked;
    const principal = await principalFor(parts, asked);
    if (body.files === undefined)
      return explained(parts.policy(), parts.policies.current(), { principal, body, nowMs });
    const read = await readFiles(parts, body.files);
    if ('problems' in read) {
      const lines = read.problems.map(
        ({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`,
      );
      throw new ProxyError('usage', `the policy cannot be read: ${lines.slice(0, 5).join('; ')}`);
    }
    return explained(read.policy, read.policy, { principal, body, nowMs });
  },
};

function readFiles({ config, policyReads }: AdminParts, files: Files): ReturnType<PolicyReads['read']> {
  // Commands of `discover` are the gateway's own; a question of a viewer starts none.
  const { discover: _, ...names } = policyNames(config);
  const sources = files.map(({ name, text }) => ({ file: name, text }));
  return policyReads.read(sources, names);
}

async function principalFor(
  parts: AdminParts,
  { operator, body }: Asked<'explainPolicy'>,
): Promise<Principal> {
  const { session, claims = {}, posture = [] } = body;
  if (session !== undefined) return principalOf(await findSession(parts, operator, session));
  return { id: 'explain', sessionId: 'explain', claims, posture };
}

type Policy = ReturnType<AdminParts['policy']>;

interface Question {
  readonly principal: Principal;
  readonly body: Asked<'explainPolicy'>['body'];
  readonly nowMs: number;
}

/** `deciding` is asked; `base` has the rules that are shown beside it. */
function explained(deciding: Policy, base: Policy, { principal, body, nowMs }: Question): Explained {
  const decide = (access: AccessRequest): Decision => deciding.decide(principal, access, nowMs);
  const { method, url, headers = [] } = body;
  const access =
    method.toUpperCase() === 'CONNECT'
      ? connectionAccess(url, decide)
      : judgedAccess(askedRequest(method.toUpperCase(), url, headers.flat()), decide);
  const decision = decide(access);
  const { effect, rule } = decision;
  const { steps, text } =
    base instanceof CompiledPolicy ? explain(base, principal, access, nowMs) : { steps: [], text: '' };
  return {
    request: describeAccess(access),
    policy: deciding.version,
    effect,
    rule: rule.name,
    ...given('place', rule.place),
    ...given('reason', decision.effect === 'deny' ? decision.reason : undefined),
    inject: decision.effect === 'allow' ? decision.inject.map(({ credential }) => credential) : [],
    steps: steps.map(shownStep),
    text,
  };
}

function shownRule({ reference: { name, place }, effect }: Rule): OutputOf<'policy'>['rules'][number] {
  return place === undefined ? { name, effect } : { name, place, effect };
}

function shownStep({ rule, place, effect, outcome, because }: ExplanationStep): Explained['steps'][number] {
  const step = { rule, effect, outcome, because };
  return place === undefined ? step : { ...step, place };
}
