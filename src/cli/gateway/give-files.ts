// The gateway's own files, for a start as root that becomes another user. They may be that user's from an earlier start,
// so nothing in them is trusted: no link is followed, and nothing with a second name is given away.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import type { Identity } from '../../agent/jail/identity.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { removeLeftNames } from '../../pki/left-names.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Files and folders that the gateway writes. Those that are not there are left out. */
function ownPlaces(config: GatewayConfig): readonly string[] {
  const store = /^sqlite:(\/.+)$/s.exec(config.store)?.[1];
  const files = store === undefined ? [] : [store, `${store}-wal`, `${store}-shm`];
  if (config.audit.file !== undefined) files.push(config.audit.file);
  // What the operator placed stays whose it is.
  if (config.identity.kind !== 'own') return [config.stateDirectory, ...files];
  return [config.stateDirectory, config.certificateAuthority.directory, ...files];
}

/** Folders of files that may lie outside of the state folder. One that is there is somebody's, and stays so. */
function outerFolders(config: GatewayConfig): readonly string[] {
  const store = /^sqlite:(\/.+)$/s.exec(config.store)?.[1];
  return [store, config.audit.file].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
}

/** Numbers of who is to own. */
type Owner = Pick<Identity, 'uid' | 'gid'>;
const root: Owner = { uid: 0, gid: 0 };

/**
 * Makes the state folder if it is missing, mode 0700, and makes it and all in it root's for the start, whoever had it
 * before: nobody else can change it meanwhile. Gives the folders that it made, each with all above it that was missing. Throws config_invalid for what cannot be taken safely.
 */
export function takeFiles(config: GatewayConfig): readonly string[] {
  const folders = [config.stateDirectory, ...outerFolders(config)];
  const made = folders.map((folder) => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  for (const path of new Set(ownPlaces(config))) changeOwner({ path, shown: path, depth: 0 }, root);
  return made.filter((path) => path !== undefined);
}

/** Gives that user what `takeFiles` took and the start has made. Throws config_invalid likewise. */
export function giveFiles(config: GatewayConfig, identity: Identity, made: readonly string[] = []): void {
  for (const path of new Set([...made, ...ownPlaces(config)]))
    changeOwner({ path, shown: path, depth: 0 }, identity);
}

interface Place {
  readonly path: string;
  /** For a person. */
  readonly shown: string;
  readonly depth: number;
}

function changeOwner({ path, shown, depth }: Place, owner: Owner): void {
  const fd = openOrNone(path, shown);
  if (fd === undefined) return;
  // The very thing that is looked at, whatever has its name meanwhile, or that of a folder above.
  const own = `/proc/self/fd/${fd}`;
  try {
    const status = fstatSync(fd);
    if (status.isDirectory()) {
      if (depth > defaultLimits.stateFolderLevelsMax) throw refused(shown, 'it is nested too deeply');
      // A folder is taken before what is in it, and given after.
      if (owner.uid === 0) chownSync(own, owner.uid, owner.gid);
      // Before it is looked at: what could write to it could still put something there, by a descriptor that is open too.
      chmodSync(own, depth === 0 ? 0o700 : status.mode & 0o7755);
      // A second name that a killed maker of keys left is no reason never to start again.
      if (owner.uid === 0) removeLeftNames(own);
      for (const name of readdirSync(own))
        changeOwner({ path: `${own}/${name}`, shown: join(shown, name), depth: depth + 1 }, owner);
    } else if (!(status.isFile() || status.isSocket()) || status.nlink !== 1) {
      throw refused(shown, 'it is neither a file nor a socket of one name');
    }
    chownSync(own, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

/**
 * Names a thing without opening it: a socket cannot be opened, a pipe would wait for its other end, and the lock that this process has on a
 * file would go with any descriptor of it that is closed (`man 2 open`, O_PATH; `man 2 fcntl`). Of both architectures; the runtime has no
 * name for it.
 */
const O_PATH = 0o10_000_000;

function openOrNone(path: string, shown: string): number | undefined {
  try {
    // Of a link, the link itself.
    const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
    if (!fstatSync(fd).isSymbolicLink()) return fd;
    closeSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw refused(shown, String(code));
  }
  throw refused(shown, 'it is a symbolic link');
}

function refused(shown: string, reason: string): ProxyError {
  return new ProxyError('config_invalid', `${shown} cannot be given to another user: ${reason}`);
}
