// What starts processes when there is no descriptor left for their pipes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { temporaryDirectory } from '../support/temporary-directory.ts';

const source = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../src/cli/${path}`, import.meta.url)));

/** Runs the script in a process that has `left` descriptors, and gives what it prints. */
function withDescriptors(left: number, imports: string, script: string): string {
  const program = `
    const { closeSync, openSync, writeSync } = await import('node:fs');
    ${imports}
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    for (let count = 0; count < ${left}; count++) closeSync(held.pop());
    ${script}`;
  const own = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, ...own];
  return execFileSync('sh', limited, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test('the process that cleans up after a kill is done without', () => {
  const said = withDescriptors(
    1,
    `const { cleanUpAfterKill } = await import(${source('agent/cleanup-after-kill.ts')});`,
    `cleanUpAfterKill(['true'], {})[Symbol.dispose]();
     await new Promise((resolve) => setImmediate(resolve));
     writeSync(1, 'went on');`,
  );
  assert.equal(said, 'went on');
});

test('an embedded gateway that cannot be started is a fault of the start', async () => {
  await using folder = await temporaryDirectory();
  const options = { stateDirectory: folder.path, args: [], environment: {} };
  const said = withDescriptors(
    1,
    `const { startEmbeddedGateway } = await import(${source('run/embedded-gateway.ts')});`,
    `try { await startEmbeddedGateway(${JSON.stringify(options)}); }
     catch (error) { writeSync(1, error.code + ': ' + error.message); }`,
  );
  assert.match(said, /^gateway_unreachable: the embedded gateway cannot be started: .*EMFILE$/);
});
