// The program that `run` starts: it carries out the tasks of a file one after the other, some at once, in the environment that
// it was given, and prints a line of JSON for each.

import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { argv, env, stdout } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

export interface Task {
  readonly key: string;
  readonly command: readonly string[];
  /** By absolute path. */
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
  readonly home: string;
  readonly timeoutMs: number;
}

export interface TaskList {
  readonly tasks: readonly Task[];
  readonly atOnce: number;
}

export interface TaskResult {
  readonly key: string;
  readonly code: number | null;
  readonly timedOut: boolean;
  /** Beginning and end of stdout and stderr together. */
  readonly output: string;
  readonly milliseconds: number;
}

const outputBytesMax = 256 * 1024;

/** Runs every task, `atOnce` at a time. */
async function runAll({ tasks, atOnce }: TaskList): Promise<void> {
  const waiting = [...tasks];
  const worker = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift())
      stdout.write(`${JSON.stringify(await runTask(task))}\n`);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function runTask(task: Task): Promise<TaskResult> {
  const started = performance.now();
  await mkdir(task.dir, { recursive: true });
  // What the agent wrote into the HOME of the session is what every task begins with.
  await cp(env['HOME'] ?? '/nonexistent', task.home, { recursive: true, verbatimSymlinks: true });
  await mkdir(join(task.home, 'tmp'), { recursive: true });
  for (const [path, content] of Object.entries(task.files)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  const end = await runProcess(task);
  // Module caches are read-only, and large: nobody needs them any more.
  await rm(task.home, { recursive: true, force: true }).catch(() => undefined);
  return { key: task.key, ...end, milliseconds: Math.round(performance.now() - started) };
}

async function runProcess(task: Task): Promise<{ code: number | null; timedOut: boolean; output: string }> {
  const [file = '', ...args] = task.command;
  const child = spawn(file, args, {
    cwd: task.dir,
    env: { ...env, PWD: task.dir, HOME: task.home, TMPDIR: join(task.home, 'tmp'), ...task.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that all of it can be ended.
    detached: true,
  });
  const output = collect(child);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    endGroup(child.pid);
  }, task.timeoutMs);
  const closed = once(child, 'close').catch(() => undefined);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    // What it left behind would hold the pipes open.
    endGroup(child.pid);
    await Promise.race([closed, delay(1000, undefined, { ref: false })]);
    return { code, timedOut, output: output() };
  } catch (error) {
    return { code: null, timedOut, output: String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function collect(child: ChildProcessByStdio<null, Readable, Readable>): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      // The end says more than the middle.
      while (bytes > outputBytesMax && chunks.length > 2) bytes -= chunks.splice(1, 1)[0]?.length ?? 0;
    });
  }
  return () => Buffer.concat(chunks).toString('utf8');
}

if (import.meta.main) {
  // Written by matrix.ts.
  await runAll(JSON.parse(await readFile(argv[2] ?? '', 'utf8')) as TaskList);
}
