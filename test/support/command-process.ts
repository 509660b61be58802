// Commands of the program in one process that stays: each costs a call, not a start. What they print and how they end is as by the program.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
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

/** What a command finds around it. */
interface Surroundings {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

type Call = Surroundings & { readonly args: readonly string[] };

function forkHere(env: NodeJS.ProcessEnv): ChildProcess {
  const child = fork(fileURLToPath(import.meta.url), { env, silent: true });
  // A fault of the process itself ends the test that waits for it.
  child.stderr?.pipe(process.stderr, { end: false });
  return child;
}

async function ask(child: ChildProcess, call: Call): Promise<CommandOutcome> {
  const over = new AbortController();
  const told = once(child, 'message', over);
  const gone = once(child, 'exit', over).then(([code, signal]) => {
    throw new Error(`the process of the commands ended with ${code ?? signal} at ${call.args.join(' ')}`);
  });
  try {
    child.send(call);
    const [outcome] = (await Promise.race([told, gone])) as [CommandOutcome];
    return outcome;
  } finally {
    over.abort();
    await Promise.allSettled([told, gone]);
  }
}

/** `env` is its whole environment. */
export function startCommands(env: NodeJS.ProcessEnv): CommandProcess {
  const child = forkHere(env);
  return {
    run: (args) => ask(child, { args, cwd: process.cwd(), env }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

let shared: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Keeps this process from ending, or does so no more: the shared one ends with it. */
function hold(child: ChildProcess, isWanted: boolean): void {
  const pipes = [child.stdout, child.stderr] as readonly (Socket | null)[];
  if (isWanted) child.ref();
  else child.unref();
  if (isWanted) child.channel?.ref();
  else child.channel?.unref();
  for (const pipe of pipes)
    if (isWanted) pipe?.ref();
    else pipe?.unref();
}

/**
 * As `runCommand` of the launcher, for commands that read a store, ask a gateway or judge, and end: not for those that serve, protect
 * themselves, start others or read their input. All calls of a test file share a process, one at a time.
 */
export function runShared(
  args: readonly string[],
  { env = process.env, cwd = process.cwd() }: Partial<Surroundings> = {},
): Promise<CommandOutcome> {
  const mine = last.then(async () => {
    if (shared === undefined) {
      shared = forkHere(process.env);
      shared.stdin?.end();
    }
    hold(shared, true);
    try {
      return await ask(shared, { args, cwd, env });
    } finally {
      hold(shared, false);
    }
  });
  last = mine.catch(() => undefined);
  return mine;
}

/** The same, but a non-zero exit throws with what the command said. Gives stdout. */
export async function mustRunShared(
  args: readonly string[],
  surroundings: Partial<Surroundings> = {},
): Promise<string> {
  const { code, stdout, stderr } = await runShared(args, surroundings);
  if (code === 0) return stdout;
  throw new Error(`${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
}

async function commandOf(name: string | undefined): Promise<Command> {
  const { commands } = await import('../../src/cli/command-table.ts');
  const load = commands.get(name ?? '');
  if (load === undefined) throw new Error(`no command ${name}`);
  return await load();
}

/** Takes what is written to a stream, until it is disposed. */
function capture(stream: NodeJS.WriteStream, taken: Uint8Array[]): Disposable {
  const kept = stream.write;
  stream.write = ((data: string | Uint8Array, ...rest: readonly unknown[]) => {
    taken.push(typeof data === 'string' ? Buffer.from(data) : data);
    const done = rest.at(-1);
    if (typeof done === 'function') process.nextTick(done as () => void);
    return true;
  }) as typeof stream.write;
  return {
    [Symbol.dispose]: () => {
      stream.write = kept;
    },
  };
}

function enter({ cwd, env }: Surroundings): void {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  Object.assign(process.env, env);
}

async function runHere({ args: [name, ...args], ...surroundings }: Call): Promise<CommandOutcome> {
  const { asProxyError } = await import('../../src/protocol/error.ts');
  const { errorText } = await import('../../src/cli/terminal/program.ts');
  const { standardErrors } = await import('../../src/cli/terminal/terminal-stream.ts');
  enter(surroundings);
  const [stdout, stderr]: [Uint8Array[], Uint8Array[]] = [[], []];
  using _out = capture(process.stdout, stdout);
  using _err = capture(process.stderr, stderr);
  const outcome = (code: number): CommandOutcome => ({
    code,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  });
  try {
    return outcome(await (await commandOf(name)).run(args));
  } catch (thrown) {
    const error = asProxyError(thrown);
    process.stderr.write(errorText(error, standardErrors()));
    return outcome(error.exitCode);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  process.on('message', (call: Call) => {
    void runHere(call).then((outcome) => process.send?.(outcome));
  });
  // Whatever a command has left open.
  process.on('disconnect', () => process.exit());
}
