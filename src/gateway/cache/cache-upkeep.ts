// What an operator does with a cache beside the gateways that use it: count it, look whether it is whole, make it smaller.

import { versionText } from '../../understand/packages/package-request.ts';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { CacheEntry } from './cache-entry.ts';
import { blocksOf, type CachedFile, type CacheFolder } from './cache-folder.ts';

export interface CacheStats {
  /** What can be asked for. */
  readonly archives: number;
  /** What the folder takes of the disk. */
  readonly bytes: number;
  readonly oldestUseMs: number | undefined;
  readonly registries: ReadonlyMap<string, { readonly archives: number; readonly bytes: number }>;
}

export interface CacheReport {
  readonly archives: number;
  readonly bytes: number;
  /** Names of packages, or of files of which nobody knows what they were. */
  readonly damaged: readonly string[];
  /** Entries whose archive has left, which are removed too. */
  readonly left: number;
}

export async function cacheStats(folder: CacheFolder): Promise<CacheStats> {
  const registries = new Map<string, { archives: number; bytes: number }>();
  let [bytes, archives] = [0, 0];
  let oldestUseMs: number | undefined;
  for await (const file of folder.files()) {
    bytes += blocksOf(file.bytes);
    oldestUseMs = Math.min(oldestUseMs ?? Infinity, file.usedMs);
    const entry = file.kind === 'entry' ? await folder.entryIn(file) : undefined;
    if (entry === undefined) continue;
    archives += 1;
    const { registry } = entry;
    const sum = registries.get(registry) ?? { archives: 0, bytes: 0 };
    registries.set(registry, { archives: sum.archives + 1, bytes: sum.bytes + entry.bytes });
  }
  return { archives, bytes, oldestUseMs, registries };
}

/** Reads all of it. What is not what its name says is removed, and so is what leads to that. */
export async function verifyCache(
  folder: CacheFolder,
  { signal, onRead }: { readonly signal: AbortSignal; readonly onRead: (files: number) => void },
): Promise<CacheReport> {
  const bad = new Set<string>();
  const damaged: string[] = [];
  let [files, bytes, archives, left] = [0, 0, 0, 0];
  const entries: CachedFile[] = [];
  for await (const file of folder.files()) {
    signal.throwIfAborted();
    onRead((files += 1));
    bytes += file.bytes;
    if (file.kind === 'entry') entries.push(file);
    else if (!(await isWhole(folder, file, signal))) {
      bad.add(file.name);
      await rm(file.path, { force: true });
    }
  }
  for (const file of entries) {
    signal.throwIfAborted();
    const entry = await folder.entryIn(file);
    if (entry === undefined) damaged.push(file.name);
    else if (bad.has(entry.sha256)) damaged.push(nameOf(entry));
    else if (await isThere(folder, entry)) {
      archives += 1;
      continue;
    } else left += 1;
    await rm(file.path, { force: true });
  }
  const named = new Set(damaged).size;
  return { archives, bytes, damaged: named > 0 ? damaged : [...bad], left };
}

/** Removes what was not used since then. Gives how many files that were. */
export async function pruneCache(folder: CacheFolder, usedBeforeMs: number): Promise<number> {
  let gone = 0;
  for await (const { path, usedMs } of folder.files()) {
    if (usedMs >= usedBeforeMs) continue;
    await rm(path, { force: true });
    gone += 1;
  }
  return gone;
}

const nameOf = (entry: CacheEntry): string => `${entry.registry} ${versionText(entry)}`;

async function isThere(folder: CacheFolder, entry: CacheEntry): Promise<boolean> {
  const object = await folder.object(entry);
  await object?.handle.close();
  return object !== undefined;
}

async function isWhole(
  folder: CacheFolder,
  { name, bytes }: CachedFile,
  signal: AbortSignal,
): Promise<boolean> {
  const object = await folder.object({ sha256: name, bytes });
  // It has left meanwhile.
  if (object === undefined) return true;
  await using handle = object.handle;
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex') === name;
}
