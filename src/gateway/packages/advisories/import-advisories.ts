// Makes the index of advisories of exports of OSV, and says what is different from the one that is there.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { writeFileAtomically } from '../../../system/atomic-file.ts';
import {
  type AdvisoryIndex,
  headLine,
  type IndexedRegistry,
  type IndexHead,
} from '../../../understand/packages/advisory-index.ts';
import type { PackageRegistry } from '../../../understand/packages/package-request.ts';
import { AdvisoryChanges, type ChangedAdvisories } from './advisory-changes.ts';
import { AdvisoryCollection } from './advisory-collection.ts';
import { readAdvisoryFile } from './advisory-file.ts';
import { exportedFiles } from './export-files.ts';
import { readOsvRecord } from './osv-record.ts';

export interface ImportOptions {
  readonly sources: readonly string[];
  /** The file to write. */
  readonly index: string;
  readonly nowMs: number;
  /** Also where it has much less, or is older, than the one that is there. */
  readonly replaces: boolean;
  readonly signal: AbortSignal;
  readonly onRead?: (records: number) => void;
}

export interface ImportReport extends ChangedAdvisories {
  /** Records of all registries, and those of none that rules can name. */
  readonly records: number;
  readonly withdrawn: number;
  /** Of files that are no record: how many, and the first of them. */
  readonly unreadable: { readonly count: number; readonly names: readonly string[] };
  readonly registries: ReadonlyMap<PackageRegistry, IndexedRegistry>;
  readonly bytes: number;
  /** When the index was made that was there; undefined: there was none that could be read. */
  readonly beforeMs: number | undefined;
}

/** The whole of what the sources have: what is in none of them is in the index no more. @throws ProxyError config_invalid, cancelled */
export async function importAdvisories(options: ImportOptions): Promise<ImportReport> {
  const { index, nowMs } = options;
  const before = await indexBefore(options);
  const { collection, ...read } = await collect(options);
  const changes = new AdvisoryChanges(before, (id) => collection.isWithdrawn(id));
  const hash = createHash('sha256');
  const pieces: Buffer[] = [];
  let bytes = 0;
  let gathered = '';
  const flush = (): void => {
    const piece = Buffer.from(gathered);
    gathered = '';
    hash.update(piece);
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > defaultLimits.advisoryIndexBytesMax)
      throw new ProxyError('config_invalid', 'there are too many advisories (advisoryIndexBytesMax)');
  };
  for (const { key, line } of collection.lines()) {
    gathered += line;
    changes.add(key, line);
    if (gathered.length >= pieceLength) flush();
    // One package may have thousands of advisories.
    await pause(options.signal);
  }
  flush();
  const changed = changes.end();
  const { registries } = collection;
  if (!options.replaces && before !== undefined) checkAgainst(before.head, registries);
  const head = headLine({ madeMs: nowMs, registries, bytes, sha256: hash.digest('hex') });
  await writeFileAtomically(index, Buffer.concat([Buffer.from(head), ...pieces]), { mode: 0o600 });
  const beforeMs = before?.head.madeMs;
  return { ...read, withdrawn: collection.withdrawnCount, registries, bytes, beforeMs, ...changed };
}

const pieceLength = 262_144;

/** One that cannot be read is replaced like none, but only if somebody says so. */
async function indexBefore({ index, replaces }: ImportOptions): Promise<AdvisoryIndex | undefined> {
  const isThere = await stat(index).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  if (!isThere) return undefined;
  try {
    return await readAdvisoryFile(index);
  } catch (error) {
    if (replaces) return undefined;
    throw error;
  }
}

interface Collected extends Pick<ImportReport, 'records' | 'unreadable'> {
  readonly collection: AdvisoryCollection;
}

const recordsAtOnce = 500;
const namesShownMax = 5;

async function collect({ sources, nowMs, signal, onRead }: ImportOptions): Promise<Collected> {
  const { advisoryRecordsMax, advisoryExportBytesMax } = defaultLimits;
  const collection = new AdvisoryCollection(nowMs);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const names: string[] = [];
  let [records, unread, bytes] = [0, 0, 0];
  for (const { name, octets } of exportedFiles(sources)) {
    bytes += octets.length;
    if (records + unread >= advisoryRecordsMax)
      throw new ProxyError('config_invalid', 'there are too many records (advisoryRecordsMax)');
    if (bytes > advisoryExportBytesMax)
      throw new ProxyError('config_invalid', 'the records are too long together (advisoryExportBytesMax)');
    const record = readOsvRecord(decoded(octets, decoder));
    if (record === undefined) {
      unread += 1;
      if (names.length < namesShownMax) names.push(name);
    } else {
      records += 1;
      collection.add(record);
    }
    if ((records + unread) % recordsAtOnce !== 0) continue;
    onRead?.(records);
    await pause(signal);
  }
  checkReadable(records, unread, names);
  return { collection, records, unreadable: { count: unread, names } };
}

function decoded(octets: Uint8Array, decoder: TextDecoder): string {
  try {
    return decoder.decode(octets);
  } catch {
    return '';
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  if (signal.aborted) throw new ProxyError('cancelled', 'the import was cancelled; the index is as it was');
}

/** A few records that cannot be read keep no others away; an export of something else is none. */
function checkReadable(records: number, unread: number, names: readonly string[]): void {
  const max = Math.max(defaultLimits.advisoryUnreadableMax, Math.floor(records / 100));
  if (records > 0 && unread <= max) return;
  const what = records === 0 ? 'no record of OSV' : `${String(unread)} files that are no records of OSV`;
  const first = names[0] === undefined ? '' : `, such as ${names[0]}`;
  throw new ProxyError('config_invalid', `there is ${what}${first}; the index is as it was`);
}

/** Half of an export, or one of last week, would allow what was denied. */
function checkAgainst(before: IndexHead, registries: ReadonlyMap<PackageRegistry, IndexedRegistry>): void {
  for (const [registry, was] of before.registries) {
    const now = registries.get(registry);
    const say = (what: string): ProxyError =>
      new ProxyError(
        'config_invalid',
        `of ${registry} ${what}; the index is as it was. Name all exports, or say --replace if that is what you want`,
      );
    if ((now?.advisories ?? 0) * 2 < was.advisories)
      throw say(
        `the exports have ${String(now?.advisories ?? 0)} advisories, and the index has ${String(was.advisories)}`,
      );
    if ((now?.newestMs ?? 0) < was.newestMs)
      throw say(
        `the exports are older than the index: their newest record is of ${isoTime(now?.newestMs ?? 0)}, not ${isoTime(was.newestMs)}`,
      );
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
