// Runs a program to its end; what asks this step to end is passed on to it.

import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import type { Writable } from 'node:stream';

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to its descriptor 3, which is then closed. */
  readonly secret?: string | undefined;
  /** What asks this step to end is not passed on: the program ends by itself, and soon. */
  readonly isLast?: boolean;
  readonly onStart?: (pid: number) => void;
  /** Gets what it writes to standard output; else that goes to the log. */
  readonly onOutput?: (text: string) => void;
  /** What it writes to standard error goes to our standard output: the runner keeps no order between the two. */
  readonly isOneStream?: boolean;
}

export interface ChildEnd {
  /** What a shell would report. */
  readonly code: number;
  /** There is no such program. */
  readonly missing: boolean;
  /** The end of what it wrote to standard error. */
  readonly said: string;
}

const saidCharactersMax = 4_000;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export async function runToEnd(
  file: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildEnd> {
  const { cwd, env, secret, onOutput, onStart, isLast = false, isOneStream = false } = options;
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...(secret === undefined ? [] : ['pipe' as const])];
  const child = spawn(file, args, {
    stdio,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  });
  const pass = (signal: NodeJS.Signals): void => {
    if (!isLast) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  try {
    if (child.pid !== undefined) onStart?.(child.pid);
    giveSecret(child, secret);
    if (onOutput === undefined) child.stdout?.pipe(process.stdout, { end: false });
    else child.stdout?.setEncoding('utf8').on('data', onOutput);
    let said = '';
    const errors = isOneStream ? process.stdout : process.stderr;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors.write(text);
      said = (said + text).slice(-saidCharactersMax);
    });
    return await new Promise<ChildEnd>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        resolve({ code: 127, missing: error.code === 'ENOENT', said: error.message });
      });
      child.once('close', (code, signal) => {
        resolve({ code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0), missing: false, said });
      });
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

function giveSecret(child: ChildProcess, secret: string | undefined): void {
  if (secret === undefined) return;
  // A pipe, as asked for above.
  const pipe = child.stdio[3] as Writable | null | undefined;
  pipe?.on('error', () => {});
  pipe?.end(secret);
}
