// Files that hold a secret.

import { open } from 'node:fs/promises';

import { ProxyError } from '../protocol/error.ts';
import { faultReason } from '../protocol/fault-reason.ts';

/** Creates the file with mode 0600 and writes it through. Throws `config_invalid` if it is there or cannot be made. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  try {
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = `${faultReason(error)}${isThere ? '; name a new file' : ''}`;
    throw new ProxyError('config_invalid', `cannot write ${path}: ${reason}`, { cause: error });
  }
}
