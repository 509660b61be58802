// `npm run test:conformance [-- SUITE…] [--cases] [--excluded]`: cases that others wrote, through a real agent and gateway where they are of
// a conversation; ends with the table of docs/reference/protocols.md. A suite whose material is not to be had is skipped by name.

import { parseArgs } from 'node:util';

import { judge } from '../test/conformance/suite.ts';
import type { CaseResult } from '../test/conformance/suite.ts';
import { suites } from '../test/conformance/suites.ts';
import { tableHead, tableLine } from '../test/conformance/table.ts';
import { withTemporaryDirectory } from '../test/support/temporary-directory.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cases: { type: 'boolean', default: false } },
});
const chosen = suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0) {
  console.error(`no suite of that name; there are ${suites.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}

const lines: string[] = [];
const total = { passed: 0, failed: 0, skipped: 0 };
for (const suite of chosen) {
  const run = await withTemporaryDirectory((work) => suite.run(work));
  if ('absent' in run) {
    console.log(`${suite.name}: skipped, ${run.absent}`);
    total.skipped += 1;
    continue;
  }
  const verdict = judge(run.results, suite.deviations, true);
  console.log(`${suite.name}, from ${run.from}: ${verdict.faults.length} faults`);
  for (const fault of verdict.faults) console.log(`  ${fault}`);
  if (values.cases) printCases(run.results);
  for (const [rule, count] of rulesOf(run.results)) console.log(`  ${count} excluded: ${rule}`);
  total.passed += verdict.passed + verdict.deviations;
  total.failed += verdict.faults.length;
  lines.push(tableLine(suite, verdict));
}
console.log(`\n${[tableHead(), ...lines].join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function printCases(results: readonly CaseResult[]): void {
  for (const result of results) {
    const more =
      result.state === 'failed' ? `: ${result.why}` : result.state === 'excluded' ? `: ${result.rule}` : '';
    console.log(`  ${result.id} ${result.state}${more}`);
  }
}

function rulesOf(results: readonly CaseResult[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const result of results)
    if (result.state === 'excluded') counts.set(result.rule, (counts.get(result.rule) ?? 0) + 1);
  return counts;
}
