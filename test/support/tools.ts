// Which programs of the machine a test may use.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where `name` is on PATH or in the folders for administration, or undefined; what `isUsable` refuses is passed over. */
export function findTool(
  name: string,
  searched = process.env['PATH'] ?? '',
  isUsable: (path: string) => boolean = () => true,
): string | undefined {
  const folders = [...searched.split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (isUsable(path)) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** For a test's `skip`: false if all tools are there, else the reason with the missing ones. */
export function skipWithout(...names: readonly string[]): false | string {
  const missing = names.filter((name) => findTool(name) === undefined);
  return missing.length === 0 ? false : `not installed here: ${missing.join(', ')}`;
}
