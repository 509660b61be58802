// The policy: what is in force, what is wrong with another, and why a request is decided as it is. Nothing is changed or contacted.

import type { OutputOf } from '../../api/admin/routes.ts';
import { BoundPolicies } from '../../policy/bound-policies.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Principal } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { gitRequestOf } from '../../policy/git-request.ts';
import type { Rule } from '../../policy/rule.ts';
import { formatProblem } from '../../policy/problem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { askedRequest, connectionAccess, judgedAccess } from '../policies/asked-access.ts';
import { askedPushOption, askedUpdate } from '../policies/asked-push.ts';
import { explainPolicy, type PolicyExplanation } from '../policies/explain-policy.ts';
import { readKept } from '../policies/kept-policies.ts';
import { recallSession } from '../sessions/recalled-session.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { isSeen } from './operator.ts';
import type { PolicyReads } from './policy-reads.ts';
import { readPolicyFiles, unreadable } from './published-operations.ts';
import { unknownSession } from './session-operations.ts';

type Files = Asked<'checkPolicy'>['body']['files'];
const problemsTold = 20;
type Explained = OutputOf<'explainPolicy'>;

export const policyOperations: Handlers<'policy' | 'checkPolicy' | 'explainPolicy'> = {
  policy: ({ policies, config }) => {
    const policy = policies.current();
    const { mode, paths } = config.policy;
    return {
      version: policy.version,
      ageSeconds: policies.ageMs() / 1000,
      staleSeconds: policies.staleMs() / 1000,
      mode: mode === 'files' && paths.length === 0 ? 'deny' : mode,
      rules: shownRules(policy),
      refused: (policies.published?.refused ?? []).map(
        ({ version: { policy: name, number }, sinceMs, problems }) => ({
          policy: name,
          number,
          since: isoTime(sinceMs),
          problems: problems.slice(0, problemsTold).map(formatProblem),
        }),
      ),
    };
  },
  checkPolicy: async (parts, { body }) => {
    const read = await readFiles(parts, body.files);
    if ('problems' in read) return { ok: false, problems: read.problems };
    const { version, rules } = read.policy;
    return { ok: true, version, rules: rules.length, problems: read.warnings };
  },
  explainPolicy: async (parts, asked) => {
    const { body } = asked;
    requireOwnView(asked);
    const principal = await principalFor(parts, asked);
    const nowMs = body.at === undefined ? asked.nowMs : Date.parse(body.at);
    const question = { principal, body, nowMs };
    if (body.files !== undefined) {
      if (body.version !== undefined) throw new ProxyError('usage', 'name one of version and files');
      const read = await readFiles(parts, body.files);
      if ('problems' in read) throw unreadable(read.problems);
      return explained(read.policy, read.policy, question);
    }
    const then = await policyOfThen(parts, body.version);
    if (then !== undefined) return explained(then, then, question);
    return explained(parts.policy(), parts.policies.current(), question);
  },
};

/** Another policy than that in force, if its text is kept. */
async function policyOfThen(
  parts: AdminParts,
  version: string | undefined,
): Promise<CompiledPolicy | BoundPolicies | undefined> {
  if (version === undefined || version === parts.policies.current().version) return undefined;
  return await readKept(parts.store.policies, version, (sources) => readPolicyFiles(parts, sources));
}

function readFiles(parts: AdminParts, files: Files): ReturnType<PolicyReads['read']> {
  return readPolicyFiles(
    parts,
    files.map(({ name, text }) => ({ file: name, text })),
  );
}

/**
 * Who sees only some sessions is told of no policy but that which such a session is judged by. Files that they send are none of the gateway's.
 * A claim beside those that bind them could lead to the policy of others, as could a list of values. @throws ProxyError operator_refused
 */
function requireOwnView({ operator, body }: Asked<'explainPolicy'>): void {
  const { sees } = operator;
  const { session, files, version, claims = {} } = body;
  if (sees === undefined || session !== undefined || files !== undefined) return;
  const areTheirs =
    isSeen(operator, claims) &&
    Object.entries(claims).every(([name, value]) => Object.hasOwn(sees, name) && typeof value !== 'object');
  if (version === undefined && areTheirs) return;
  throw new ProxyError(
    'operator_refused',
    `${operator.name} sees only some sessions: name one of them (session), or just the claims that make one theirs, and no version`,
  );
}

async function principalFor(
  parts: AdminParts,
  { operator, body }: Asked<'explainPolicy'>,
): Promise<Principal> {
  const { session, claims = {}, posture = [] } = body;
  if (session === undefined) return { id: 'explain', sessionId: 'explain', claims, posture };
  const principal = await recallSession(parts.store, session);
  if (principal === undefined || !isSeen(operator, principal.claims)) throw unknownSession();
  return principal;
}

type Policy = ReturnType<AdminParts['policy']>;

interface Question {
  readonly principal: Principal;
  readonly body: Asked<'explainPolicy'>['body'];
  readonly nowMs: number;
}

/** `deciding` is asked; `base` has the rules that are shown beside it. */
function explained(deciding: Policy, base: Policy, { principal, body, nowMs }: Question): Explained {
  const access = accessOf(body, (asked) => deciding.decide(principal, asked, nowMs));
  const { decision, steps, text } = explainPolicy(deciding, base, { principal, access, nowMs });
  const { effect, rule } = decision;
  return {
    request: describeAccess(access),
    policy: deciding.version,
    effect,
    rule: rule.name,
    ...given('policyName', rule.policy),
    ...given('place', rule.place),
    ...given('reason', decision.effect === 'deny' ? decision.reason : undefined),
    inject: decision.effect === 'allow' ? decision.inject.map(({ credential }) => credential) : [],
    steps: steps.map(shownStep),
    text,
  };
}

/** @throws ProxyError usage, and what the gateway would refuse it with */
function accessOf(body: Question['body'], decide: (access: AccessRequest) => Decision): AccessRequest {
  const { method, url, headers = [], pushed, pushOptions = [] } = body;
  if (method.toUpperCase() === 'CONNECT') return connectionAccess(url, decide);
  const request = askedRequest(method.toUpperCase(), url, headers.flat());
  if (pushed === undefined && pushOptions.length === 0) return judgedAccess(request, decide);
  if (gitRequestOf(request)?.carriesCommands !== true)
    throw new ProxyError('usage', 'refs are pushed by POST to …/git-receive-pack, and by nothing else');
  const push = {
    pushed: (pushed ?? []).map(({ ref, change }) => askedUpdate(ref, change)),
    pushOptions: pushOptions.map(askedPushOption),
  };
  return judgedAccess({ ...request, ...push }, decide);
}

function shownRules(policy: Policy): OutputOf<'policy'>['rules'] {
  if (policy instanceof CompiledPolicy) return policy.rules.map(shownRule);
  if (!(policy instanceof BoundPolicies)) return [];
  return policy.policies.flatMap(({ name, policy: { rules } }) =>
    rules.map((rule) => ({ ...shownRule(rule), policy: name })),
  );
}

function shownRule({ reference: { name, place }, effect }: Rule): OutputOf<'policy'>['rules'][number] {
  return place === undefined ? { name, effect } : { name, place, effect };
}

function shownStep(step: PolicyExplanation['steps'][number]): Explained['steps'][number] {
  const { rule, place, effect, outcome, because, policy } = step;
  return { rule, effect, outcome, because, ...given('place', place), ...given('policy', policy) };
}
