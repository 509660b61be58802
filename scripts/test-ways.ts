// `npm run test:ways`: ways in without an agent, and by SOCKS5, with the real clients that are here: curl, git, pip, npm, Go, Node, Java, wget
// and Python. Arguments are files of test/ways instead of all.

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { testEnvironment } from './test-environment.ts';
import { openRunFolder } from './test-program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const named = process.argv.slice(2);
const files = named.length > 0 ? named : globSync('test/ways/*.test.ts', { cwd: root }).toSorted();
// Three processes of a gateway of two workers start from source in the time of ten as packed.
await using runFolder = await openRunFolder(root);
const env = {
  ...testEnvironment(process.env),
  TEST_WAYS: '1',
  TEST_PATIENCE_MS: '300000',
  TEST_RUN_FOLDER: runFolder.path,
};
const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
if (spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status !== 0)
  process.exitCode = 1;
