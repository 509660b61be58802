// Another user for the command, where the agent runs as root.

import { readFileSync } from 'node:fs';
import { ProxyError } from '../../protocol/error.ts';
import type { SystemCalls } from '../../system/ffi.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

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

/** Becomes that user, on the calling thread, which must execute the command next. Throws an Error if refused. */
export function assumeIdentity(calls: SystemCalls, numbers: SystemCallNumbers, identity: Identity): void {
  const { uid, gid, groups } = identity;
  const list = new Uint8Array(Uint32Array.from(groups).buffer);
  requireDone('setgroups', calls.call(numbers.setgroups, groups.length, list));
  requireDone('setresgid', calls.call(numbers.setresgid, gid, gid, gid));
  requireDone('setresuid', calls.call(numbers.setresuid, uid, uid, uid));
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
