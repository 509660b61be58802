// The examples of the library and of an image's entry point, run as they stand but for where the package is.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { launcher } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = (name: string): string => readFileSync(join(root, 'examples', name), 'utf8');

async function settings(set: Deployment): Promise<NodeJS.ProcessEnv> {
  return {
    PATH: `${dirname(launcher)}:${process.env['PATH']}`,
    HOME: set.directory,
    UPSTREAMPROXY_GATEWAY: set.gateway.url,
    UPSTREAMPROXY_GATEWAY_CA: set.gatewayCaFile,
    UPSTREAMPROXY_TOKEN_FILE: await set.issueToken(),
  };
}

test('the examples lead the commands that they start through the gateway', async (context) => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const rule = { name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] };
  const set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules: [rule] }));
  const fetched = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '-e',
    `fetch(${JSON.stringify(origin.url('api.test', '/hello'))}).then(async (response) => console.log(await response.text()))`,
  ];
  const file = join(set.directory, 'library.mjs');
  const source = join(root, 'src/index.ts');
  writeFileSync(file, example('library.mjs').replace("'upstreamproxy'", JSON.stringify(source)));

  await context.test('library.mjs under Node', async () => {
    const args = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning', file, ...fetched];
    const { code, stdout, stderr } = await runCommand(process.execPath, args, { env: await settings(set) });
    assert.deepEqual([code, stdout.trim(), stderr], [0, 'hello', '']);
  });

  await context.test('library.mjs under Bun', async (t) => {
    const bun = join(root, 'node_modules/.bin/bun');
    if ((await runCommand(bun, ['--version'])).code !== 0) return t.skip('Bun does not run here');
    const { code, stdout, stderr } = await runCommand(bun, [file, ...fetched], { env: await settings(set) });
    assert.deepEqual([code, stdout.trim()], [0, 'hello'], stderr);
  });

  await context.test('entrypoint.sh', async () => {
    const args = [join(root, 'examples/entrypoint.sh'), ...fetched];
    const { code, stdout, stderr } = await runCommand('sh', args, { env: await settings(set) });
    assert.deepEqual([code, stdout.trim()], [0, 'hello'], stderr);
  });
});

test('the agent takes the command of compose.yaml', async () => {
  // The form of the example's own file.
  const { services } = parse(example('compose.yaml')) as { services: { agent: { command: string[] } } };
  const [, ...options] = services.agent.command;
  const { stderr, code } = await runCommand(launcher, ['agent', ...options, '--token-file=/nonexistent']);
  // All options are known: it gets to the token, which is not there.
  assert.notEqual(code, 64, stderr);
  assert.match(stderr, /token_unreadable|gateway_unreachable/);
});
