// The policy: what is in force, what is wrong with another, and why a request is decided as it is. Nothing is changed or contacted.

import type { OutputOf } from '../../api/admin/routes.ts';
import { BoundPolicies } from '../../policy/bound-policies.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Principal, RequestAccess } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { gitRequestOf } from '../../policy/git-request.ts';
import { NarrowedPolicy } from '../../policy/narrowed-policy.ts';
import type { Rule } from '../../policy/rule.ts';
import { formatProblem } from '../../policy/problem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { askedRequest, connectionAccess, judgedAccess, withAskedBody } from '../policies/asked-access.ts';
import { askedPushOption, askedUpdate } from '../policies/asked-push.ts';
import { isGrantedTo } from '../exchange/granted-credentials.ts';
import { explainPolicy, type PolicyExplanation } from '../policies/explain-policy.ts';
import { readKept } from '../policies/kept-policies.ts';
import type { RefusedPolicy } from '../policies/published-policies.ts';
import { recallSession } from '../sessions/recalled-session.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { isSeen, type Operator } from './operator.ts';
import { type OwnRules, ownRules, staleMsFor } from './own-rules.ts';
import type { PolicyReads } from './policy-reads.ts';
import { readPolicyFiles, readWithoutNames, unreadable } from './published-operations.ts';
import { unknownSession } from './session-operations.ts';

type Files = Asked<'checkPolicy'>['body']['files'];
const problemsTold = 20;
type Explained = OutputOf<'explainPolicy'>;

