// Writing a file so that a reader sees the old one or the whole new one, never a part, crash or not.

import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ProxyError } from '../protocol/error.ts';
import { faultReason } from '../protocol/fault-reason.ts';

export interface AtomicWriteOptions {
  /** Default: 0644. */
  readonly mode?: number;
  /** Wait until it would survive a loss of power; default true. What is written anew at each start does without. */
  readonly durable?: boolean;
}

/**
 * Writes `content` to `path` by a temporary file of the same folder, fsync and rename.
 * Throws trust_unwritable; then nothing of it is left behind.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  { mode = 0o644, durable = true }: AtomicWriteOptions = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    // Exclusive, so that a file or link that waits at this name is not written through.
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      // The umask may have taken rights that other users of the container need.
      await file.chmod(mode);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (durable) await syncDirectory(dirname(path));
  } catch (error) {
    // If it was renamed or never made, there is nothing to remove.
    await unlink(temporary).catch(() => {});
    throw new ProxyError('trust_unwritable', `${path} cannot be written: ${faultReason(error)}`, {
      cause: error,
    });
  }
}

/** Removes what writers of these names that were killed left in a folder; one that is not there has nothing. */
export async function removeAbandoned(directory: string, written: readonly string[]): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const abandoned = names.filter((name) => {
    const [, of = ''] = /^\.(.+)\.[0-9a-f]{12}$/.exec(name) ?? [];
    return written.includes(of);
  });
  for (const name of abandoned) await rm(join(directory, name), { force: true });
}

/** Makes the rename itself last. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
