// A file of the system is changed by one session at a time, and back again.

import { lstat, chown, readdir, readFile, realpath, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomically } from '../atomic-file.ts';
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
