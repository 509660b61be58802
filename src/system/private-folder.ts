// A folder that is this user's alone.

import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { ProxyError } from '../protocol/error.ts';
import { faultReason } from '../protocol/fault-reason.ts';

export interface PrivateFolderOptions {
  /** Else it is an error that it is there. */
  readonly mayBeThere: boolean;
  readonly fault: (reason: string, cause?: unknown) => ProxyError;
}

/** Makes it if it is missing. @throws what `fault` makes, if others can use it or it cannot be made */
export async function makePrivateFolder(
  path: string,
  { mayBeThere, fault }: PrivateFolderOptions,
): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700, recursive: mayBeThere });
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    await using folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const { uid, mode } = await folder.stat();
    if (uid !== process.geteuid?.()) throw fault('it is of another user');
    if ((mode & 0o077) !== 0) throw fault('others may use it; make it mode 700');
  } catch (error) {
    throw error instanceof ProxyError ? error : fault(faultReason(error), error);
  }
}
