// `npm run test:attacks`: every case at full size; a table by group, and one line that sums it up.
// `--random` plays generated requests instead: `--seed N`, `--runs N`, and `--repro INDEX` for one alone.
// `--responses` plays generated responses of an origin, with the same options.
// Arguments are ids or beginnings of ids (AUTH, SMUG-0) to play instead of all; `--short` plays them as `npm test` does.

import { attacks, cases } from '../test/attacks/attacks.ts';
import { playResponses } from '../test/attacks/random-responses.ts';
import { playRandom } from '../test/attacks/random-run.ts';
import { playCase, type Outcome } from '../test/attacks/support/play.ts';

const args = process.argv.slice(2);
const scale = args.includes('--short') ? 'short' : 'full';
if (args.includes('--responses')) await playGeneratedResponses();
if (args.includes('--random') || args.includes('--repro')) await playGenerated();
const wanted = args.filter((argument) => !argument.startsWith('--'));
const chosen = cases.filter(
  ({ id }) => wanted.length === 0 || wanted.some((prefix) => id.startsWith(prefix)),
);

/** Value of an option that is a number. */
function numberOf(name: string): number | undefined {
  const at = args.indexOf(name);
  return at === -1 ? undefined : Number(args[at + 1]);
}

async function playGenerated(): Promise<never> {
  const seed = numberOf('--seed') ?? Date.now() % 1_000_000;
  const runs = numberOf('--runs') ?? 20_000;
  const started = performance.now();
  const { requests, allowed, denied, failures } = await playRandom({ seed, runs, only: numberOf('--repro') });
  for (const { index, message, bytes } of failures) {
    console.log(`✖ seed ${seed}, from connection ${index}: ${message}\n${JSON.stringify(bytes)}`);
    console.log(`  npm run test:attacks -- --seed ${seed} --repro ${index}`);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`seed ${seed}: ${requests} requests, ${allowed} allowed, ${denied} denied, ${seconds} s`);
  console.log(`\n${runs - failures.length} passed, ${failures.length} failed`);
  process.exit(failures.length === 0 ? 0 : 1);
}

async function playGeneratedResponses(): Promise<never> {
  const seed = numberOf('--seed') ?? Date.now() % 1_000_000;
  const runs = numberOf('--runs') ?? 1_000;
  const { responses, allowed, failures } = await playResponses({ seed, runs, only: numberOf('--repro') });
  for (const { index, message } of failures) {
    console.log(`✖ seed ${seed}, response ${index}: ${message}`);
    console.log(`  npm run test:attacks -- --responses --seed ${seed} --repro ${index}`);
  }
  console.log(`seed ${seed}: ${responses} responses, ${allowed} passed on`);
  console.log(`\n${responses - failures.length} passed, ${failures.length} failed`);
  process.exit(failures.length === 0 ? 0 : 1);
}

interface Row {
  passed: number;
  failed: number;
  notApplicable: number;
  controls: number;
  milliseconds: number;
}

const rows = new Map<string, Row>();
const reasons: string[] = [];
const controlled: string[] = [];
const missing: Outcome = {
  verdict: 'failed',
  detail: 'the case is not played',
  milliseconds: 0,
  hasControl: false,
};

for (const { id, group, title } of chosen) {
  const entry = attacks[id];
  const outcome = entry === undefined ? missing : await playCase(entry, scale);
  const row = rows.get(group) ?? { passed: 0, failed: 0, notApplicable: 0, controls: 0, milliseconds: 0 };
  rows.set(group, row);
  row.milliseconds += outcome.milliseconds;
  row.controls += outcome.hasControl ? 1 : 0;
  if (outcome.hasControl) controlled.push(id);
  if (outcome.verdict === 'passed') row.passed += 1;
  if (outcome.verdict === 'n/a') {
    row.notApplicable += 1;
    reasons.push(`  ${id} ${title}: ${outcome.detail}`);
  }
  if (outcome.verdict === 'failed') {
    row.failed += 1;
    console.log(`✖ ${id} ${title}\n${outcome.detail.replaceAll(/^/gm, '    ')}`);
  }
}

const line = (name: string, row: Row): string =>
  [
    name.padEnd(16),
    String(row.passed).padStart(6),
    String(row.failed).padStart(6),
    String(row.notApplicable).padStart(6),
    String(row.controls).padStart(8),
    `${(row.milliseconds / 1000).toFixed(1)} s`.padStart(9),
  ].join('  ');
console.log(`\n${'group'.padEnd(16)}  passed  failed     n/a  controls       time`);
for (const [group, row] of rows) console.log(line(group, row));
const sum = (key: keyof Row): number => [...rows.values()].reduce((total, row) => total + row[key], 0);
console.log(`\nthe same attack succeeded against a naive path: ${controlled.join(', ')}`);
if (reasons.length > 0) console.log(`\nnot applicable, with the reason:\n${reasons.join('\n')}`);
const apart = sum('notApplicable') === 0 ? '' : `, ${sum('notApplicable')} not applicable`;
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${apart}`);
process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1);
