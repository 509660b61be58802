// Another user for the command, where the agent runs as root.

import { readFileSync } from 'node:fs';
import { ProxyError } from '../../protocol/error.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import type { Kernel } from './raw-listener.ts';

/** NGROUPS_MAX of the kernel. */
const groupsMax = 65_536;

/** Numbers of a user, and what its environment says about it. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** `USER`, `LOGNAME` and `HOME`, where the user database knows them. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface UserDatabase {
  readonly passwd: string;
  readonly group: string;
}

/**
 * Reads `name`, `uid`, `name:group` or `uid:gid`. Throws usage if the user or group is not known; a bare number needs
 * no entry in the database.
 */
export function parseIdentity(text: string, database: UserDatabase = readUserDatabase()): Identity {
  const [user = '', group, ...rest] = text.split(':');
  if (user === '' || group === '' || rest.length > 0) {
    throw new ProxyError('usage', `--user takes NAME, UID, or either with :GROUP, not "${text}"`);
  }
  const users = records(database.passwd);
  const entry = users.find((fields) => fields[0] === user) ?? users.find((fields) => fields[2] === user);
  const uid = numeric(entry?.[2] ?? user);
  if (uid === undefined) throw new ProxyError('usage', `--user: there is no user "${user}" here`);
  const groups = records(database.group);
  const groupEntry = groups.find((fields) => fields[0] === group || fields[2] === group);
  const gid = group === undefined ? numeric(entry?.[3] ?? user) : numeric(groupEntry?.[2] ?? group);
  if (gid === undefined) throw new ProxyError('usage', `--user: there is no group "${group ?? user}" here`);
  const name = entry?.[0];
  const supplementary = groups
    .filter((fields) => name !== undefined && (fields[3] ?? '').split(',').includes(name))
    .map((fields) => numeric(fields[2] ?? ''))
    .filter((number) => number !== undefined);
  return {
    uid,
    gid,
    groups: [...new Set([gid, ...supplementary])],
    environment: name === undefined ? {} : { USER: name, LOGNAME: name, HOME: entry?.[5] ?? '/' },
  };
}

/** Who the kernel takes the calling thread for. */
export interface SeenIdentity {
  /** Real, effective and saved, as far as they differ; so one number is what a program that changed for good has. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
}

/** Becomes that user, on the calling thread, which must execute the command next. Throws an Error if refused, or if the kernel says otherwise. */
export function assumeIdentity(kernel: Kernel, identity: Identity): void {
  const { uid, gid, groups } = identity;
  change(kernel, identity, { uid, gid });
  const seen = seeIdentity(kernel);
  if (!isSame(seen.uids, [uid]) || !isSame(seen.gids, [gid]) || !isSame(seen.groups, groups))
    throw new Error('the kernel says that it is another user');
}

/**
 * The same for a moment: what the kernel said of the calling thread in it, without what was kept to come back. Nothing that is refused
 * later is refused only then. Throws an Error if it is refused.
 */
export function rehearseIdentity(kernel: Kernel, identity: Identity): SeenIdentity {
  const before = seeIdentity(kernel);
  const [own = 0] = before.uids;
  const [ownGroup = 0] = before.gids;
  try {
    change(kernel, identity, { uid: unchanged, gid: unchanged });
    const { uids, gids, groups } = seeIdentity(kernel);
    return { uids: uids.slice(0, 1), gids: gids.slice(0, 1), groups };
  } finally {
    const { calls, numbers } = kernel;
    requireDone('setresuid', calls.call(numbers.setresuid, own, own, unchanged));
    change(kernel, { uid: own, gid: ownGroup, groups: before.groups }, { uid: own, gid: ownGroup });
  }
}

/** What the kernel keeps beside. */
const unchanged = 0xffffffff;

function change(
  { calls, numbers }: Kernel,
  { uid, gid, groups }: Omit<Identity, 'environment'>,
  saved: { readonly uid: number; readonly gid: number },
): void {
  const list = new Uint8Array(Uint32Array.from(groups).buffer);
  requireDone('setgroups', calls.call(numbers.setgroups, groups.length, groups.length === 0 ? 0 : list));
  requireDone('setresgid', calls.call(numbers.setresgid, gid, gid, saved.gid));
  requireDone('setresuid', calls.call(numbers.setresuid, uid, uid, saved.uid));
}

function seeIdentity({ calls, numbers }: Kernel): SeenIdentity {
  const ids = (number: number): readonly number[] => {
    const three = [new Uint32Array(1), new Uint32Array(1), new Uint32Array(1)] as const;
    const [real, effective, saved] = three.map((one) => new Uint8Array(one.buffer));
    requireDone('getresuid', calls.call(number, real ?? 0, effective ?? 0, saved ?? 0));
    return [...new Set(three.map(([id = 0]) => id))];
  };
  const groups = new Uint32Array(groupsMax);
  const count = calls.call(numbers.getgroups, groupsMax, new Uint8Array(groups.buffer));
  const found = [...groups.subarray(0, requireDone('getgroups', count))];
  return { uids: ids(numbers.getresuid), gids: ids(numbers.getresgid), groups: found };
}

function isSame(seen: readonly number[], wanted: readonly number[]): boolean {
  const [a, b] = [new Set(seen), new Set(wanted)];
  return a.size === b.size && a.isSubsetOf(b);
}

function readUserDatabase(): UserDatabase {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Slim images have none; numbers work without.
      return '';
    }
  };
  return { passwd: read('/etc/passwd'), group: read('/etc/group') };
}

function records(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

/** Ids are unsigned 32 bits; the last one means "unchanged" to the kernel. */
function numeric(text: string): number | undefined {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value < 0xffffffff ? value : undefined;
}
