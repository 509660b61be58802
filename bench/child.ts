// Processes of the bench: how they are found, awaited and ended.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const startMsMax = 60_000;

/** Bun of the checkout, or Node where it is not wanted, not installed, or installed without its program. */
export function runtimeFile(wanted: 'bun' | 'node'): string {
  const bun = fileURLToPath(new URL('../node_modules/.bin/bun', import.meta.url));
  const isThere = wanted === 'bun' && spawnSync(bun, ['--version']).status === 0;
  return isThere ? bun : process.execPath;
}

/** Whether there is a program of that name. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status === 0;
}

export async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the process has no output');
  const signal = AbortSignal.timeout(startMsMax);
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the process ended with ${String(code)} before it was ready`);
  });
  // Heard by the race below; afterwards the process may end.
  ended.catch(() => {});
  const [chunk] = (await Promise.race([once(stdout, 'data', { signal }), ended])) as [Buffer];
  stdout.resume();
  return chunk.toString().trim();
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Until something takes connections on the port. */
export async function accepts(port: number, child: ChildProcess, waitMs = startMsMax): Promise<void> {
  const untilMs = performance.now() + waitMs;
  while (performance.now() < untilMs) {
    if (child.exitCode !== null)
      throw new Error(`the process ended with ${child.exitCode} before it listened`);
    const socket = connect(port, '127.0.0.1');
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await delay(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
  await ended;
  clearTimeout(timer);
}

/** Where the bench itself is ended, what it started ends too, and its folders go. */
export function endWithUs(clean: () => void): Disposable {
  const onSignal = (signal: NodeJS.Signals): void => {
    clean();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** Runs a program to its end; throws with what it wrote to standard error when that is not 0. */
export async function mustRun(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<void> {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${String(code)}: ${text.trim().slice(0, 400)}`);
}