export const policyOperations: Handlers<'policy' | 'checkPolicy' | 'explainPolicy'> = {
  policy: async (parts, { operator }) => {
    const { policies, config, store } = parts;
    const policy = policies.current();
    const { mode, paths } = config.policy;
    const own = await ownRules(store, operator, policy);
    const refused = (policies.published?.refused ?? []).filter((one) => own?.hasRefused(one) ?? true);
    return {
      version: policy.version,
      ageSeconds: policies.ageMs() / 1000,
      staleSeconds: (await staleMsFor(parts, operator)) / 1000,
      mode: mode === 'files' && paths.length === 0 ? 'deny' : mode,
      rules: shownRules(policy, own),
      refused: refused.map(shownRefused),
    };
  },
  checkPolicy: async (parts, { operator, body }) => {
    const read = await readFiles(parts, operator, body.files);
    if ('problems' in read) return { ok: false, problems: read.problems };
    const { version, rules } = read.policy;
    return { ok: true, version, rules: rules.length, problems: read.warnings };
  },
  explainPolicy: async (parts, asked) => {
    const { body } = asked;
    requireOwnView(asked);
    const principal = await principalFor(parts, asked);
    const nowMs = body.at === undefined ? asked.nowMs : Date.parse(body.at);
    // What they send is theirs; of the gateway's they are told of the rules that are for that session.
    const isOwnOnly = asked.operator.sees !== undefined && body.files === undefined;
    const { limits } = parts.config;
    const advisories = parts.advisories?.state().index;
    // Who sees only some sessions could name a credential of others in files.
    const isStrangers = asked.operator.sees !== undefined && body.files !== undefined;
    const credentials = isStrangers ? {} : parts.config.credentials;
    const question = { principal, body, nowMs, isOwnOnly, limits, advisories, credentials };
    if (body.files !== undefined) {
      if (body.version !== undefined) throw new ProxyError('usage', 'name one of version and files');
      const read = await readFiles(parts, asked.operator, body.files);
      if ('problems' in read) throw unreadable(read.problems);
      return await explained(new NarrowedPolicy(read.policy), read.policy, question);
    }
    const then = await policyOfThen(parts, body.version);
    if (then !== undefined) return await explained(new NarrowedPolicy(then), then, question);
    return await explained(parts.policy(), parts.policies.current(), question);
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

function readFiles(parts: AdminParts, { sees }: Operator, files: Files): ReturnType<PolicyReads['read']> {
  const sources = files.map(({ name, text }) => ({ file: name, text }));
  return sees === undefined ? readPolicyFiles(parts, sources) : readWithoutNames(parts, sources);
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
  readonly isOwnOnly: boolean;
  readonly limits: AdminParts['config']['limits'];
  readonly credentials: AdminParts['config']['credentials'];
  /** What is known against packages. */
  readonly advisories: RequestAccess['advisories'] | undefined;
}

/** `deciding` is asked; `base` has the rules that are shown beside it. */
async function explained(deciding: Policy, base: Policy, question: Question): Promise<Explained> {
  const { principal, nowMs, isOwnOnly } = question;
  const access = await accessOf(question, (asked) => deciding.decide(principal, asked, nowMs));
  const known = { configs: question.credentials, isGranted: isGrantedTo(principal) };
  const { decision, steps, body, refused, text } = explainPolicy(deciding, base, {
    principal,
    access,
    nowMs,
    isOwnOnly,
    known,
  });
  const { rule } = decision;
  const effect = refused === undefined ? decision.effect : 'deny';
  return {
    request: describeAccess(access),
    policy: deciding.version,
    effect,
    rule: rule.name,
    ...given('policyName', rule.policy),
    ...given('place', rule.place),
    ...given('body', body),
    ...given('reason', decision.effect === 'deny' ? decision.reason : refused),
    inject: decision.effect === 'allow' ? decision.inject.map(({ credential }) => credential) : [],
    steps: steps.map(shownStep),
    text,
  };
}

/** @throws ProxyError usage, and what the gateway would refuse it with */
async function accessOf(
  { body: asked, limits, advisories }: Question,
  decide: (access: AccessRequest) => Decision,
): Promise<AccessRequest> {
  const { method, url, headers = [], pushed, pushOptions = [] } = asked;
  const octets = octetsOf(asked);
  if (method.toUpperCase() === 'CONNECT') {
    if (octets !== undefined) throw new ProxyError('usage', 'a connection has no body');
    return connectionAccess(url, decide);
  }
  const plain = askedRequest(method.toUpperCase(), url, headers.flat());
  const head = advisories === undefined ? plain : { ...plain, advisories };
  const { inspectBodyBytesMax, signedObjectBytesMax } = limits;
  const request =
    octets === undefined
      ? head
      : await withAskedBody(head, octets, inspectBodyBytesMax, signedObjectBytesMax);
  if (pushed === undefined && pushOptions.length === 0) return judgedAccess(request, decide);
  if (gitRequestOf(request)?.carriesCommands !== true)
    throw new ProxyError('usage', 'refs are pushed by POST to …/git-receive-pack, and by nothing else');
  const push = {
    pushed: (pushed ?? []).map(({ ref, change }) => askedUpdate(ref, change)),
    pushOptions: pushOptions.map(askedPushOption),
  };
  return judgedAccess({ ...request, ...push }, decide);
}

/** @throws ProxyError usage */
function octetsOf({ body, bodyBase64 }: Question['body']): Buffer | undefined {
  if (body !== undefined && bodyBase64 !== undefined)
    throw new ProxyError('usage', 'name one of body and bodyBase64');
  if (bodyBase64 !== undefined) return Buffer.from(bodyBase64, 'base64');
  return body === undefined ? undefined : Buffer.from(body);
}

function shownRules(policy: Policy, own: OwnRules | undefined): OutputOf<'policy'>['rules'] {
  const areTheirs = (rules: readonly Rule[], name?: string): readonly Rule[] =>
    own === undefined ? rules : rules.filter((rule) => own.hasRule(rule, name));
  if (policy instanceof CompiledPolicy) return areTheirs(policy.rules).map(shownRule);
  if (!(policy instanceof BoundPolicies)) return [];
  return policy.policies.flatMap(({ name, policy: { rules } }) =>
    areTheirs(rules, name).map((rule) => Object.assign({}, shownRule(rule), { policy: name })),
  );
}

function shownRefused({
  version: { policy, number },
  sinceMs,
  problems,
}: RefusedPolicy): OutputOf<'policy'>['refused'][number] {
  return {
    policy,
    number,
    since: isoTime(sinceMs),
    problems: problems.slice(0, problemsTold).map(formatProblem),
  };
}

function shownRule({ reference: { name, place }, effect }: Rule): OutputOf<'policy'>['rules'][number] {
  return place === undefined ? { name, effect } : { name, place, effect };
}

function shownStep(step: PolicyExplanation['steps'][number]): Explained['steps'][number] {
  const { rule, place, effect, outcome, because, looksAt, stopsAt, policy } = step;
  const more = { ...given('place', place), ...given('stopsAt', stopsAt), ...given('policy', policy) };
  return { rule, effect, outcome, because, looksAt, ...more };
}
