// What an operator publishes, by whatever way they came: checked as a gateway would, stored upon what they saw, and its event.

import { beyondCeilingSteps, checkCeiling } from '../../policy/check-ceiling.ts';
import { ceilingName, mainName } from '../../policy/bound-policies.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { diffSteps, type PolicyDiff } from '../../policy/diff-policy.ts';
import type { ParsePolicyResult } from '../../policy/parse-policy.ts';
import { withinCeilingWarnings } from '../../policy/proof/within-proof.ts';
import { InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type {
  NewPolicyVersion,
  PolicyBinding,
  PolicyStore,
  PolicyText,
  PolicyVersion,
} from '../../store/policy-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { inTurns } from './in-turns.ts';
import { versionOf } from './policy-version.ts';
import { publishedPlace } from './published-policies.ts';

export interface PublishDesk {
  readonly policies: PolicyStore;
  /** Who does it, for the history and the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
  /** Reads files with the names of the configuration. */
  readonly read: (sources: readonly YamlSource[]) => Promise<ParsePolicyResult>;
  /** Asked last, for reading takes its time. Throws if the operator may not any more. */
  readonly stillMay?: () => Promise<void>;
}

export interface PublishWish {
  readonly policy: string;
  /** None: it is withdrawn. */
  readonly files: readonly PolicyText[];
  /** Absent: as it was. */
  readonly binding?: PolicyBinding | undefined;
  readonly note?: string | undefined;
  /** The number that the operator saw, 0 for none. */
  readonly seen: number;
  readonly nowMs: number;
}

export interface Published {
  readonly version: PolicyVersion;
  readonly files: readonly PolicyText[];
  /** Undefined where there is nothing to compare. */
  readonly diff: PolicyDiff | undefined;
  readonly warnings: readonly Pick<PolicyProblem, 'message' | 'severity'>[];
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * Publishes it. @throws ProxyError usage, config_invalid with every problem, state_changed if somebody published meanwhile,
 * limit_exceeded, audit_unavailable
 */
export async function publishPolicy(desk: PublishDesk, wish: PublishWish): Promise<Published> {
  const { policy, files } = wish;
  checkName(policy);
  checkFiles(files);
  const published = await desk.policies.published();
  const head = published.find((one) => one.policy === policy);
  if (files.length === 0 && (head === undefined || head.isWithdrawn))
    throw new ProxyError('state_changed', `no policy ${policy} is published`);
  const binding = bindingOf(wish, head);
  const checked = files.length === 0 ? undefined : await read(desk, policy, files);
  const others = await readOthers(desk, published, policy);
  const version = await store(desk, wish, {
    ...(binding === undefined ? {} : { binding }),
    version: checked?.policy.version ?? versionOf([]),
  });
  return {
    version,
    files,
    diff:
      others.before === undefined || checked === undefined
        ? undefined
        : await inTurns(diffSteps(others.before, checked.policy)),
    warnings:
      checked === undefined
        ? []
        : [...checked.warnings, ...(await ceilingWarnings(wish, checked.policy, others))],
  };
}

/** Publishes an earlier version again. @throws as `publishPolicy`, and operation_unknown */
export async function rollBackPolicy(
  desk: PublishDesk,
  wish: Omit<PublishWish, 'files' | 'binding'> & { readonly to: number },
): Promise<Published> {
  const { policy, to } = wish;
  const earlier = await desk.policies.find(policy, to);
  // Whom a damaged one was for is not known.
  const files =
    earlier === undefined || earlier.damaged !== undefined
      ? undefined
      : await desk.policies.files(earlier.hash);
  if (earlier === undefined || files === undefined)
    throw new ProxyError(
      'operation_unknown',
      `the policy ${policy} has no version ${to} that is kept; see policy history`,
    );
  const published = await desk.policies.published();
  // The names of the configuration may be others now than they were then.
  const checked = files.length === 0 ? undefined : await read(desk, policy, files);
  const others = await readOthers(desk, published, policy);
  const { binding } = earlier;
  const again = { ...(binding === undefined ? {} : { binding }), version: earlier.version, backTo: to };
  const version = await store(desk, { ...wish, files }, again);
  return {
    version,
    files,
    diff:
      others.before === undefined || checked === undefined
        ? undefined
        : await inTurns(diffSteps(others.before, checked.policy)),
    warnings:
      checked === undefined
        ? []
        : [...checked.warnings, ...(await ceilingWarnings(wish, checked.policy, others))],
  };
}

/** @throws ProxyError usage */
export function checkName(policy: string): void {
  if (!namePattern.test(policy))
    throw new ProxyError('usage', 'a policy has a short name of a-z, 0-9 and "-", such as main or team-web');
}

function checkFiles(files: readonly PolicyText[]): void {
  const { policyFilesMax, policyPublishedBytesMax } = defaultLimits;
  if (files.length > policyFilesMax)
    throw new ProxyError('usage', `${files.length} files are more than a policy has (policyFilesMax)`);
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > policyPublishedBytesMax)
    throw new ProxyError(
      'config_invalid',
      `the files have ${bytes} bytes, and a published policy at most ${policyPublishedBytesMax} (policyPublishedBytesMax); split it by teams`,
    );
  const names = files.map(({ name }) => name);
  const bad = names.find((name) => !/^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/.test(name));
  if (bad !== undefined)
    throw new ProxyError('usage', 'names of published files have letters, digits, ".", "_", "-" and spaces');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ProxyError('usage', `two files are called ${twice}; rename one, for places name files`);
}

/** Those of main and of the ceiling are for every session; others say whom they are for. */
function bindingOf(
  { policy, binding }: PublishWish,
  head: PolicyVersion | undefined,
): PolicyBinding | undefined {
  const isForAll = policy === mainName || policy === ceilingName;
  if (isForAll && binding !== undefined)
    throw new ProxyError('usage', `the policy ${policy} is for every session; claims bind another name`);
  const wanted = binding ?? head?.binding;
  if (isForAll) return undefined;
  if (wanted === undefined || Object.keys(wanted).length === 0)
    throw new ProxyError('usage', `for whom is the policy ${policy}? --for CLAIM=VALUE`);
  if (Object.keys(wanted).length > defaultLimits.policyBindingClaimsMax)
    throw new ProxyError(
      'usage',
      `a policy is bound by ${defaultLimits.policyBindingClaimsMax} claims at the most`,
    );
  return wanted;
}

interface Checked {
  readonly policy: CompiledPolicy;
  readonly warnings: readonly PolicyProblem[];
}

async function read(desk: PublishDesk, policy: string, files: readonly PolicyText[]): Promise<Checked> {
  const result = await desk.read(files.map(({ name, text }) => ({ file: name, text })));
  if ('problems' in result) throw new InvalidFilesError(result.problems);
  const problems = policy === ceilingName ? checkCeiling(result.policy) : [];
  if (problems.length > 0) throw new InvalidFilesError(problems);
  // Their texts alone, as gateways count them.
  return result;
}

interface Others {
  readonly before: CompiledPolicy | undefined;
  readonly ceiling: CompiledPolicy | undefined;
}

/** What is published beside it; what cannot be read any more is left out. */
async function readOthers(
  desk: PublishDesk,
  published: readonly PolicyVersion[],
  policy: string,
): Promise<Others> {
  const readOne = async (name: string): Promise<CompiledPolicy | undefined> => {
    const version = published.find((one) => one.policy === name && !one.isWithdrawn);
    const files = version === undefined ? undefined : await desk.policies.files(version.hash);
    if (files === undefined) return undefined;
    const result = await desk.read(files.map(({ name: file, text }) => ({ file, text })));
    return 'problems' in result ? undefined : result.policy;
  };
  const before = await readOne(policy);
  return { before, ceiling: policy === ceilingName ? undefined : await readOne(ceilingName) };
}

const warningsShown = 20;

async function ceilingWarnings(
  { policy: name, nowMs }: Pick<PublishWish, 'policy' | 'nowMs'>,
  policy: CompiledPolicy,
  { ceiling }: Others,
): Promise<readonly Pick<PolicyProblem, 'message' | 'severity'>[]> {
  if (ceiling === undefined || name === ceilingName) return [];
  const { publishProofStatesMax: statesMax } = defaultLimits;
  const proven = await inTurns(withinCeilingWarnings({ policy, ceiling, nowMs, statesMax }));
  const beyond = [...proven, ...(await inTurns(beyondCeilingSteps(policy, ceiling)))];
  const more =
    beyond.length > warningsShown ? [`and ${beyond.length - warningsShown} more beyond the ceiling`] : [];
  return [...beyond.slice(0, warningsShown), ...more].map((message) => ({ message, severity: 'warning' }));
}

async function store(
  desk: PublishDesk,
  { policy, files, note, seen, nowMs }: PublishWish,
  rest: Pick<NewPolicyVersion, 'version' | 'binding' | 'backTo'>,
): Promise<PolicyVersion> {
  const { policiesPublishedMax: policiesMax, policyVersionsMax } = defaultLimits;
  const words = note === undefined ? {} : { note: note.slice(0, defaultLimits.policyNoteCharactersMax) };
  await desk.stillMay?.();
  const outcome = await desk.policies.publish(
    { policy, files, publishedMs: nowMs, publishedBy: desk.operator, ...words, ...rest },
    seen,
    { policiesMax, policyVersionsMax },
  );
  switch (outcome.kind) {
    case 'published':
      await record(desk, outcome.version, seen, nowMs);
      return outcome.version;
    case 'changed':
      throw changed(policy, outcome.published);
    case 'too_many_policies':
      throw new ProxyError(
        'limit_exceeded',
        `there are ${policiesMax} policies already (policiesPublishedMax)`,
        {
          limit: 'policiesPublishedMax',
        },
      );
  }
}

function changed(policy: string, head: PolicyVersion | undefined): ProxyError {
  const now =
    head === undefined
      ? 'none is published'
      : `version ${head.number} is published, by ${head.publishedBy} at ${new Date(head.publishedMs).toISOString()}`;
  return new ProxyError(
    'state_changed',
    `the policy ${policy} is not as it was when it was looked at: ${now}; look at it, and publish upon it`,
  );
}

/** The history has who and when from the same transaction; this is where the audit shows it. */
async function record(
  { record: write, operator }: PublishDesk,
  version: PolicyVersion,
  before: number,
  nowMs: number,
): Promise<void> {
  const { policy, number, version: hash, binding, note, backTo, isWithdrawn } = version;
  const what = isWithdrawn
    ? 'was withdrawn'
    : backTo === undefined
      ? 'was published'
      : `was published: version ${backTo} again`;
  await write({
    action: 'policy_published',
    nowMs,
    message: `The policy ${publishedPlace(version)} ${what}.`,
    details: { policy, number, version: hash, before, operator, binding, note, backTo },
  });
}
