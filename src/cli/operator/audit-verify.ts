// `upstreamproxy audit verify`: whether what the store has of the audit is what gateways stored.

import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import type { Period } from '../../store/chain/chain-walk.ts';
import { type ChainReport, verifyChain } from '../../store/chain/verify-chain.ts';
import type { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { placesOfConfig } from '../gateway/identity-access.ts';
import { withProgress } from '../terminal/progress.ts';
import { asciiText } from '../terminal/text-table.ts';
import { askedTime } from './asked-time.ts';
import type { AdminConnection } from '../../admin/admin-connection.ts';
import { openConnection } from './operator-place.ts';
import { openStoreToRead } from './operator-store.ts';

export async function verifyCommand({
  options,
}: Input<(typeof auditDefinition)['actions'][2]>): Promise<number> {
  const nowMs = Date.now();
  const time = (name: 'since' | 'until'): number | undefined => {
    const text = options[name];
    return text === undefined ? undefined : askedTime(name, text, nowMs);
  };
  const period = { fromMs: time('since'), untilMs: time('until') };
  await using connection = await openConnection(options);
  let seen = 0;
  const report = await withProgress(
    options,
    () => `${seen} events`,
    (step) => {
      const onSeen = (events: number): void => {
        seen = events;
        step();
      };
      return connection === undefined
        ? verifiedHere(options, period, onSeen)
        : verifiedThere(connection, options, period, onSeen);
    },
  );
  process.stdout.write(options.format === 'json' ? `${JSON.stringify(report)}\n` : reportText(report));
  return report.findingsTotal > 0 ? 1 : 0;
}

type Options = Input<(typeof auditDefinition)['actions'][2]>['options'];

async function verifiedHere(
  options: Options,
  period: Period,
  onSeen: (events: number) => void,
): Promise<ChainReport> {
  const config = await gatewayOfOptions(options);
  const keys = await identityKeys(config, options.key);
  await using store = await openStoreToRead(config);
  return await verifyChain(store.audit.chain, keys, period, onSeen);
}

async function verifiedThere(
  connection: AdminConnection,
  { key }: Options,
  { fromMs, untilMs }: Period,
  onSeen: (events: number) => void,
): Promise<ChainReport> {
  if (key !== undefined)
    throw new ProxyError('usage', '--key goes with a store here: a gateway elsewhere looks by its own keys');
  const time = (name: string, ms: number | undefined) =>
    ms === undefined ? {} : { [name]: new Date(ms).toISOString() };
  const body = { ...time('since', fromMs), ...time('until', untilMs) };
  const [{ lastOf }, { toldResults }] = await Promise.all([
    import('./server-progress.ts'),
    import('../../admin/told-results.ts'),
  ]);
  return await lastOf(toldResults(connection, 'verifyAudit', { body }), ({ report }) => report, onSeen);
}

/** Of the identity, or of a file. */
async function identityKeys(config: GatewayConfig, path: string | undefined): Promise<readonly KeyObject[]> {
  if (path === undefined) return (await (await placesOfConfig(config)).signingKey.read()).publicKeys;
  try {
    const text = await readFile(path, 'utf8');
    // One behind the other: those of before as well.
    const keys = text.split(/(?=-----BEGIN )/).filter((block) => block.startsWith('-----BEGIN '));
    const publicKeys = (keys.length === 0 ? [text] : keys).map((key) => createPublicKey(key));
    if (publicKeys.every(({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519')) return publicKeys;
  } catch (error) {
    throw new ProxyError('usage', `--key ${path} cannot be read as a public key: ${faultReason(error)}`, {
      cause: error,
    });
  }
  throw new ProxyError('usage', `--key ${path} is no Ed25519 key`);
}

/** What a person reads. Nothing in it is of events but their ids. */
export function reportText(report: ChainReport): string {
  const { events, notChained, removed, chains, uncovered, findings, findingsTotal } = report;
  const lines = findings.map(({ kind, id, message }) =>
    asciiText(`${kind}: ${message}${id === undefined ? '' : ` id ${id}`}`),
  );
  if (findingsTotal > findings.length) lines.push(`and ${findingsTotal - findings.length} more`);
  lines.push(
    `${events} events in ${chains} chains: ${findingsTotal === 0 ? 'nothing' : findingsTotal} found`,
  );
  if (notChained > 0)
    lines.push(
      `${notChained} are not chained: they were stored before there was a chain, and nothing is known of them`,
    );
  if (removed > 0) lines.push(`${removed} more were removed by retention, which is signed`);
  if (uncovered > 0)
    lines.push(
      `${uncovered} are behind the last head of their chain: that more stood there would not be noticed`,
    );
  return `${lines.join('\n')}\n`;
}
