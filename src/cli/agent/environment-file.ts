// The file of `agent --env-file`: who waits for it finds that of this session, whole, or none.

import { lstat, rm } from 'node:fs/promises';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

export interface EnvironmentFile extends AsyncDisposable {
  /** Throws trust_unwritable. */
  write(text: string): Promise<void>;
}

/**
 * Removes what an earlier session has left there, for a program that waits for the file must not start with it. Disposing
 * removes ours: it names a relay and files that are gone then. Throws usage for a device, a folder and the like.
 */
export async function openEnvironmentFile(path: string): Promise<EnvironmentFile> {
  const remove = async (): Promise<void> => {
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw new ProxyError('trust_unwritable', `${path} cannot be removed: ${faultReason(error)}`, {
        cause: error,
      });
    }
  };
  // Not through a link either, as /dev/stdout is one: it would be replaced.
  const status = await lstat(path).catch(() => undefined);
  if (status !== undefined && !status.isFile())
    throw new ProxyError('usage', `--env-file ${path}: something that is no file is there`);
  await remove();
  return {
    // At each start anew, so it need not outlive a loss of power.
    write: (text) => writeFileAtomically(path, text, { durable: false }),
    [Symbol.asyncDispose]: () => remove().catch(() => {}),
  };
}
