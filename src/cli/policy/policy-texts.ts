// Policy files of this machine as texts, to be sent or published.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { PolicyText } from '../../store/policy-store.ts';

/** Files as they are named; of a folder its `.yaml` and `.yml` files by name. @throws ProxyError config_invalid */
export async function readTexts(paths: readonly string[]): Promise<readonly PolicyText[]> {
  const texts: PolicyText[] = [];
  for (const path of paths) {
    try {
      const files = (await stat(path)).isDirectory() ? await filesIn(path) : [path];
      if (files.length === 0) throw new Error('the folder has no .yaml file');
      for (const file of files) texts.push({ name: basename(file), text: await readBounded(file) });
    } catch (error) {
      throw new ProxyError('config_invalid', `${path} cannot be read: ${faultReason(error)}`, {
        cause: error,
      });
    }
  }
  return texts;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
    .toSorted()
    .map((name) => join(folder, name));
}

async function readBounded(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > defaultLimits.policyBytesMax)
    throw new Error(`it is longer than ${defaultLimits.policyBytesMax} bytes (policyBytesMax)`);
  return readFile(file, 'utf8');
}
