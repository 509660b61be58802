// `upstreamproxy packages advisories`: what is known against packages.

import { resolve } from 'node:path';
import { loadGatewayConfig } from '../../gateway/config/config.ts';
import type { ToldAdvisory } from '../../gateway/packages/advisories/advisory-changes.ts';
import { importAdvisories, type ImportReport } from '../../gateway/packages/advisories/import-advisories.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { packagesDefinition } from '../commands/packages-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { withProgress } from '../terminal/progress.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { asciiText, jsonLine, textTable } from '../terminal/text-table.ts';

type AdvisoriesInput = Input<(typeof packagesDefinition)['actions'][0]>;

export async function advisories({
  options,
  arguments: { FILE: sources },
}: AdvisoriesInput): Promise<number> {
  if (sources.length === 0) throw new ProxyError('usage', 'which exports? name files or folders');
  const { replace: replaces } = options;
  const index = await indexOf(options);
  using shutdown = listenForShutdown();
  let read = 0;
  const report = await withProgress(
    options,
    () => `${String(read)} records`,
    async (step) =>
      await importAdvisories({
        sources: sources.map((one) => resolve(one)),
        index: resolve(index),
        nowMs: Date.now(),
        replaces,
        signal: shutdown.signal,
        onRead: (records) => {
          read = records;
          step();
        },
      }),
  );
  process.stdout.write(options.json ? jsonLine(reportJson(report)) : reportText(report));
  return 0;
}

async function indexOf({
  config,
  index,
}: Pick<AdvisoriesInput['options'], 'config' | 'index'>): Promise<string> {
  if ((config === undefined) === (index === undefined))
    throw new ProxyError('usage', 'which index? name it by --config FILE or --index FILE');
  if (config === undefined) return index ?? '';
  const { advisories: set } = await loadGatewayConfig(config);
  if (set !== undefined) return set.index;
  throw new ProxyError(
    'config_invalid',
    `${config}: it names no index; write "advisories: { index: advisories.index }"`,
  );
}

const isoTime = (ms: number): string => (ms === 0 ? 'unknown' : new Date(ms).toISOString());

function reportJson({ registries, beforeMs, ...report }: ImportReport): unknown {
  return {
    ...report,
    before: beforeMs === undefined ? undefined : isoTime(beforeMs),
    registries: Object.fromEntries(
      [...registries].map(([name, { newestMs, ...counts }]) => [
        name,
        { ...counts, newest: isoTime(newestMs) },
      ]),
    ),
  };
}

const shownMax = 20;

function reportText(report: ImportReport): string {
  const { records, withdrawn, unreadable, registries, bytes, beforeMs, added, gone, changed } = report;
  const rows = [...registries].map(([name, { packages, advisories: count, newestMs }]) => [
    name,
    String(packages),
    String(count),
    isoTime(newestMs),
  ]);
  const parts = [
    `${String(records)} records, ${String(withdrawn)} of them withdrawn. The index has ${String(bytes)} octets.\n`,
    unreadable.count === 0
      ? ''
      : `${String(unreadable.count)} files are no records, such as ${asciiText(unreadable.names[0] ?? '')}.\n`,
    textTable([['REGISTRY', 'PACKAGES', 'ADVISORIES', 'NEWEST'], ...rows]),
  ];
  if (beforeMs === undefined) return parts.join('');
  parts.push(
    `Since the index of ${isoTime(beforeMs)}: ${String(added.count)} new, ${String(changed)} changed, ${String(gone.count)} gone.\n`,
    listOf('New', added),
    listOf('Gone, so allowed again if nothing else is known against it', gone),
  );
  return parts.join('');
}

function listOf(title: string, { count, some }: ImportReport['added']): string {
  if (count === 0) return '';
  const lines = some.slice(0, shownMax).map((one) => `  ${lineOf(one)}\n`);
  const others = count > lines.length ? `  and ${String(count - lines.length)} more\n` : '';
  return `${title}:\n${lines.join('')}${others}`;
}

function lineOf({ registry, package: name, ids, level, withdrawn }: ToldAdvisory): string {
  const [id = '', ...others] = ids;
  const also = others.length === 0 ? '' : ` (${others.slice(0, 3).join(', ')})`;
  return asciiText(`${registry} ${name}: ${id}${also}, ${level}${withdrawn === true ? ', withdrawn' : ''}`);
}
