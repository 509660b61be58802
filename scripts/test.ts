// `npm test`: every test under Node, then the agent's tests under Bun; ends with what failed and one line that sums both.
// Arguments are files or folders to run instead of all; `--node` or `--bun` runs one half only.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What failed and how, said again after both halves: what comes before may be cut from a long log. */
const failures: string[] = [];

const root = fileURLToPath(new URL('..', import.meta.url));
// The longest are the bulk transfer and the installation of the package.
const testTimeoutMs = 180_000;
const nodeTimeoutMs = 720_000;
const bunTimeoutMs = 300_000;
const filesAtOnce = 2;
// What runs in the container must run under Bun: the agent and the layers that it stands on.
const bunPatterns = ['test/agent/**/*.test.ts'];

function expand(selection: readonly string[]): string[] {
  const patterns = selection.length === 0 ? ['test/**/*.test.ts'] : selection;
  const files = patterns.flatMap((pattern) => {
    const folder = statSync(pattern, { throwIfNoEntry: false })?.isDirectory() === true;
    return globSync(folder ? `${pattern}/**/*.test.ts` : pattern, { cwd: root });
  });
  return [...new Set(files)].sort();
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

function describeError(error: unknown): string {
  // The runner wraps what the test threw.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** Runs the files under this Node; prints a line a file, every failure and every skip, and the runner's summary. */
async function runUnderNode(files: readonly string[]): Promise<Counts> {
  // A file that does not end by itself must not hold the run for ever.
  const bound = AbortSignal.timeout(nodeTimeoutMs);
  const stream = run({
    cwd: root,
    files: [...files],
    concurrency: filesAtOnce,
    timeout: testTimeoutMs,
    signal: bound,
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-sigusr1'],
  });
  let total: Counts | undefined;
  for await (const event of stream) {
    switch (event.type) {
      case 'test:fail':
        if (event.data.details.error.failureType === 'subtestsFailed') break;
        failures.push(
          bound.aborted && event.data.name === (event.data.file ?? '').replace(root, '')
            ? `✖ ${event.data.name}: not ended within the ${nodeTimeoutMs / 1000} s of the whole run`
            : `✖ ${(event.data.file ?? '').replace(root, '')}: ${event.data.name}\n${indent(describeError(event.data.details.error))}`,
        );
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
      case 'test:diagnostic':
        // The summary of the whole run has no file.
        if (event.data.nesting === 0 && event.data.file === undefined) console.log(`# ${event.data.message}`);
        break;
      case 'test:summary': {
        const { counts, duration_ms: milliseconds, file } = event.data;
        if (file === undefined) {
          total = {
            passed: counts.passed,
            failed: counts.failed + counts.cancelled,
            skipped: counts.skipped,
          };
        } else {
          const name = file.replace(root, '');
          console.log(
            `${event.data.success ? '✔' : '✖'} ${name}  ${counts.passed}/${counts.tests}  ${Math.round(milliseconds)} ms`,
          );
        }
        break;
      }
      default:
        break;
    }
  }
  return total ?? { passed: 0, failed: 1, skipped: 0 };
}

/** Runs the files with `bun test`, whose own summary is printed and read. */
async function runUnderBun(files: readonly string[]): Promise<Counts> {
  const child = spawn(
    'bun',
    [
      '--no-env-file',
      'test',
      '--parallel=2',
      '--timeout',
      String(testTimeoutMs),
      ...files.map((file) => `./${file}`),
    ],
    {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: bunTimeoutMs,
      killSignal: 'SIGKILL',
    },
  );
  const counts = { pass: 0, fail: 0, skip: 0, todo: 0 };
  // `bun test` reports on stderr. A passed test needs no line, and a file of which nothing is said none either.
  const report = createInterface({ input: child.stderr });
  let file = '';
  let said = '';
  let repeats = false;
  report.on('line', (line) => {
    // At its end it says the skipped and the failed ones again.
    repeats ||= /^[0-9]+ tests (?:skipped|failed):$/.test(line);
    if (line === '' || line.startsWith('(pass)') || (repeats && line.startsWith('('))) return;
    if (/^\S+\.test\.ts:$/.test(line)) {
      file = line;
      return;
    }
    if (file !== said) console.log(file);
    said = file;
    const match = /^\s*([0-9]+) (pass|fail|skip|todo)$/.exec(line);
    // The pattern admits these four words only.
    if (match !== null) counts[match[2] as keyof typeof counts] = Number(match[1]);
    if (line.startsWith('(fail)')) failures.push(`✖ under Bun: ${file} ${line.slice('(fail) '.length)}`);
    console.log(line);
  });
  child.stdout.resume();
  const [code] = (await once(child, 'close')) as [number | null];
  // A crash, or a file that cannot be loaded, is a failure even where no test failed.
  const failed = code === 0 ? counts.fail : Math.max(1, counts.fail);
  return { passed: counts.pass, failed, skipped: counts.skip + counts.todo };
}

const selection = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const only = new Set(process.argv.slice(2).filter((argument) => argument.startsWith('--')));
const files = expand(selection);
const bunFiles = expand(bunPatterns).filter((file) => files.includes(file));

const results: Counts[] = [];
if (files.length === 0) {
  console.error('no test file matches');
  results.push({ passed: 0, failed: 1, skipped: 0 });
}
if (!only.has('--bun') && files.length > 0) results.push(await runUnderNode(files));
if (!only.has('--node') && bunFiles.length > 0) {
  console.log('\nThe same under Bun:');
  results.push(await runUnderBun(bunFiles));
}

const sum = (key: keyof Counts): number => results.reduce((total, counts) => total + counts[key], 0);
if (failures.length > 0) console.log(`\nWhat failed:\n\n${failures.join('\n')}`);
const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}`);
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1;
