// Policies of the store: what was published, what a change of it means, and changing it.

import type { OutputOf } from '../../api/admin/routes.ts';
import { mainName } from '../../policy/bound-policies.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { diffSteps, diffText, type RuleChange, type RuleEntry } from '../../policy/diff-policy.ts';
import { formatProblem, InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PolicyOutcome, PolicyText, PolicyVersion } from '../../store/policy-store.ts';
import { inTurns } from '../policies/in-turns.ts';
import { policyNames } from '../policies/open-policies.ts';
import { publishedPlace } from '../policies/published-policies.ts';
import {
  checkName,
  type Published,
  type PublishDesk,
  publishPolicy,
  rollBackPolicy,
} from '../policies/publish-policy.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { requireMatch } from './etag.ts';
import { requireStillKnown } from './operator.ts';
import type { PolicyReads, ReadPurpose } from './policy-reads.ts';

type Version = OutputOf<'policyVersion'>;
type HistoryItem = OutputOf<'policyHistory'>['items'][number];
type Writing = 'publishPolicy' | 'rollBackPolicy' | 'withdrawPolicy';

const historyDefault = 100;
const problemsTold = 20;

export const publishedOperations: Handlers<
  'policyText' | 'policyHistory' | 'policyVersion' | 'publishedPolicy' | 'diffPolicy' | Writing
> = {
  policyText: ({ policies }) => ({ version: policies.current().version, files: policies.texts() }),
  policyHistory: async ({ store }, { query: { policy, before, count: limit = historyDefault } }) => {
    if (before !== undefined && policy === undefined)
      throw new ProxyError('usage', 'before is a number of one policy; name it');
    const query = { limit, ...given('policy', policy), ...given('before', before) };
    const versions = await store.policies.history(query);
    const heads = new Set((await store.policies.published()).map(publishedPlace));
    const items: HistoryItem[] = [];
    for (const version of versions) {
      const gateways = (await store.policies.outcomes(version.policy, version.number)).map(shownOutcome);
      items.push({ ...shownFields(version), inForce: heads.has(publishedPlace(version)), gateways });
    }
    const isMore = policy !== undefined && versions.length === limit;
    return { items, ...given('next', isMore ? String(versions.at(-1)?.number) : undefined) };
  },
  policyVersion: async (parts, { id }) => await findVersion(parts, id),
  publishedPolicy: async (parts, { id }) => await findHead(parts, id),
  publishPolicy: async (parts, asked) => {
    const { body, id: policy, nowMs } = asked;
    const { files, note, for: binding } = body;
    const seen = await seenNumber(parts, asked);
    return await published(() =>
      publishPolicy(deskOf(parts, asked), { policy, files, binding, note, seen, nowMs }),
    );
  },
  rollBackPolicy: async (parts, asked) => {
    const { body, id: policy, nowMs } = asked;
    const { to, note } = body;
    const seen = await seenNumber(parts, asked);
    return await published(() => rollBackPolicy(deskOf(parts, asked), { policy, to, note, seen, nowMs }));
  },
  withdrawPolicy: async (parts, asked) => {
    const { body, id: policy, nowMs } = asked;
    const seen = await seenNumber(parts, asked);
    return await published(() =>
      publishPolicy(deskOf(parts, asked), { policy, files: [], note: body.note, seen, nowMs }),
    );
  },
  diffPolicy: async (parts, { body }) => {
    const before = await readEither(parts, body.before);
    const diff = await inTurns(diffSteps(before, await readEither(parts, body.after)));
    return {
      opened: diff.opened,
      closed: diff.closed,
      added: diff.added.map(entryText),
      removed: diff.removed.map(entryText),
      changed: diff.changed.map(changeText),
      ...given('notCompared', diff.notCompared),
      text: diffText(diff),
    };
  },
};

/** Reads files with the names of this gateway's configuration. Commands of `discover` are the gateway's own: no request starts one. */
export function readPolicyFiles(
  { config, policyReads }: Pick<AdminParts, 'config' | 'policyReads'>,
  sources: readonly YamlSource[],
  purpose: ReadPurpose = 'look',
): ReturnType<PolicyReads['read']> {
  const { discover: _, ...names } = policyNames(config);
  return policyReads.read(sources, names, purpose);
}

/** Reads files of somebody who sees only some sessions: what is wrong with a name would tell which there are, so none is compared. */
export async function readWithoutNames(
  { policyReads }: Pick<AdminParts, 'policyReads'>,
  sources: readonly YamlSource[],
): ReturnType<PolicyReads['read']> {
  const read = await policyReads.read(sources, {});
  if ('problems' in read) return read;
  const message =
    'names of credentials and trust were not compared with the configuration, which is not told to who sees only some sessions';
  const { file = '' } = sources[0] ?? {};
  return {
    ...read,
    warnings: [...read.warnings, { severity: 'warning', message, file, line: 1, column: 1 }],
  };
}

