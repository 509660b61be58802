// `upstreamproxy policy`: checks, explains, proposes, replays and compares policies. Contacts nothing.

import { readFile } from 'node:fs/promises';

import { connectionAccess, judgedAccess } from '../../gateway/policies/asked-access.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Principal } from '../../policy/decision.ts';
import { diffPolicies, diffText } from '../../policy/diff-policy.ts';
import { describeAccess } from '../../policy/denial.ts';
import { explain } from '../../policy/explain.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { withRecords } from '../operator/audit-records.ts';
import { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { postureOption, requestAccess } from './explain-access.ts';
import { gitAccesses } from './git-accesses.ts';
import { openPolicy } from './open-policy.ts';
import { PolicyProposal } from './policy-proposal.ts';
import { problemsOf, problemText } from '../gateway/policy-warnings.ts';
import { PolicyReplay } from '../../gateway/policies/policy-replay.ts';
import { replayText } from './policy-replay.ts';
import { history, openPublished, publish, rollBack, show, withdraw } from './published.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

type Actions = (typeof policyDefinition)['actions'];
type CheckInput = Input<Actions[0]>;
type ExplainInput = Input<Actions[1]>;
type LearnInput = Input<Actions[2]>;
type ReplayInput = Input<Actions[3]>;
type DiffInput = Input<Actions[4]>;

async function check({ options, arguments: { FILE: files } }: CheckInput): Promise<number> {
  const { json, config } = options;
  let opened: Awaited<ReturnType<typeof openPolicy>>;
  try {
    opened = await openPolicy([...files, ...(options.policy ?? [])], config);
  } catch (error) {
    if (!json) throw error;
    process.stdout.write(jsonLine({ ok: false, problems: problemsOf(error) }));
    return errorTable.config_invalid.exit;
  }
  const { policy, warnings: problems } = opened;
  const ok = !options['fail-on-warning'] || problems.length === 0;
  const { version } = policy;
  const rules = policy.rules.length;
  if (json) process.stdout.write(jsonLine({ ok, rules, version, problems }));
  else {
    for (const problem of problems) process.stdout.write(`${problemText(problem)}\n`);
    if (ok) process.stdout.write(`good: ${rules} ${rules === 1 ? 'rule' : 'rules'}, version ${version}\n`);
  }
  return ok ? 0 : 1;
}

async function readClaims(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (file === undefined) return {};
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('it is not a JSON object');
    // An object of JSON has string keys and unknown values.
    return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    // What stands in the file is its owner's, and no part of a message.
    const reason = error instanceof SyntaxError ? 'it is not JSON' : faultReason(error);
    throw new ProxyError('config_invalid', `cannot use the claims of ${file}: ${reason}`, { cause: error });
  }
}

async function explainRequest(input: ExplainInput): Promise<number> {
  const { options } = input;
  const posture = postureOption(options.posture);
  const asked = accessesOf(input);
  const { policy } = await openPolicy(options.policy ?? [], options.config);
  const claims = await readClaims(options.claims);
  const principal: Principal = { id: 'explain', sessionId: 'explain', claims, posture };
  const nowMs = Date.now();
  const decide = (access: AccessRequest): Decision => policy.decide(principal, access, nowMs);
  const explanations = asked(decide).map((access) => {
    const { decision, steps, text } = explain(policy, principal, access, nowMs);
    return { request: describeAccess(access), decision, steps, text };
  });
  for (const { request, decision, steps, text } of explanations)
    process.stdout.write(options.json ? jsonLine({ request, decision, steps }) : text);
  const isAllowed = explanations.every(({ decision }) => decision.effect === 'allow');
  return isAllowed ? 0 : errorTable.policy_denied.exit;
}

/** What is asked about, once there is a policy that says whether connections are opened. */
function accessesOf({
  options: { change, header, 'push-option': options = [] },
  arguments: { METHOD: method, URL: url, REF: more },
}: ExplainInput): (decide: (access: AccessRequest) => Decision) => readonly AccessRequest[] {
  if (method !== 'git' && more.length > 0)
    throw new ProxyError('usage', 'name one request: upstreamproxy policy explain METHOD URL --policy FILE');
  if (method.toUpperCase() === 'CONNECT') return (decide) => [connectionAccess(url, decide)];
  const requests =
    method === 'git'
      ? gitAccesses(url, { url: more[0] ?? '', refs: more.slice(1), change, options }, requestAccess)
      : [requestAccess(method.toUpperCase(), url, header)];
  return (decide) => {
    const judged = requests.map((access) => judgedAccess(access, decide));
    // A connection that is not opened is one decision for all that passes in it.
    return judged.every(({ depth }) => depth === 'connect') ? judged.slice(0, 1) : judged;
  };
}

async function learn({ options, arguments: { AUDIT: file } }: LearnInput): Promise<number> {
  const place = { ...options, ...(file === undefined ? {} : { audit: file }) };
  const proposal = new PolicyProposal();
  await withRecords(place, Date.now(), async ({ events }) => {
    for await (const event of events) proposal.note(event);
  });
  process.stdout.write(proposal.text());
  return 0;
}

async function replayPolicy({ options, arguments: { FILE: named } }: ReplayInput): Promise<number> {
  const files = [...named, ...(options.policy ?? [])];
  if (files.length === 0)
    throw new ProxyError('usage', 'which policy? upstreamproxy policy replay FILE --audit AUDIT');
  const { policy } = await openPolicy(files, options.config);
  const result = await withRecords(options, Date.now(), async ({ events, sessions }) => {
    const replaying = new PolicyReplay(policy, sessions);
    for await (const event of events) replaying.note(event);
    return replaying.result();
  });
  process.stdout.write(options.json ? jsonLine(result) : replayText(result));
  return options['fail-on-flip'] && result.flips.length > 0 ? 1 : 0;
}

async function diff({ options, arguments: { OLD: before, NEW: after } }: DiffInput): Promise<number> {
  const old = await openEither(before, options);
  const result = diffPolicies(old, await openEither(after, options));
  process.stdout.write(options.json ? jsonLine(result) : diffText(result));
  return 0;
}

/** A file, or `@3` for a version of the store. */
async function openEither(text: string, options: DiffInput['options']): Promise<CompiledPolicy> {
  if (!text.startsWith('@')) return (await openPolicy([text], options.config)).policy;
  return await openPublished(text.slice(1), options);
}

export const policyCommand = groupOf(policyDefinition, {
  check,
  explain: explainRequest,
  learn,
  replay: replayPolicy,
  diff,
  publish,
  history,
  show,
  rollback: rollBack,
  withdraw,
});
