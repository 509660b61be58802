// What holds, seen from inside once the layers are entered, and not concluded from what was asked for.

import { spawn } from 'node:child_process';
import { accessSync, constants as files } from 'node:fs';
import { constants } from 'node:os';
import { networkOfSelf } from './death-watch.ts';
import { type Identity, rehearseIdentity } from './identity.ts';
import type { JailMeasures, JailPlan } from './jail-plan.ts';
import { hasPower } from './capabilities.ts';
import { findProgram } from './become-program.ts';
import { toolPath } from './network-namespace.ts';
import type { Kernel } from './raw-listener.ts';
import { inheritedDescriptors, networkWays, streamWays } from './ways-out.ts';

const PR_GET_SECCOMP = 21;
const PR_GET_NO_NEW_PRIVS = 39;
const SECCOMP_MODE_FILTER = 2;

/** A process outside of the domain to come that protects nothing. Disposing ends it by its input, for a signal may be refused. */
export interface Bystander extends Disposable {
  readonly pid: number;
}

/** With no more rights than a program gets that this process executes now; undefined where none can be had. */
export function bystander(): Bystander | undefined {
  const cat = findProgram('cat', toolPath);
  if ('code' in cat) return undefined;
  const child = spawn(cat.path, { env: {}, stdio: ['pipe', 'ignore', 'ignore'] });
  child.on('error', () => {});
  child.unref();
  const { pid, stdin } = child;
  if (pid === undefined) return undefined;
  return { pid, [Symbol.dispose]: () => void stdin.destroy() };
}

/** Whether memory of it could be read. The address is nobody's, so nothing is. */
export function canReach({ calls, numbers }: Kernel, pid: number): boolean {
  const byte = new Uint8Array(1);
  const local = new Uint8Array(BigUint64Array.of(calls.address(byte), 1n).buffer);
  const remote = new Uint8Array(BigUint64Array.of(0n, 1n).buffer);
  const result = calls.call(numbers.process_vm_readv, pid, local, 1, remote, 1, 0);
  return ![constants.errno.EPERM, constants.errno.EACCES].includes(-result);
}

export function canSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM';
  }
}

/** Throws an Error if the kernel does not say so. */
export function requireNoNewPrivs({ calls, numbers }: Kernel): void {
  if (calls.call(numbers.prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) !== 1)
    throw new Error('no_new_privs is not set after it was');
}

/** Throws an Error if no filter is there. */
export function requireFilter({ calls, numbers }: Kernel): void {
  if (calls.call(numbers.prctl, PR_GET_SECCOMP, 0, 0, 0, 0) !== SECCOMP_MODE_FILTER)
    throw new Error('no filter is there after it was put on');
}

/** Throws an Error if root could stop processes by one of these control groups. */
export function requireClosedGroups(places: readonly string[]): void {
  const open = places.find((place) => {
    try {
      accessSync(Buffer.from(place, 'latin1'), files.W_OK);
      return true;
    } catch {
      // Read-only, or gone.
      return false;
    }
  });
  if (open !== undefined) throw new Error(`the control groups in ${open} can be written`);
}

/** The facts that no layer has for itself. */
export function measure(
  kernel: Kernel,
  { layers }: JailPlan,
  {
    uid,
    reachesOwnAlone,
    ownTerminals = false,
  }: { readonly uid: number; readonly reachesOwnAlone: boolean; readonly ownTerminals?: boolean | undefined },
): JailMeasures {
  const network = networkOfSelf();
  return {
    isPowerful: hasPower(kernel.calls, kernel.numbers, uid),
    uid,
    ...(layers.includes('network')
      ? { networkWays: networkWays(kernel), ...(network === undefined ? {} : { network }) }
      : {}),
    networkStreams: streamWays(kernel),
    inherited: inheritedDescriptors(kernel),
    ownTerminals,
    reachesOwnAlone,
  };
}

/** The user that the kernel takes the command for. Throws an Error if it is not the one that was asked for. */
export function measureIdentity(kernel: Kernel, identity: Identity | undefined): number {
  if (identity === undefined) return process.geteuid?.() ?? 0;
  const { uids, gids } = rehearseIdentity(kernel, identity);
  const [uid] = uids;
  if (uid !== identity.uid || gids[0] !== identity.gid)
    throw new Error('the kernel says that it is another user');
  return uid;
}
