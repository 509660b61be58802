// Whether a network namespace can be had here, and the command that starts the helper in it.

import { execFile } from 'node:child_process';
import { findProgram } from './become-program.ts';
import type { HelperProgram } from './jail-process.ts';

/** `unshare` with its options, to stand before a program; or why there is no namespace. */
export type NamespaceCommand = { readonly command: HelperProgram } | { readonly reason: string };

/** It does no more than a few system calls. */
const probeTimeoutMs = 5_000;
/** Not the PATH of the environment: what stands before our own program must be the system's. */
const toolPath = '/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin';

/**
 * Tries namespaces of network and mounts by util-linux's unshare(1). Root makes them directly, so that all users stay
 * what they are. Others need a user namespace, in which they keep their own number.
 */
export async function findNamespaceCommand(isRoot = process.geteuid?.() === 0): Promise<NamespaceCommand> {
  // Bun cannot send a listening socket over a channel between processes.
  if (process.versions['bun'] !== undefined) return { reason: 'Bun cannot take over the listeners inside' };
  const unshare = findProgram('unshare', toolPath);
  if ('code' in unshare) return { reason: 'there is no unshare(1) of util-linux' };
  const own = ['--net', '--mount', '--propagation', 'private'];
  const args = isRoot ? own : ['--user', '--map-current-user', '--keep-caps', ...own];
  const reason = await probe(unshare.path, args);
  return reason === undefined ? { command: { file: unshare.path, args: [...args, '--'] } } : { reason };
}

/** Undefined if the namespaces could be made; else the tool's own words. */
function probe(file: string, args: readonly string[]): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const options = { env: { LC_ALL: 'C' }, timeout: probeTimeoutMs };
  execFile(file, [...args, '--', file, '--version'], options, (error, _stdout, stderr) => {
    const [line = ''] = stderr.split('\n');
    resolve(error === null ? undefined : line === '' ? error.message : line);
  });
  return promise;
}
