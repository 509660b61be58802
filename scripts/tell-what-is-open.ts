// Loaded before a test file that starts real servers: asked by a signal, its process says what keeps it from ending.

import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';

export const openSignal = 'SIGUSR2';

// Without a type: what it gives is for people alone.
interface Inside {
  _getActiveHandles?(): readonly unknown[];
}

function describe(handle: unknown): string {
  if (handle instanceof ChildProcess) return `a child: ${handle.pid ?? 0} ${handle.spawnargs.join(' ')}`;
  if (handle instanceof Server) return `a listener: ${JSON.stringify(handle.address())}`;
  if (!(handle instanceof Socket)) return (handle as object).constructor.name;
  const { localPort, remotePort, bytesRead, bytesWritten } = handle;
  const place = remotePort === undefined ? 'a pipe or socket' : `a socket of ${localPort} to ${remotePort}`;
  return `${place}, ${bytesRead} read and ${bytesWritten} written`;
}

function tell(): void {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sums = [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
  // Standard error, since the other one is the runner's.
  process.stderr.write(`    open in the test's process ${process.pid}: ${sums}\n`);
  for (const handle of (process as Inside)._getActiveHandles?.() ?? [])
    process.stderr.write(`      ${describe(handle)}\n`);
}

// The module is also read for the name of the signal, by a process that must end by it.
if (process.env['TEST_RUN_MARK'] !== undefined) process.on(openSignal, tell);
