// The folder in which the workers of one gateway pass tunnels on to each other: for one start alone, and gone with it. One that a supervisor
// left that was killed is removed by the next; whether it is gone, the kernel says by a lock that it held.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessHolders } from '../store/process-holders.ts';
import type { GatewayConfig } from './config/config.ts';

export interface PassageFolder {
  readonly folder: string;
  readonly secret: Uint8Array;
  readonly nameOf: (worker: number) => string;
}

/** Up to the id of the supervisor. */
const prefix = 'workers-';
const form = /^workers-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Made in the state folder, which nothing else may have needed yet. Throws ProxyError `store_unavailable` if its lock cannot be had. */
export function openPassageFolder(
  { stateDirectory }: Pick<GatewayConfig, 'stateDirectory'>,
  stack: AsyncDisposableStack,
): PassageFolder {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const holders = new ProcessHolders(join(stateDirectory, 'workers'));
  stack.defer(() => {
    holders.close();
  });
  const id = holders.own();
  removeLeft(stateDirectory, holders);
  const folder = join(stateDirectory, prefix + id);
  mkdirSync(folder, { mode: 0o700 });
  stack.defer(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, secret: randomBytes(32), nameOf: (worker) => String(worker) };
}

/** Before the files by which they are told to be gone. */
function removeLeft(stateDirectory: string, holders: ProcessHolders): void {
  for (const name of readdirSync(stateDirectory)) {
    const id = form.exec(name)?.[1];
    if (id !== undefined && holders.hasEnded(id))
      rmSync(join(stateDirectory, name), { recursive: true, force: true });
  }
  holders.sweep();
}
