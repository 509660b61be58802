// `npm test`: every test under Node, then what depends on where TLS of clients ends with the other place, then the agent's tests under Bun;
// ends with what failed and one line that sums them. Arguments are files or folders to run instead of all; `--node` or `--bun` runs
// the part under that runtime only. A file that failed among others runs once more, alone; `--once` leaves that out.

import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { repeatable, sumOutcomes, type NamedOutcome } from './repeat-tests.ts';
import { runFileUnderBun, runFileUnderNode, type FileOutcome } from './run-test-file.ts';
import { testEnvironment, testUmask, withOtherTlsEnd } from './test-environment.ts';
import { openRunFolder } from './test-program.ts';

interface Task {
  readonly name: string;
  run(): Promise<FileOutcome>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
// With one more than there are processors, these had nothing to do for a third of the time: files wait for programs and for limits of
// time. Not more than a few, for tests share the machine's memory, ports and addresses.
const filesAtOnce = Math.min(availableParallelism(), 4) + 2;
// What runs in the container must run under Bun: the agent and the layers that it stands on.
const bunPatterns = ['test/agent/**/*.test.ts'];
// By default TLS of clients ends in the agent. In the gateway it still has to, for agents and balancers that prove nothing. The largest,
// `e2e/bulk` and `e2e/clients`, run there by `TEST_TLS_ENDS_IN=gateway npm test` and `npm run test:clients`.
const bothPlacesPatterns = [
  'test/attacks/attacks.test.ts',
  'test/gateway/front/**/*.test.ts',
  'test/gateway/tunnels/**/*.test.ts',
  'test/gateway/forward/loop-guard.test.ts',
  'test/e2e/{denials,library,resume,upstream-proxy}.test.ts',
];

function expand(selection: readonly string[]): string[] {
  const patterns = selection.length === 0 ? ['test/**/*.test.ts'] : selection;
  const files = patterns.flatMap((pattern) => {
    const folder = statSync(pattern, { throwIfNoEntry: false })?.isDirectory() === true;
    return globSync(folder ? `${pattern}/**/*.test.ts` : pattern, { cwd: root });
  });
  return [...new Set(files)].sort();
}

/** Runs them, a few at once and those that come first first. */
async function runAll(tasks: readonly Task[]): Promise<NamedOutcome[]> {
  const waiting = [...tasks];
  const outcomes: NamedOutcome[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      outcomes.push({ name: next.name, ...(await next.run()) });
  };
  await Promise.all(Array.from({ length: filesAtOnce }, work));
  return outcomes;
}

process.umask(testUmask);
await using runFolder = await openRunFolder(root);
const environment = { ...testEnvironment(process.env), TEST_RUN_FOLDER: runFolder.path };
const otherPlace = withOtherTlsEnd(environment);

const selection = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const only = new Set(process.argv.slice(2).filter((argument) => argument.startsWith('--')));
const files = expand(selection);
const bunFiles = expand(bunPatterns).filter((file) => files.includes(file));
const placeFiles = expand(bothPlacesPatterns).filter((file) => files.includes(file));

const underNode: Task[] = [
  ...files.map((file) => ({ name: file, run: () => runFileUnderNode(file, environment) })),
  ...placeFiles.map((file) => {
    const name = `${file} [TLS ends at the other place]`;
    return { name, run: () => runFileUnderNode(file, otherPlace, name) };
  }),
];
const underBun: Task[] = bunFiles.map((file) => ({
  name: `under Bun: ${file}`,
  run: () => runFileUnderBun(file, environment),
}));
const tasks = [...(only.has('--bun') ? [] : underNode), ...(only.has('--node') ? [] : underBun)];
const outcomes = await runAll(tasks);

const again = only.has('--once') ? [] : repeatable(outcomes);
const repeats: NamedOutcome[] = [];
for (const { name, run } of tasks.filter((task) => again.includes(task.name))) {
  console.log(`\nonce more, alone: ${name}`);
  repeats.push({ name, ...(await run()) });
}

const { counts, failures, unsteady } = sumOutcomes(outcomes, repeats);
if (files.length === 0) failures.push('no test file matches');
if (unsteady.length > 0)
  console.log(
    `\nUnsteady: failed beside other files and passed alone. Mend what made them fail:\n\n${unsteady.join('\n')}`,
  );
if (failures.length > 0) console.log(`\nWhat failed:\n\n${failures.join('\n')}`);
const { passed, failed, skipped } = counts;
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
