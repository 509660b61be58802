// What a program prints, within a time and a size; the program and all that it started end with the wait.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { faultReason } from '../protocol/fault-reason.ts';

export interface CommandLimits {
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** Where it is started; where the gateway was, if absent. */
  readonly cwd?: string;
}

/**
 * The standard output of a program that ends with 0; started without a shell, with the gateway's environment and no
 * input. The error says how it ended and has nothing of what it printed.
 */
export async function commandOutput(
  [file = '', ...args]: readonly string[],
  { timeoutMs, bytesMax, cwd }: CommandLimits,
): Promise<string> {
  // A group of its own, so that what it starts can be ended with it.
  const child = spawn(file, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => {
    reject(new Error(`it did not end within ${String(timeoutMs)} ms`));
  }, timeoutMs);
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) reject(new Error(`it printed more than ${String(bytesMax)} bytes`));
    else chunks.push(chunk);
  });
  child.once('error', (error) => {
    reject(new Error(`it cannot be started: ${faultReason(error)}`));
  });
  child.once('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(chunks).toString());
    else reject(new Error(`it ended with ${String(code ?? signal)}`));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    endGroup(child);
  }
}

function endGroup(child: ChildProcess): void {
  child.stdout?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The whole group has ended already.
  }
}
