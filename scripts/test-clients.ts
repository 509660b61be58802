// `npm run test:clients [-- ID…] [--mode M] [--alone] [--verbose] [--write]`: real clients through a real agent and gateway, by the
// environment, by capture, and by plain `run` as root and as an ordinary user. An ID is a check or the beginning of its name: `npm run test:clients -- git npm`.

import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { allChecks } from '../test/clients/checks/all.ts';
import { allModes } from '../test/clients/check.ts';
import { runMatrix } from '../test/clients/matrix.ts';
import { countStates, documentPage, makeRows, surprises, textTable } from '../test/clients/report.ts';

const page = fileURLToPath(new URL('../docs/reference/clients.md', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string' },
    alone: { type: 'boolean' },
    verbose: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});

const modes = allModes.filter((mode) => values.mode === undefined || values.mode === mode);
const checks = allChecks.filter(
  ({ id }) =>
    positionals.length === 0 || positionals.some((part) => id === part || id.startsWith(`${part}-`)),
);
const tools = process.env['UPSTREAMPROXY_CLIENTS'] ?? join(homedir(), '.cache/upstreamproxy-clients');
const started = performance.now();
if (checks.length === 0 || modes.length === 0) {
  console.error('no check of that name, or no such mode');
  process.exit(1);
}

// Namespace and gateway go before the process does.
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());

const results = await runMatrix({
  signal: interrupted.signal,
  checks,
  modes,
  tools,
  atOnce: 2,
  isAlone: () => values.alone === true,
  onResult: ({ check, mode, state, reason, output }) => {
    if (state === 'fail' && values.verbose === true)
      console.log(`${check.id} by ${mode}: ${reason}\n${output.slice(-2000)}\n`);
  },
});
const rows = await makeRows(checks, results, tools);
console.log(textTable(rows));
for (const mode of modes) {
  const { passed, failed, skipped } = countStates(rows, mode);
  console.log(`\n${mode}: ${passed} passed, ${failed} failed, ${skipped} skipped of ${rows.length}`);
}
const unexpected = surprises(rows);
for (const line of unexpected) console.log(`! ${line}`);
if (values.write === true) {
  await writeFile(page, documentPage(rows, new Date().toISOString().slice(0, 10)));
  console.log(`written: ${page}`);
}
const sum = (state: string): number => results.filter((result) => result.state === state).length;
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  `\n${sum('pass')} passed, ${sum('fail')} failed, ${sum('skip')} skipped, of which ${unexpected.length} not as expected; ${seconds} s`,
);
process.exitCode = unexpected.length === 0 && sum('pass') > 0 ? 0 : 1;
