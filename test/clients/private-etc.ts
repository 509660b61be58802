// A copy of /etc for one `run`, so that a session which writes into the system's trust stores leaves the machine's own alone.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** In a namespace of mounts: what is written goes to memory, and with the last process of the namespace. */
const script = `mount -t tmpfs tmpfs "$0" && mkdir "$0/upper" "$0/work" &&
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/upper,workdir=$0/work" /etc && exec "$@"`;

/** Puts a command line behind it; `folder` is an empty folder to mount on. */
export function withPrivateEtc(folder: string, command: readonly string[]): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', script, folder, ...command];
}

/** Whether the kernel lets us. */
export function hasPrivateEtc(directory: string): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = join(directory, 'etc-trial');
  mkdirSync(folder, { recursive: true });
  const [file = '', ...args] = withPrivateEtc(folder, ['true']);
  return spawnSync(file, args).status === 0;
}