/** What the operator saw: by the number, or by the ETag of the published version. @throws ProxyError usage, state_changed */
async function seenNumber(parts: AdminParts, { id, body, ifMatch }: Asked<Writing>): Promise<number> {
  checkName(id);
  if (ifMatch === undefined) {
    if (body.seen !== undefined) return body.seen;
    throw new ProxyError(
      'usage',
      'say what is to be replaced: If-Match with its ETag, or its number as seen',
    );
  }
  const head = await findHead(parts, id);
  requireMatch(ifMatch, head);
  if (body.seen !== undefined && body.seen !== head.number)
    throw new ProxyError('state_changed', `version ${head.number} is published, not ${body.seen}`);
  return head.number;
}

function deskOf(parts: AdminParts, { operator }: Asked<Writing>): PublishDesk {
  const { store, operators, record, clock } = parts;
  return {
    policies: store.policies,
    operator: operator.name,
    record,
    read: (sources) => readPolicyFiles(parts, sources, 'publish'),
    stillMay: () => requireStillKnown(operators, operator, clock()),
  };
}

async function published(act: () => Promise<Published>): Promise<OutputOf<'publishPolicy'>> {
  const { version, files, warnings, diff } = await told(act);
  return {
    version: { ...shownFields(version), files },
    warnings: warnings.map(({ message }) => message),
    ...given('diff', diff === undefined ? undefined : diffText(diff)),
  };
}

/** Files that cannot be taken are a fault of who sends them here, not of this gateway. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof InvalidFilesError) throw unreadable(error.problems);
    if (error instanceof ProxyError && error.code === 'config_invalid')
      throw new ProxyError('usage', error.message, { cause: error });
    throw error;
  }
}

/** What is wrong with files, as one line. */
export function unreadable(problems: readonly PolicyProblem[]): ProxyError {
  const lines = problems.slice(0, problemsTold).map(formatProblem);
  return new ProxyError('usage', `the policy cannot be taken: ${lines.join('; ')}`);
}

type Either = Pick<Asked<'replayPolicy'>['body'], 'version' | 'files'>;

/** The policy of a published version, or of files that came with the request. @throws ProxyError usage, operation_unknown */
export async function readEither(parts: AdminParts, { version, files }: Either): Promise<CompiledPolicy> {
  const texts = files ?? (await versionOrHead(parts, version ?? mainName)).files;
  const place = version === undefined ? '' : `${version}/`;
  const result = await told(() =>
    readPolicyFiles(
      parts,
      texts.map(({ name, text }) => ({ file: `${place}${name}`, text })),
    ),
  );
  if ('problems' in result) throw unreadable(result.problems);
  return result.policy;
}

function versionOrHead(parts: AdminParts, id: string): Promise<Version> {
  return id.includes('@') ? findVersion(parts, id) : findHead(parts, id);
}

/** @throws ProxyError operation_unknown */
async function findVersion({ store }: AdminParts, id: string): Promise<Version> {
  const [policy = '', number = ''] = id.split('@');
  const version = /^\d{1,9}$/.test(number) ? await store.policies.find(policy, Number(number)) : undefined;
  return shownVersion(version, version === undefined ? undefined : await store.policies.files(version.hash));
}

async function findHead({ store }: AdminParts, policy: string): Promise<Version> {
  const version = (await store.policies.published()).find((one) => one.policy === policy);
  return shownVersion(version, version === undefined ? undefined : await store.policies.files(version.hash));
}

function shownVersion(version: PolicyVersion | undefined, files: readonly PolicyText[] | undefined): Version {
  if (version === undefined || files === undefined)
    throw new ProxyError('operation_unknown', 'the store has no such version of a policy');
  return { ...shownFields(version), files };
}

function shownFields(version: PolicyVersion): Omit<Version, 'files'> {
  const { policy, number, binding, isWithdrawn, publishedMs, publishedBy, note, backTo } = version;
  return {
    id: publishedPlace(version),
    policy,
    number,
    version: version.version,
    ...given('for', binding === undefined ? undefined : { ...binding }),
    withdrawn: isWithdrawn,
    published: isoTime(publishedMs),
    publishedBy,
    ...given('note', note),
    ...given('backTo', backTo),
  };
}

function shownOutcome({ gatewayId, state, reason, atMs }: PolicyOutcome): HistoryItem['gateways'][number] {
  return { gateway: gatewayId, state, ...given('reason', reason), time: isoTime(atMs) };
}

function entryText({ effect, name }: RuleEntry): string {
  return `${effect} ${name}`;
}

function changeText({ effect, name, direction }: RuleChange): string {
  return `${effect} ${name}: ${direction}`;
}
