// Commands of the program in one process that stays: each costs a call, not a start. What they print and how they end is as by the program.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { harmlessText } from '../../src/cli/terminal/text-table.ts';
import { asProxyError } from '../../src/protocol/error.ts';
import type { Command } from '../../src/cli/terminal/command.ts';

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandProcess extends AsyncDisposable {
  /** One at a time. */
  run(args: readonly string[]): Promise<CommandOutcome>;
}

/** `env` is its whole environment. */
export function startCommands(env: NodeJS.ProcessEnv): CommandProcess {
  const child = fork(fileURLToPath(import.meta.url), { env, silent: true });
  // A fault of the process itself ends the test that waits for it.
  child.stderr?.pipe(process.stderr);
  return {
    run: async (args) => {
      const over = new AbortController();
      const told = once(child, 'message', over);
      const gone = once(child, 'exit', over).then(([code, signal]) => {
        throw new Error(`the process of the commands ended with ${code ?? signal} at ${args.join(' ')}`);
      });
      try {
        child.send(args);
        const [outcome] = (await Promise.race([told, gone])) as [CommandOutcome];
        return outcome;
      } finally {
        over.abort();
        await Promise.allSettled([told, gone]);
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function commandOf(name: string | undefined): Promise<Command> {
  const { commands } = await import('../../src/cli/command-table.ts');
  const load = commands.get(name ?? '');
  if (load === undefined) throw new Error(`no command ${name}`);
  return await load();
}

async function runHere([name, ...args]: readonly string[]): Promise<CommandOutcome> {
  const printed = { stdout: '', stderr: '' };
  const kept = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const stream of ['stdout', 'stderr'] as const)
    process[stream].write = ((text: string) => {
      printed[stream] += text;
      return true;
    }) as typeof process.stdout.write;
  try {
    return { code: await (await commandOf(name)).run(args), ...printed };
  } catch (thrown) {
    const error = asProxyError(thrown);
    const stderr = `${printed.stderr}upstreamproxy: ${harmlessText(error.message)} [${error.code}]\n`;
    return { code: error.exitCode, stdout: printed.stdout, stderr };
  } finally {
    process.stdout.write = kept.stdout;
    process.stderr.write = kept.stderr;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined)
  process.on('message', (args: readonly string[]) => {
    void runHere(args).then((outcome) => process.send?.(outcome));
  });
