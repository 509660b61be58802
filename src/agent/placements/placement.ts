// One thing placed among files of the user or the system, and how it is taken away without touching what is theirs.

import { createHash } from 'node:crypto';
import { rmdir, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { withoutJavaEntry } from '../../pki/java-key-store.ts';
import { originalResolvConf } from './resolv-conf.ts';
import { lockFolder } from './file-lock.ts';
import { removeHashed } from './hashed-folder.ts';
import { PlainFolder } from '../../system/plain-folder.ts';
import { changeInPlace, changeSystemFile, withoutText } from './system-file.ts';

/**
 * As the manifest records it, before it is done: each can be undone whether or not it was. Paths are absolute and have no
 * link in them.
 */
export type Placement =
  /** A folder that was not there. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A file that was not there, with the hash of its content. */
  | { readonly kind: 'file'; readonly path: string; readonly sha256: string }
  /** A file of a hashed folder of OpenSSL. `path` is without the number, which changes when one before it goes. */
  | { readonly kind: 'hashed'; readonly path: string; readonly sha256: string }
  /** The file in which such content is made ready; its name is random. */
  | { readonly kind: 'temporary'; readonly path: string }
  /** Text at the end of a file of the system. */
  | { readonly kind: 'append'; readonly path: string; readonly text: string }
  /** The whole text of resolv.conf; what stood there before stands in it. */
  | { readonly kind: 'resolv-conf'; readonly path: string; readonly text: string }
  /** An entry, in base64, of a Java key store of the system with the usual password. */
  | { readonly kind: 'java-entry'; readonly path: string; readonly entry: string };

/** Whether the content of a file of that folder looks like what this program places there. */
export type MarkCheck = (path: string, content: Buffer, folder: PlainFolder) => Promise<boolean>;

/** Of every trust store that comes with a JDK; no secret. */
export const javaStorePassword = 'changeit';

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Takes it away. A file that somebody has changed since or that `bearsOurMark` does not know, and a folder in which something
 * is, stay: false then. No link is followed. Harmless where nothing was placed.
 */
export async function undoPlacement(
  placement: Placement,
  bearsOurMark: MarkCheck = async () => true,
): Promise<boolean> {
  const { kind, path } = placement;
  const name = basename(path);
  return await unlessMissing(async () => {
    await using folder = await PlainFolder.open(dirname(path));
    const isPlaced = async (file: string, hash: string): Promise<boolean> => {
      const content = await folder.readFile(file);
      return content !== undefined && sha256(content) === hash && (await bearsOurMark(path, content, folder));
    };
    switch (kind) {
      case 'folder':
        await rmdir(folder.entry(name));
        return true;
      case 'temporary':
        await unlink(folder.entry(name));
        return true;
      case 'file':
        if (!(await isPlaced(name, placement.sha256))) return false;
        await unlink(folder.entry(name));
        return true;
      case 'hashed': {
        await using _ = await lockFolder(dirname(path));
        await removeHashed(folder, name, (file) => isPlaced(file, placement.sha256));
        return true;
      }
      case 'append':
        return await changeSystemFile(path, (content) => withoutText(content, placement.text));
      case 'resolv-conf':
        return await putBackResolvConf(path, placement.text);
      case 'java-entry':
        return await changeSystemFile(path, (content) =>
          withoutJavaEntry(content, Buffer.from(placement.entry, 'base64'), javaStorePassword),
        );
    }
  });
}

async function putBackResolvConf(path: string, ours: string): Promise<boolean> {
  const original = originalResolvConf(ours);
  let isForeign = false;
  const isPlain = await changeInPlace(path, (content) => {
    const text = content.toString('latin1');
    if (text === original) return undefined;
    // With nothing but line ends behind it somebody was stopped while putting it back.
    const isOurs = text === ours || (text.startsWith(original) && /^\n+$/.test(text.slice(original.length)));
    isForeign = !isOurs;
    return isOurs ? Buffer.from(original, 'latin1') : undefined;
  });
  return isPlain && !isForeign;
}

async function unlessMissing(undo: () => Promise<boolean>): Promise<boolean> {
  try {
    return await undo();
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ENOENT':
      case 'ENOTDIR':
        return true;
      // A link is nobody's but the user's.
      case 'ELOOP':
      case 'ENOTEMPTY':
      case 'EEXIST':
        return false;
      default:
        throw error;
    }
  }
}
