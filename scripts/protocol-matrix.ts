// `npm run test:protocols [-- --upload-mib N] [-- ROW]`: real clients against real origins through a real agent and gateway,
// in every combination of HTTP versions; prints the table of docs/reference/protocols.md.

import { parseArgs } from 'node:util';

import { matrixCases } from '../test/e2e/protocol-matrix/cases.ts';
import { columns, runRow, tableHead, tableLine } from '../test/e2e/protocol-matrix/matrix.ts';
import { openScene } from '../test/e2e/protocol-matrix/scene.ts';
import { findTool } from '../test/support/tools.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'upload-mib': { type: 'string', default: '100' } },
});
const missing = ['curl', 'nghttp'].filter((name) => findTool(name) === undefined);
if (missing.length > 0) {
  console.error(`the matrix needs ${missing.join(' and ')}, which this machine does not have`);
  process.exit(1);
}

await using scene = await openScene(Number(values['upload-mib']) * 1024 * 1024);
const failures: string[] = [];
let passed = 0;
console.log(tableHead());
for (const row of matrixCases.filter(({ name }) => positionals.every((part) => name.includes(part)))) {
  const result = await runRow(row, scene);
  console.log(tableLine(result));
  for (const [index, cell] of result.cells.entries()) {
    if (cell.state === 'ok') passed += 1;
    if (cell.state !== 'failed') continue;
    const error = cell.error instanceof Error ? (cell.error.stack ?? cell.error.message) : String(cell.error);
    failures.push(`${row.name}, ${columns[index]?.join(' → ') ?? ''}: ${error}`);
  }
}
for (const failure of failures) console.log(`\n${failure}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 && passed > 0 ? 0 : 1;
