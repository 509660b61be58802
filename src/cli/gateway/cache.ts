// `upstreamproxy cache`: the archives and metadata that a gateway keeps, looked at on its machine.

import { type CacheReport, cacheStats, pruneCache, verifyCache } from '../../gateway/cache/cache-upkeep.ts';
import { ProxyError } from '../../protocol/error.ts';
import { type AskedBucket, askBucket } from './cache-bucket-stats.ts';
import { cacheDefinition } from '../commands/cache-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { withProgress } from '../terminal/progress.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { cacheFolders, type CachePart, partsOf } from './cache-folders.ts';
import { asciiText, jsonLine, textTable } from '../terminal/text-table.ts';

type Actions = (typeof cacheDefinition)['actions'];

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

async function statsOf({ folder, directory, keepBytes }: CachePart): Promise<object> {
  const { oldestUseMs, registries, ...sums } = await cacheStats(folder);
  const oldestUse = oldestUseMs === undefined ? undefined : new Date(oldestUseMs).toISOString();
  return { directory, keepBytes, ...sums, oldestUse, registries: Object.fromEntries(registries) };
}

/** Status 1: there is a bucket that cannot be asked. */
async function stats({ options: { config: file, json } }: Input<Actions[0]>): Promise<number> {
  const { archives, metadata, config } = await cacheFolders(file);
  const bucket = await askBucket(config);
  const status = bucket !== undefined && 'away' in bucket ? 1 : 0;
  if (json) {
    const told = metadata === undefined ? {} : { metadata: await statsOf(metadata) };
    process.stdout.write(jsonLine({ ...(await statsOf(archives)), ...told, ...(bucket && { bucket }) }));
    return status;
  }
  process.stdout.write(await statsText(archives, 'archives'));
  if (metadata !== undefined) process.stdout.write(await statsText(metadata, 'documents of metadata'));
  if (bucket !== undefined) process.stdout.write(bucketText(bucket));
  return status;
}

function bucketText(asked: AskedBucket): string {
  const place = `The bucket ${asked.name} of ${asked.url}`;
  if ('away' in asked) return `${asciiText(place)} cannot be asked: ${asciiText(asked.away)}.\n`;
  const { stats: said, keepBytes } = asked;
  const { archives, bytes, isAll } = said;
  const more = isAll ? '' : ' There is more than was looked at.';
  return `${asciiText(place)}: ${String(archives)} archives, ${String(bytes)} of ${String(keepBytes)} bytes (${percent(bytes, keepBytes)}).${more}\n`;
}

async function statsText({ folder, directory, keepBytes }: CachePart, what: string): Promise<string> {
  const { archives, bytes, oldestUseMs, registries } = await cacheStats(folder);
  const rows = [...registries].map(([name, one]) => [
    asciiText(name),
    String(one.archives),
    String(one.bytes),
  ]);
  const head = ['REGISTRY', what === 'archives' ? 'ARCHIVES' : 'DOCUMENTS', 'BYTES'];
  return [
    `${asciiText(directory)}: ${String(archives)} ${what}, ${String(bytes)} of ${String(keepBytes)} bytes (${percent(bytes, keepBytes)}).\n`,
    oldestUseMs === undefined ? '' : `Used least recently: ${new Date(oldestUseMs).toISOString()}.\n`,
    rows.length === 0 ? '' : textTable([head, ...rows]),
  ].join('');
}

const shownMax = 20;

async function verify({ options }: Input<Actions[1]>): Promise<number> {
  const parts = partsOf(await cacheFolders(options.config));
  using shutdown = listenForShutdown();
  let read = 0;
  const reports = await withProgress(
    options,
    () => `${String(read)} files`,
    async (step) => {
      const onRead = (): void => {
        read += 1;
        step();
      };
      return await Promise.all(
        parts.map(async ({ folder }) => await verifyCache(folder, { signal: shutdown.signal, onRead })),
      );
    },
  );
  const sum = (of: (one: CacheReport) => number): number => reports.reduce((all, one) => all + of(one), 0);
  const [archives, bytes, left] = [
    sum((one) => one.archives),
    sum((one) => one.bytes),
    sum((one) => one.left),
  ];
  const damaged = reports.flatMap((one) => one.damaged);
  if (options.json) process.stdout.write(jsonLine({ archives, bytes, damaged, left }));
  else {
    const lines = damaged.slice(0, shownMax).map((one) => `  ${asciiText(one)}\n`);
    const others = damaged.length - lines.length;
    process.stdout.write(
      [
        `${String(archives)} archives and documents are whole, ${String(bytes)} bytes were read.\n`,
        damaged.length === 0 ? '' : `Damaged, and removed: ${String(damaged.length)}\n`,
        ...lines,
        others > 0 ? `  and ${String(others)} more\n` : '',
      ].join(''),
    );
  }
  return damaged.length > 0 ? 1 : 0;
}

async function prune({ options }: Input<Actions[2]>): Promise<number> {
  const { config, json, all, 'unused-for': unusedMs } = options;
  if (all === (unusedMs !== undefined))
    throw new ProxyError('usage', 'what is to go? say --unused-for TIME, or --all');
  const usedBeforeMs = unusedMs === undefined ? Infinity : Date.now() - unusedMs;
  let gone = 0;
  for (const { folder } of partsOf(await cacheFolders(config)))
    gone += await pruneCache(folder, usedBeforeMs);
  process.stdout.write(json ? jsonLine({ removed: gone }) : `removed ${String(gone)} files\n`);
  return 0;
}

export const cacheCommand = groupOf(cacheDefinition, { stats, verify, prune });
