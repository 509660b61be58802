// One test file in a process of its own, under Node or under Bun: what it says goes to the terminal, what failed and how is kept.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { run } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { leftProcesses, markName, type LeftProcess } from './left-processes.ts';
import { openSignal } from './tell-what-is-open.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What became of one file; a text for each failure. */
export interface FileOutcome {
  readonly counts: Counts;
  readonly failures: readonly string[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
// For one file. The longest are the bulk transfer and the installation of the package; a busy machine takes twice as long.
const fileTimeoutMs = 240_000;
const killDelayMs = 5_000;
const settleMs = 5_000;

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

function describeError(error: unknown): string {
  // The runner wraps what the test threw.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** What a file that is over has left. Children of what a test has ended may be a moment behind it. */
async function settledProcesses(mark: string): Promise<readonly LeftProcess[]> {
  const untilMs = performance.now() + settleMs;
  for (;;) {
    const left = leftProcesses(mark);
    if (left.length === 0 || performance.now() >= untilMs) return left;
    await wait(100);
  }
}

/** Ends what a file that is over, or overdue, has left, and gives one line for each. */
function endLeftProcesses(processes: readonly LeftProcess[], file: string): string[] {
  return processes.map(({ pid, command }) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
    return `✖ ${file}: a process was left behind: ${pid} ${command}`;
  });
}

type RunEvents = ReturnType<typeof run>;

/** How a file is bounded that starts real servers: by what it gets done, whatever the machine does beside. */
export interface QuietBound {
  /** From one test's end to the next one's. */
  readonly quietMs: number;
}

/** A process that is told to say what it waits for has a moment to. */
const tellDelayMs = 2_000;

/** Of a file that stands still: which processes it has, and what each of them waits for; then it is ended. */
async function tellAndEnd(mark: string, file: string, quietMs: number): Promise<readonly string[]> {
  console.log(`✖ ${file}: no test began or ended for ${quietMs / 1000} s. What is open:`);
  const processes = leftProcesses(mark);
  for (const { pid, command } of processes) {
    const { parent, waits } = stateOf(pid);
    console.log(`    ${pid} (of ${parent}, in ${waits}) ${command}`);
    // The process of the file itself: the others would end by it.
    if (parent === process.pid) process.kill(pid, openSignal);
  }
  await wait(tellDelayMs);
  return endLeftProcesses(leftProcesses(mark), file);
}

/** Who started it, and where in the kernel it waits, as far as that is told. */
function stateOf(pid: number): { readonly parent: number; readonly waits: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { parent, waits: readFileSync(`/proc/${pid}/wchan`, 'latin1') };
  } catch {
    return { parent: 0, waits: 'nothing any more' };
  }
}

/** Calls `onQuiet` once so long nothing came of a file that counts. */
class QuietWatch {
  readonly #quiet: () => void;
  readonly #quietMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(quietMs: number | undefined, onQuiet: (quietMs: number) => void) {
    this.#quietMs = quietMs;
    this.#quiet = () => onQuiet(quietMs ?? 0);
    this.heard();
  }

