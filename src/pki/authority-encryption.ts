// Key files that were plain, encrypted where they are.

import {
  asUnusable,
  authorityPaths,
  exists,
  readKeyText,
  replacePrivateFile,
  unusable,
} from './authority-files.ts';
import { requestedKey } from './authority-request.ts';
import { type RotatedAuthority, requireOwnFiles } from './authority-rotation.ts';
import { isEncrypted, plainKeyFiles } from './key-files.ts';

/** Gives the paths of those that were plain. Each is the one of before or the whole new one. Throws `ca_key_unusable`. */
export async function encryptAuthorityKeys({
  directory,
  name = 'ca',
  keys = plainKeyFiles,
}: RotatedAuthority): Promise<readonly string[]> {
  if (!keys.encrypts)
    throw unusable('no passphrase is configured: name where it is as certificateAuthority.passphrase');
  const pairs = [authorityPaths(directory, name), authorityPaths(directory, `next-${name}`)];
  for (const pair of pairs) await requireOwnFiles(pair);
  const done: string[] = [];
  for (const path of [...pairs.map(({ key }) => key), requestedKey(directory, name)]) {
    if (!(await exists(path))) continue;
    const text = await readKeyText(path);
    if (isEncrypted(text)) continue;
    const sealed = await keys.write(await keys.read(text, path));
    await replacePrivateFile(path, sealed, directory).catch((cause: unknown) => {
      throw asUnusable(cause, `${path} cannot be encrypted`);
    });
    done.push(path);
  }
  return done;
}
