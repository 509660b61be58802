import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from '../../scripts/test-environment.ts';
import { runCommand } from '../support/command.ts';

test('nothing of the caller that changes what programs do reaches the tests', () => {
  const environment = testEnvironment({
    PATH: '/bin',
    HOME: '/root',
    npm_config_loglevel: 'silent',
    npm_package_json: '/somewhere/package.json',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    no_proxy: '*',
    LC_ALL: 'de_DE.UTF-8',
    LANG: 'de_DE',
    FORCE_COLOR: '3',
    NODE_OPTIONS: '--inspect',
    GIT_DIR: '/elsewhere/.git',
  });
  assert.deepEqual(environment, { PATH: '/bin', HOME: '/root', LANG: 'C.UTF-8' });
});

test('where packages come from is kept', () => {
  const kept = { npm_config_registry: 'https://registry.example/', npm_config_cafile: '/ca.pem' };
  assert.deepEqual(testEnvironment(kept), { ...kept, LANG: 'C.UTF-8' });
});

test('each command that plays tests by itself is told where TLS of clients ends, as npm test is', async () => {
  // Our own file.
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const print = fileURLToPath(new URL('../support/tls-end.ts', import.meta.url));
  for (const name of ['attacks', 'protocols', 'conformance', 'clients']) {
    const [, ...args] = (scripts[`test:${name}`] ?? '').split(' ');
    const options = [...args.slice(0, -1), '-e', `console.log((await import('${print}')).tlsEndsInAgent)`];
    for (const end of ['gateway', 'agent']) {
      const { stdout } = await runCommand(process.execPath, options, {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { TEST_TLS_ENDS_IN: end },
      });
      assert.equal(stdout, `${end === 'agent'}\n`, name);
    }
  }
});