  heard(): void {
    clearTimeout(this.#timer);
    if (this.#quietMs !== undefined) this.#timer = setTimeout(this.#quiet, this.#quietMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Prints every failure, every skip and one line for the file; gives its counts, and adds to `failures`. */
async function report(
  stream: RunEvents,
  file: string,
  failures: string[],
  heard: () => void = () => undefined,
): Promise<Counts> {
  let total: Counts = { passed: 0, failed: 1, skipped: 0 };
  for await (const event of stream) {
    if (event.type === 'test:start' || event.type === 'test:pass' || event.type === 'test:fail') heard();
    switch (event.type) {
      case 'test:fail':
        if (event.data.details.error.failureType === 'subtestsFailed') break;
        failures.push(`✖ ${file}: ${event.data.name}\n${indent(describeError(event.data.details.error))}`);
        console.log(failures.at(-1));
        break;
      case 'test:pass':
        if (event.data.skip !== undefined && event.data.skip !== false) {
          console.log(`﹣ ${event.data.name}: skipped, ${String(event.data.skip)}`);
        }
        break;
      case 'test:stderr':
        process.stderr.write(event.data.message);
        break;
      case 'test:summary': {
        const { counts, duration_ms: milliseconds } = event.data;
        if (event.data.file === undefined) break;
        const failed = counts.failed + counts.cancelled;
        total = { passed: counts.passed, failed, skipped: counts.skipped };
        const sign = event.data.success ? '✔' : '✖';
        console.log(`${sign} ${file}  ${counts.passed}/${counts.tests}  ${Math.round(milliseconds)} ms`);
        break;
      }
      default:
        break;
    }
  }
  return total;
}

const compileCache = new URL('../test/support/compile-cache.mjs', import.meta.url).href;
const tellWhatIsOpen = new URL('tell-what-is-open.ts', import.meta.url).href;
const overwriteReads = new URL('../test/support/overwrite-reads.ts', import.meta.url).href;

/** What is loaded before the file: where sockets are read in its own process, what was read is overwritten at once. */
function preloadsOf(file: string, isBounded: boolean): readonly string[] {
  const reads = /^test\/(?:agent|attacks|gateway|net)\//.test(file);
  const modules = [compileCache, ...(reads ? [overwriteReads] : []), ...(isBounded ? [tellWhatIsOpen] : [])];
  return modules.map((module) => `--import=${module}`);
}

/** Runs `file` in a process of its own under this Node, and calls it `name`. Without `quiet` its time is bounded. */
export async function runFileUnderNode(
  file: string,
  env: NodeJS.ProcessEnv,
  name = file,
  quiet?: QuietBound,
): Promise<FileOutcome> {
  const mark = randomUUID();
  const failures: string[] = [];
  const stream = run({
    cwd: root,
    files: [file],
    timeout: quiet === undefined ? fileTimeoutMs : Infinity,
    env: { ...env, [markName]: mark },
    execArgv: [
      '--disable-warning=ExperimentalWarning',
      '--disable-sigusr1',
      ...preloadsOf(file, quiet !== undefined),
    ],
  });
  // The runner ends an overdue file by SIGTERM, which one that hangs may not heed.
  const bound =
    quiet === undefined
      ? setTimeout(
          () => failures.push(...endLeftProcesses(leftProcesses(mark), file)),
          fileTimeoutMs + killDelayMs,
        )
      : undefined;
  let ending: Promise<unknown> | undefined;
  const watch = new QuietWatch(quiet?.quietMs, (quietMs) => {
    ending = tellAndEnd(mark, file, quietMs).then((ended) => failures.push(...ended));
  });
  const counts = await report(stream, name, failures, () => watch.heard());
  watch.end();
  await ending;
  clearTimeout(bound);
  const left = endLeftProcesses(await settledProcesses(mark), file);
  failures.push(...left);
  return { counts: { ...counts, failed: counts.failed + left.length }, failures };
}

/** Runs one file with `bun test`, whose own summary is printed and read. */
export async function runFileUnderBun(file: string, environment: NodeJS.ProcessEnv): Promise<FileOutcome> {
  const mark = randomUUID();
  const failures: string[] = [];
  const child = spawn('bun', ['--no-env-file', 'test', '--timeout', String(fileTimeoutMs), `./${file}`], {
    cwd: root,
    env: { ...environment, NO_COLOR: '1', [markName]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: fileTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const counts = { pass: 0, fail: 0, skip: 0, todo: 0 };
  // `bun test` reports on stderr. A passed test needs no line, and a file of which nothing is said none either.
  const said: string[] = [];
  let repeats = false;
  createInterface({ input: child.stderr }).on('line', (line) => {
    // At its end it says the skipped and the failed ones again.
    repeats ||= /^[0-9]+ tests (?:skipped|failed):$/.test(line);
    if (line === '' || line.startsWith('(pass)') || (repeats && line.startsWith('('))) return;
    const match = /^\s*([0-9]+) (pass|fail|skip|todo)$/.exec(line);
    // The pattern admits these four words only.
    if (match !== null) counts[match[2] as keyof typeof counts] = Number(match[1]);
    else if (/^(?:bun test|Ran [0-9]+ tests?| *[0-9]+ expect\(\) calls|\S+\.test\.ts:)/.test(line)) return;
    else said.push(line);
    if (line.startsWith('(fail)')) failures.push(`✖ under Bun: ${file}: ${line.slice('(fail) '.length)}`);
  });
  child.stdout.resume();
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal !== null) failures.push(`✖ under Bun: ${file}: not ended within ${fileTimeoutMs / 1000} s`);
  // A crash, or a file that cannot be loaded, is a failure even where no test failed.
  const failed = code === 0 ? counts.fail : Math.max(1, counts.fail);
  if (failed > 0 && counts.fail === 0)
    failures.push(`✖ under Bun: ${file}\n${indent(said.slice(-20).join('\n'))}`);
  if (said.length > 0 || failed > 0) console.log(`under Bun: ${file}\n${said.join('\n')}`);
  const left = endLeftProcesses(await settledProcesses(mark), file);
  failures.push(...left);
  const total = { passed: counts.pass, failed: failed + left.length, skipped: counts.skip + counts.todo };
  return { counts: total, failures };
}
