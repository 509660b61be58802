// Plain `run` as an ordinary user, where root runs the matrix: another user, for whom the tools of scripts/install-clients.sh are mounted
// where everybody may go.

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

import { findTool } from '../support/tools.ts';

/** A user that every system has. */
export const ordinaryUser = {
  uid: 65534,
  /** Through folders that everybody may enter. */
  canReach: (path: string): boolean => !isRoot() || foldersOf(path).every(isOpen),
  /** Without folders that it could not enter: a search that ends there is a fault to some programs. */
  path: (path: string): string =>
    path
      .split(delimiter)
      .filter((folder) => ordinaryUser.canReach(join(folder, 'x')))
      .join(delimiter),
  /** The first copy that it may run, as its shell finds it: closed ones before it are passed over. */
  find: (name: string, path: string): string | undefined =>
    findTool(name, ordinaryUser.path(path), (file) => !isRoot() || isOpen(file)),
  /** Where it finds the tools; root makes the folder. */
  tools: (directory: string): string => (isRoot() ? join(directory, 'tools') : defaultTools()),
};

const drop = ['--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
const script = 'mkdir -p "$1" && if [ -d "$0" ]; then mount --bind "$0" "$1"; fi && shift && exec "$@"';

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersOf(folder)];
}

/** It owns nothing. */
function isOpen(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) !== 0;
}

function defaultTools(): string {
  return (
    process.env['UPSTREAMPROXY_CLIENTS'] ?? join(process.env['HOME'] ?? '/', '.cache/upstreamproxy-clients')
  );
}

/** Puts a command line behind it that runs as that user; who is not root already is one. */
export function asOrdinaryUser(
  { tools, ownTools }: { readonly tools: string; readonly ownTools: string },
  command: readonly string[],
): readonly string[] {
  if (!isRoot()) return command;
  const { uid } = ordinaryUser;
  const change = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, ...drop, '--'];
  return ['unshare', '--mount', 'sh', '-c', script, ownTools, tools, ...change, ...command];
}

/** Why nothing can run as it here, or undefined. */
export function userObstacle(): string | undefined {
  if (!isRoot()) return undefined;
  const places = { tools: '/tmp', ownTools: '/nonexistent' };
  const [file = '', ...args] = asOrdinaryUser(places, [process.execPath, '--version']);
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `no ordinary user here: ${stderr?.trim() ?? error?.message}`;
}
