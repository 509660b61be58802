// The claims of a session, in a file that a command names.

import { readFile } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** None without a file. @throws ProxyError config_invalid */
export async function readClaims(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (file === undefined) return {};
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('it is not a JSON object');
    // An object of JSON has string keys and unknown values.
    return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    // What stands in the file is its owner's, and no part of a message.
    const reason = error instanceof SyntaxError ? 'it is not JSON' : faultReason(error);
    throw new ProxyError('config_invalid', `cannot use the claims of ${file}: ${reason}`, { cause: error });
  }
}
