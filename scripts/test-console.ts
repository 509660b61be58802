// `npm run test:console [-- FILE…]`: builds the console and opens it in a real browser, before a real gateway with real traffic. Pictures of
// each view go to a folder that is named at the end. Without a browser it says so and fails: this command is for nothing else.

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserPath } from '../test/console/support/browser.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): boolean {
  const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return status === 0;
}

async function main(): Promise<boolean> {
  if (browserPath === undefined) {
    console.error('no browser is installed here; "apt-get install chromium" has one');
    return false;
  }
  if (!run(['scripts/build-console.ts'])) return false;
  const pictures = await mkdtemp(join(tmpdir(), 'upstreamproxy-console-'));
  const named = process.argv.slice(2);
  const files =
    named.length > 0 ? named : globSync('test/console/browser/*.browser.ts', { cwd: root }).sort();
  const passed = run(['--test', '--test-concurrency=1', ...files], {
    UPSTREAMPROXY_CONSOLE_PICTURES: pictures,
  });
  console.log(`pictures: ${pictures}`);
  return passed;
}

if (!(await main())) process.exitCode = 1;
