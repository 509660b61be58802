// `npm run test:packages`: clients of registries behind a gateway, of packages that are too young, denied, affected, malicious, tampered with
// or withdrawn; and what rules read of packages, beside the tools of each registry, as far as these are on this machine. Clients of npm that
// nothing else here needs come from npm for this command; `REGISTRY_TOOLS=FOLDER` keeps them for the next time. What clients did is printed
// as the table of docs/reference/package-clients.md, and compared with it; `UPDATE_DOCS=1` writes it.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { clientTable, differences, withClientTable } from '../test/registries/support/client-table.ts';
import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
const packages = [
  'pnpm@10.34.9',
  'pnpm12@npm:pnpm@12.4.2',
  'yarn@1.22.22',
  '@yarnpkg/cli-dist@4.18.1',
  'verdaccio@6.8.0',
];
/** verdaccio names a version that not every registry has. */
const overrides = { 'node-fetch': '2.7.0' };
const page = join(root, 'docs/reference/package-clients.md');

function main(): boolean {
  const kept = process.env['REGISTRY_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-registries-'));
  mkdirSync(folder, { recursive: true });
  const table = join(folder, 'table.jsonl');
  rmSync(table, { force: true });
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs, overrides);
    if (problem !== undefined)
      console.log(`﹣ clients of npm cannot be fetched, and their tests skip: ${problem}`);
    const places = ['test/understand/packages', 'test/gateway/packages', 'test/registries'];
    const files = globSync(
      places.map((place) => `${place}/*.test.ts`),
      { cwd: root },
    ).sort();
    const env = { ...testEnvironment(process.env), TEST_REGISTRIES: folder, TEST_REGISTRIES_TABLE: table };
    const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
    const isSame = !existsSync(table) || compareTable(readFileSync(table, 'utf8'));
    return status === 0 && isSame;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether the page says which versions were picked, or says it now. Where clients printed something else, that is told. */
function compareTable(lines: string): boolean {
  const seen = clientTable(lines);
  console.log(`\n${seen}\n`);
  const written = readFileSync(page, 'utf8');
  if (process.env['UPDATE_DOCS'] !== undefined) {
    writeFileSync(page, withClientTable(written, seen));
    return true;
  }
  const others = differences(written, seen);
  for (const { text, isOfPick } of others)
    console.log(
      `${isOfPick ? '✖' : '﹣'} docs/reference/package-clients.md has ${text}; UPDATE_DOCS=1 writes what was seen`,
    );
  return others.every(({ isOfPick }) => !isOfPick);
}

if (!main()) process.exitCode = 1;
