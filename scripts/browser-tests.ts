// What `npm run test:console` and `npm run test:site` have in common: something is built and then looked at in a real browser. Pictures go to a
// folder that is named at the end. Without a browser it says so and fails: such a command is for nothing else.

import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserPath } from '../test/console/support/browser.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface BrowserTests {
  /** Of the folder of pictures. */
  readonly name: string;
  /** The script that builds what is looked at, and its arguments. */
  readonly build: readonly [string, ...string[]];
  readonly files: readonly string[];
  /** The variable that tells the tests where pictures go. */
  readonly picturesVariable: string;
}

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): boolean {
  const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  return status === 0;
}

/** Whether all passed. */
export async function runBrowserTests(tests: BrowserTests): Promise<boolean> {
  if (browserPath === undefined) {
    console.error('no browser is installed here; "apt-get install chromium" has one');
    return false;
  }
  if (!run(tests.build)) return false;
  const pictures = await mkdtemp(join(tmpdir(), `upstreamproxy-${tests.name}-`));
  const passed = run(['--test', '--test-concurrency=1', ...tests.files], {
    [tests.picturesVariable]: pictures,
  });
  console.log(`pictures: ${pictures}`);
  return passed;
}
