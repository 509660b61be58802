// Other mounts that show a file: a bind mount of its folder is a second way to it.

import { readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { mounts } from './kernel-files.ts';

/** Paths by which other mounts of the same file system show what a descriptor holds, or a part of it. They need not be there. */
export function otherPlaces(fd: number, status: Stats): readonly string[] {
  // A path is bytes, and read as such on both sides.
  const path = readlinkSync(`/proc/self/fd/${fd}`, 'latin1');
  const id = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
  const all = mounts();
  const own = all.find((mount) => mount.id === id);
  const inside = own === undefined ? undefined : below(path, own.place);
  if (own === undefined || inside === undefined) return [];
  const inFileSystem = join(own.root, inside);
  const places = all.flatMap((mount) => {
    if (mount.id === id || mount.device !== own.device) return [];
    const rest = below(inFileSystem, mount.root);
    if (rest !== undefined) return [join(mount.place, rest)];
    // A part of a folder.
    return status.isDirectory() && below(mount.root, inFileSystem) !== undefined ? [mount.place] : [];
  });
  return places.map((place) => Buffer.from(place, 'latin1').toString('utf8'));
}

/** What of `path` is below `folder`; undefined if it is not. */
function below(path: string, folder: string): string | undefined {
  if (path === folder) return '';
  const start = folder === '/' ? '/' : `${folder}/`;
  return path.startsWith(start) ? path.slice(start.length) : undefined;
}
