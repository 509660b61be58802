// The program itself as real processes: a gateway, an agent, and whatever else a command starts.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { patienceMs } from './patience.ts';

// `node --test` at a terminal asks its files for colours, and what programs print is compared as text.
delete process.env['FORCE_COLOR'];

/** The launcher of the checkout, which runs the source as it is. */
export const sourceLauncher = fileURLToPath(new URL('../../bin/upstreamproxy', import.meta.url));

// `npm test` builds the program once, as it is packed (scripts/test-program.ts); a file that is run by itself takes the source.
const runFolder = process.env['TEST_RUN_FOLDER'];

/** The launcher that users start. */
export const launcher =
  runFolder === undefined ? sourceLauncher : join(runFolder, 'package', 'bin', 'upstreamproxy');

/** What the launcher lets the runtime run. */
export const mainFile =
  runFolder === undefined
    ? fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
    : join(runFolder, 'package', 'dist', 'cli', 'main.js');

export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  /** Everything that it logged so far. */
  readonly log: () => string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  close(): Promise<void>;
}

/** Ends a child by SIGTERM, after a long time by SIGKILL, and waits for it. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await ended;
  clearTimeout(timer);
}

/** Starts `upstreamproxy gateway --config` and waits until it listens. */
export async function startGatewayProcess(
  configFile: string,
  environment: NodeJS.ProcessEnv = {},
  options: readonly string[] = [],
  program = launcher,
): Promise<GatewayProcess> {
  const child = spawn(program, ['gateway', '--config', configFile, ...options], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => reject(new Error(`the gateway did not start: ${said.join('\n')}`)),
    patienceMs,
  );
  child.once('error', reject);
  child.once('exit', () => reject(new Error(`the gateway ended: ${said.join('\n')}`)));
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line);
    const url = /\blistening on (https:[^\s"]+)/.exec(line)?.[1];
    if (url !== undefined) resolve(url);
  });
  const close = (): Promise<void> => endChild(child);
  // One of the two is there.
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0));
  });
  try {
    const url = await promise;
    const log = (): string => said.join('\n');
    return { pid: child.pid ?? 0, url, log, ended, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until a file has a whole line, and gives its text. Throws after a deadline. */
export async function waitForFile(path: string, timeoutMs: number = patienceMs): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text;
    if (performance.now() > deadline) throw new Error(`${path} was not written within ${timeoutMs} ms`);
    await delay(20);
  }
}

/** Waits until a condition holds. Throws after a deadline. */
export async function waitUntil(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number = patienceMs,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}

/** Resident memory of a process in bytes, now and at its peak. */
export async function residentBytes(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}

/** Whether a process of this id runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
