// A file of the system is changed by one session at a time, and back again.

import { constants } from 'node:fs';
import { lstat, chown, open, readdir, readFile, realpath, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { lockFolder } from './file-lock.ts';

/** Gives the new content, or undefined if there is nothing to change. It may write to the manifest: nobody else is at it. */
export type SystemFileChange = (content: Buffer) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** `path` has no link in it. False if it has meanwhile. Throws trust_unwritable if other sessions do not let go of it. */
export async function changeSystemFile(path: string, change: SystemFileChange): Promise<boolean> {
  await using _ = await lockFolder(dirname(path));
  if ((await realpath(path)) !== path) return false;
  await removeUnfinished(path);
  const content = await change(await readFile(path));
  if (content !== undefined) await replaceContent(path, content);
  return true;
}

/**
 * As `changeSystemFile`, but in place: a file that is mounted by itself, as in containers, cannot be replaced by rename. It is
 * written at once, with line ends up to the length that it had and then without, so that no reader finds it in parts. False
 * if it is no regular file either.
 */
export async function changeInPlace(path: string, change: SystemFileChange): Promise<boolean> {
  await using _ = await lockFolder(dirname(path));
  if ((await realpath(path)) !== path) return false;
  await using file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) return false;
  const before = await file.readFile();
  const content = await change(before);
  if (content === undefined) return true;
  const rest = Buffer.alloc(Math.max(0, before.length - content.length), '\n');
  const whole = Buffer.concat([content, rest]);
  const { bytesWritten } = await file.write(whole, 0, whole.length, 0);
  if (bytesWritten !== whole.length) {
    await file.write(before, 0, before.length, 0);
    await file.truncate(before.length);
    throw new ProxyError('trust_unwritable', `${path} cannot be written as a whole`);
  }
  await file.truncate(content.length);
  await file.sync();
  return true;
}

/** The content without that text; undefined if it is not in it: the system made the file anew, or it never came to it. */
export function withoutText(content: Buffer, text: string): Uint8Array | undefined {
  const at = content.lastIndexOf(text);
  if (at < 0) return undefined;
  return Buffer.concat([content.subarray(0, at), content.subarray(at + Buffer.byteLength(text))]);
}

/** What a process that was killed in the middle of it has left; who makes such files has the lock. */
async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && /^[0-9a-f]{12}$/.test(name.slice(prefix.length)))
      await unlink(join(folder, name));
  }
}

/** Another content by rename, with owner and mode as they were. */
async function replaceContent(path: string, content: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await lstat(path);
  await writeFileAtomically(path, content, { mode: mode & 0o7777 });
  if (uid !== process.geteuid?.() || gid !== process.getegid?.()) await chown(path, uid, gid);
}
