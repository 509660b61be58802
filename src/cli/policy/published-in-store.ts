// Published policies in the store of a gateway on this machine, whether it runs or not.

import { confirmChange } from '../../gateway/changes/confirm-change.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { loadPolicyHere } from '../../gateway/policies/policy-loading.ts';
import {
  type Published,
  type PublishDesk,
  publishPolicy,
  rollBackPolicy,
} from '../../gateway/policies/publish-policy.ts';
import { publishedPlace } from '../../gateway/policies/published-policies.ts';
import { diffText } from '../../policy/diff-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PolicyStore, PolicyText, PolicyVersion } from '../../store/policy-store.ts';
import type { Store } from '../../store/store.ts';
import { problemText } from '../gateway/policy-warnings.ts';
import { askedConfirmation, outcomesIfKnown } from '../operator/confirmation-line.ts';
import { openOperatorDesk, type OperatorDesk } from '../operator/operator-audit.ts';
import { openStoreToRead } from '../operator/operator-store.ts';
import type {
  Changed,
  ChangeWish,
  HistoryLine,
  PolicyChange,
  PublishedBackend,
  ShownVersion,
} from './published-backend.ts';

/** `write`: its audit is opened too. */
export async function publishedInStore(
  config: GatewayConfig,
  access: 'read' | 'write',
): Promise<PublishedBackend> {
  const desk = access === 'write' ? await openOperatorDesk(config) : undefined;
  const store = desk?.store ?? (await openStoreToRead(config));
  const owned = desk ?? store;
  return {
    history: (policy, limit) => historyOf(store, policy, limit),
    show: async (policy, number) => {
      const { version, files } = await findPublished(store.policies, policy, number);
      return { version: shownVersion(version), files };
    },
    change: async (change, wish) => {
      if (desk === undefined) throw new ProxyError('internal', 'the store was opened to be read');
      return await changeIn(desk, config, change, wish);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function historyOf(
  { policies }: Store,
  policy: string | undefined,
  limit: number,
): Promise<readonly HistoryLine[]> {
  const versions = await policies.history({ limit, ...(policy === undefined ? {} : { policy }) });
  const heads = new Set((await policies.published()).map(publishedPlace));
  const lines: HistoryLine[] = [];
  for (const version of versions)
    lines.push({
      version: shownVersion(version),
      isPublished: heads.has(publishedPlace(version)),
      outcomes: await policies.outcomes(version.policy, version.number),
    });
  return lines;
}

async function changeIn(
  { store, operator, record }: OperatorDesk,
  config: GatewayConfig,
  change: PolicyChange,
  { policy, note, seen: asked }: ChangeWish,
): Promise<Changed> {
  const { policies } = store;
  const head = (await policies.published()).find((one) => one.policy === policy);
  const seen = asked ?? head?.number ?? 0;
  const desk: PublishDesk = { policies, operator, record, read: readerOf(config) };
  const { version, diff, warnings } = await act(desk, change, { policy, note, seen, nowMs: Date.now() });
  const isFollowed = config.policy.mode === 'store';
  return {
    version: shownVersion(version),
    warnings: warnings.map(problemText),
    diff: diff === undefined ? undefined : diffText(diff),
    machine: { diff, warnings },
    isFollowed,
    confirmation: isFollowed ? await askedConfirmation(() => confirmChange(store)) : undefined,
    outcomes: isFollowed
      ? await outcomesIfKnown(() => policies.outcomes(version.policy, version.number))
      : [],
  };
}

type Wish = Omit<Parameters<typeof publishPolicy>[1], 'files' | 'binding'>;

function act(desk: PublishDesk, change: PolicyChange, wish: Wish): Promise<Published> {
  switch (change.kind) {
    case 'publish':
      return publishPolicy(desk, { ...wish, files: change.files, binding: change.binding });
    case 'rollback':
      return rollBackPolicy(desk, { ...wish, to: change.to });
    case 'withdraw':
      return publishPolicy(desk, { ...wish, files: [] });
  }
}

/** Reads files as a gateway of the configuration does. */
export function readerOf(config: GatewayConfig): PublishDesk['read'] {
  // What tools of one machine are configured to use is no policy for all.
  const { discover: _, ...names } = policyNames(config);
  return (sources) => loadPolicyHere(sources, names);
}

/** The version of that number, or the published one. @throws ProxyError operation_unknown */
export async function findPublished(
  policies: PolicyStore,
  policy: string,
  number: number | undefined,
): Promise<{ readonly version: PolicyVersion; readonly files: readonly PolicyText[] }> {
  const version =
    number === undefined
      ? (await policies.published()).find((one) => one.policy === policy)
      : await policies.find(policy, number);
  const files = version === undefined ? undefined : await policies.files(version.hash);
  if (version === undefined || files === undefined)
    throw new ProxyError(
      'operation_unknown',
      `the store has no ${number === undefined ? 'policy' : `version ${number} of the policy`} ${policy}; policy history lists what it has`,
    );
  return { version, files };
}

function shownVersion({ publishedMs, ...rest }: PolicyVersion): ShownVersion {
  return { ...rest, published: new Date(publishedMs).toISOString() };
}
