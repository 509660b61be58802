import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../support/command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Prints which of the runtime's modules of `fetch` are there once `load` was done. */
async function clientsOfFetch(load: string): Promise<readonly string[]> {
  const text = `${load}; console.log(JSON.stringify(process.moduleLoadList.filter((name) => name.includes('deps/undici'))));`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', text];
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { cwd: root });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const skip = process.versions['bun'] !== undefined && 'of Node alone';

test('the module for HTTP comes without the client of fetch', { skip }, async () => {
  assert.deepEqual(await clientsOfFetch("await import('./src/system/http-module.ts')"), []);
  // The proof can fail: this is what an import would do.
  assert.notDeepEqual(await clientsOfFetch("await import('node:http')"), []);
});

test('no file of the gateway imports the module for HTTP', () => {
  const files = globSync('src/{gateway,cli,store,net,intercept,system}/**/*.ts', { cwd: root });
  assert.ok(files.length > 100);
  const importing = files.filter((file) =>
    /^import (?!type).* from 'node:http';$/m.test(readFileSync(`${root}/${file}`, 'utf8')),
  );
  assert.deepEqual(importing, []);
});
