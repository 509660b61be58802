// Chromium's store of certificates, made by certutil where it is there.

import { defaultLimits } from '../../protocol/limits.ts';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { splitPemCertificates } from '../../pki/pem.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { makeSessionFolder } from '../placements/session-folder.ts';
import { marked } from '../placements/own-mark.ts';

/** Below HOME. */
export const nssFolder = '.pki/nssdb';
/** A database has no place for a mark of ours, so a file beside it bears it. */
export const nssMark = 'upstreamproxy';
export const nssNames: readonly string[] = ['cert9.db', 'key4.db', 'pkcs11.txt'];

export interface NssFile {
  /** Below HOME. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** The files of a database below `home` that trusts these certificates; undefined where certutil is not installed. */
export async function nssDatabase(home: string, pem: string): Promise<readonly NssFile[] | undefined> {
  // By the name of the session's, so that the next start removes it after a kill.
  const scratch = await makeSessionFolder(tmpdir());
  const certutil = (...args: readonly string[]): Promise<unknown> =>
    promisify(execFile)('certutil', ['-d', `sql:${scratch}`, ...args], {
      timeout: defaultLimits.certutilTimeoutMs,
    });
  try {
    await certutil('-N', '--empty-password');
    for (const [index, certificate] of splitPemCertificates(pem).entries()) {
      const file = join(scratch, 'ca.pem');
      await writeFile(file, certificate);
      await certutil('-A', '-t', 'C,,', '-n', `upstreamproxy-${index + 1}`, '-i', file);
    }
    const files = await Promise.all(
      nssNames.map(async (name) => {
        const content = await readFile(join(scratch, name));
        const placed = name === 'pkcs11.txt' ? movedTo(join(home, nssFolder), scratch, content) : content;
        return { path: `${nssFolder}/${name}`, content: placed };
      }),
    );
    // Placed first, it is taken away last.
    return [{ path: `${nssFolder}/${nssMark}`, content: Buffer.from(marked('')) }, ...files];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    await removeTree(scratch);
  }
}

/** The database names its own folder. */
function movedTo(place: string, scratch: string, content: Buffer): Buffer {
  return Buffer.from(content.toString('utf8').replaceAll(scratch, place));
}
