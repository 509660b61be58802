// One thing placed among files of the user or the system, and how it is taken away without touching what is theirs.

import { createHash } from 'node:crypto';
import { chown, lstat, readFile, rmdir, unlink } from 'node:fs/promises';
import { withoutJavaEntry } from '../../pki/java-key-store.ts';
import { writeFileAtomically } from '../atomic-file.ts';

/** As the manifest records it, before it is done: each can be undone whether or not it was. */
export type Placement =
  /** A folder that was not there. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A file that was not there, with the hash of its content. */
  | { readonly kind: 'file'; readonly path: string; readonly sha256: string }
  /** The file in which that content is made ready; its name is random. */
  | { readonly kind: 'temporary'; readonly path: string }
  /** Text at the end of a file of the system. */
  | { readonly kind: 'append'; readonly path: string; readonly text: string }
  /** An entry, in base64, of a Java key store of the system with the usual password. */
  | { readonly kind: 'java-entry'; readonly path: string; readonly entry: string };

/** Of every trust store that comes with a JDK; no secret. */
export const javaStorePassword = 'changeit';

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Takes it away. A file that somebody has changed since, and a folder in which something is, stay: false then.
 * Harmless where nothing was placed.
 */
export async function undoPlacement(placement: Placement): Promise<boolean> {
  const { kind, path } = placement;
  switch (kind) {
    case 'folder':
      return await unlessMissing(async () => {
        await rmdir(path);
        return true;
      });
    case 'temporary':
      return await unlessMissing(async () => {
        await unlink(path);
        return true;
      });
    case 'file':
      return await unlessMissing(async () => {
        // A link is nobody's but the user's.
        if (!(await lstat(path)).isFile() || sha256(await readFile(path)) !== placement.sha256) return false;
        await unlink(path);
        return true;
      });
    case 'append':
      return await unlessMissing(() => cut(path, placement.text));
    case 'java-entry':
      return await unlessMissing(() => removeJavaEntry(path, Buffer.from(placement.entry, 'base64')));
  }
}

async function unlessMissing(undo: () => Promise<boolean>): Promise<boolean> {
  try {
    return await undo();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return true;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

async function cut(path: string, text: string): Promise<boolean> {
  const content = await readFile(path);
  const at = content.lastIndexOf(text);
  // The system has made the file anew meanwhile, or it never came to it.
  if (at < 0) return true;
  const rest = Buffer.concat([content.subarray(0, at), content.subarray(at + Buffer.byteLength(text))]);
  await replaceContent(path, rest);
  return true;
}

async function removeJavaEntry(path: string, entry: Uint8Array): Promise<boolean> {
  const rest = withoutJavaEntry(await readFile(path), entry, javaStorePassword);
  if (rest !== undefined) await replaceContent(path, rest);
  return true;
}

/** Another content by rename, with owner and mode as they were. */
export async function replaceContent(path: string, content: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await lstat(path);
  await writeFileAtomically(path, content, { mode: mode & 0o7777 });
  if (uid !== process.geteuid?.() || gid !== process.getegid?.()) await chown(path, uid, gid);
}
