// `npm run test:site`: builds the documentation site and looks at it in a real browser. Pictures go to a folder that is named at the end.

import { spawnSync } from 'node:child_process';
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
  if (!run(['scripts/build-site.ts'])) return false;
  const pictures = await mkdtemp(join(tmpdir(), 'upstreamproxy-site-'));
  const passed = run(['--test', 'test/site/site.browser.ts'], { UPSTREAMPROXY_SITE_PICTURES: pictures });
  console.log(`pictures: ${pictures}`);
  return passed;
}

if (!(await main())) process.exitCode = 1;
