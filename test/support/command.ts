// Runs a real program to its end and gives what it printed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { patienceMs } from './patience.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment of the program; default is this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  /** The program is killed after this time; default is twice as long as a test waits for anything else. */
  readonly timeoutMs?: number;
}

/** Runs `file` with `args`. Does not throw on a non-zero exit; throws if the program cannot be started. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const timer = setTimeout(
    () => {
      child.kill('SIGKILL');
      // What the program started (git: git-remote-https) may live on and hold these open, and nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
    },
    options.timeoutMs ?? 2 * patienceMs,
  );
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that exits without reading its input is no fault of the test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const ended = once(child, 'close').finally(() => {
    clearTimeout(timer);
  });
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  return {
    code,
    signal,
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
  };
}

/** As `runCommand`, but a non-zero exit throws with what the program said. Gives stdout. */
export async function mustRun(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(file, args, options);
  if (result.code === 0) return result.stdout;
  throw new Error(
    `${file} ${args.join(' ')} ended with ${result.signal ?? result.code}\n${result.stdout}\n${result.stderr}`,
  );
}
