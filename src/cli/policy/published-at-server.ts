// Published policies by the admin API of a gateway elsewhere.

import type { OutputOf } from '../../api/admin/routes.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { AdminConnection } from '../../admin/admin-connection.ts';
import { askedConfirmation, outcomesIfKnown } from '../operator/confirmation-line.ts';
import { confirmAtServer } from '../operator/server-backend.ts';
import type {
  Changed,
  ChangeWish,
  HistoryLine,
  PolicyChange,
  PublishedBackend,
  ShownOutcome,
  ShownVersion,
} from './published-backend.ts';

/** Of one page of the API. */
const pageVersionsMax = 1000;

export function publishedAtServer(connection: AdminConnection): PublishedBackend {
  return {
    history: (policy, limit) => historyOf(connection, policy, limit),
    show: async (policy, number) => {
      const { files, ...version } =
        number === undefined
          ? await connection.ask('publishedPolicy', { id: policy })
          : await connection.ask('policyVersion', { id: `${policy}@${number}` });
      return { version: shownVersion(version), files };
    },
    change: (change, wish) => changeAt(connection, change, wish),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function historyOf(
  connection: AdminConnection,
  policy: string | undefined,
  limit: number,
): Promise<readonly HistoryLine[]> {
  const lines: HistoryLine[] = [];
  let before: string | undefined;
  do {
    const query = {
      count: String(Math.min(limit - lines.length, pageVersionsMax)),
      ...(policy === undefined ? {} : { policy }),
      ...(before === undefined ? {} : { before }),
    };
    const { items, next } = await connection.ask('policyHistory', { query });
    for (const { inForce, gateways, ...version } of items) {
      const outcomes = gateways.map(outcomeOf);
      lines.push({ version: shownVersion(version), isPublished: inForce, outcomes });
    }
    // A cursor that leads nowhere else would be followed for ever.
    before = items.length === 0 || next === before ? undefined : next;
  } while (before !== undefined && lines.length < limit);
  return lines.slice(0, limit);
}

async function changeAt(
  connection: AdminConnection,
  change: PolicyChange,
  { policy, note, seen: asked }: ChangeWish,
): Promise<Changed> {
  const seen = asked ?? (await publishedNumber(connection, policy));
  const common = { seen, ...(note === undefined ? {} : { note }) };
  const { version, warnings, diff } = await send(connection, policy, change, common);
  const confirmation = await askedConfirmation(() => confirmAtServer(connection));
  const outcomes = await outcomesIfKnown(async () => {
    const [line] = await historyOf(connection, policy, 1);
    return line?.version.number === version.number ? line.outcomes : [];
  });
  return {
    version: shownVersion(version),
    warnings,
    diff,
    machine: { diff, warnings },
    confirmation,
    outcomes,
    isFollowed: undefined,
  };
}

function send(
  connection: AdminConnection,
  id: string,
  change: PolicyChange,
  common: object,
): Promise<OutputOf<'publishPolicy'>> {
  switch (change.kind) {
    case 'publish': {
      const { files, binding } = change;
      const body = { ...common, files, ...(binding === undefined ? {} : { for: binding }) };
      return connection.ask('publishPolicy', { id, body });
    }
    case 'rollback':
      return connection.ask('rollBackPolicy', { id, body: { ...common, to: change.to } });
    case 'withdraw':
      return connection.ask('withdrawPolicy', { id, body: common });
  }
}

/** 0 where none is published. */
async function publishedNumber(connection: AdminConnection, policy: string): Promise<number> {
  try {
    return (await connection.ask('publishedPolicy', { id: policy })).number;
  } catch (error) {
    if (asProxyError(error).code === 'operation_unknown') return 0;
    throw error;
  }
}

function outcomeOf({
  gateway,
  state,
  reason,
}: OutputOf<'policyHistory'>['items'][number]['gateways'][number]): ShownOutcome {
  return { gatewayId: gateway, state, ...(reason === undefined ? {} : { reason }) };
}

function shownVersion(version: Omit<OutputOf<'policyVersion'>, 'files'>): ShownVersion {
  const { policy, number, version: hash, published, publishedBy, note, backTo } = version;
  return {
    policy,
    number,
    version: hash,
    isWithdrawn: version.withdrawn,
    published,
    publishedBy,
    ...(version.for === undefined ? {} : { binding: version.for }),
    ...(note === undefined ? {} : { note }),
    ...(backTo === undefined ? {} : { backTo }),
  };
}
