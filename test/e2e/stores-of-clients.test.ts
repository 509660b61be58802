// Clients with trust stores and configuration of their own, as `run` starts them: real programs, a real gateway.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { httpOrigin, httpsOrigin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';

function has(context: TestContext, tool: string, version: string): boolean {
  if (spawnSync(tool, [version]).error === undefined) return true;
  context.skip(`${tool} is not installed`);
  return false;
}

test('clients that read no PEM bundle from the environment', async (context) => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const secure = stack.use(await httpsOrigin({ authority }));
  const plain = stack.use(await httpOrigin());
  const own = { hosts: ['api.test'], addresses: ['127.0.0.1/32'] };
  const set = stack.use(
    await deploy({
      authority,
      hosts: { 'api.test': '127.0.0.1' },
      rules: [
        { name: 'secure', ...own, ports: [secure.port] },
        { name: 'plain', ...own, ports: [plain.port], scheme: 'http' },
      ],
    }),
  );
  const agent = stack.use(await set.startAgent());
  const urls = [secure.url('api.test', '/hello'), plain.url('api.test', '/hello')];
  const env = { PATH: process.env['PATH'], HOME: set.directory, ...agent.env };
  const serves = async (program: string, ...args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await runCommand(program, args, { env });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'hello\nhello\n');
  };

  await context.test('wget', async (t) => {
    if (has(t, 'wget', '--version')) await serves('wget', '-q', '-O', '-', ...urls);
  });

  await context.test('PHP, by streams', async (t) => {
    if (!has(t, 'php', '-v')) return;
    const code = urls.map((url) => `echo file_get_contents(${JSON.stringify(url)});`).join(' ');
    writeFileSync(join(set.directory, 'fetch.php'), `<?php ${code}`);
    await serves('php', join(set.directory, 'fetch.php'));
  });

  await context.test('Java, by its own HTTP client', async (t) => {
    if (!has(t, 'javac', '-version')) return;
    const file = join(set.directory, 'Fetch.java');
    writeFileSync(
      file,
      `class Fetch { public static void main(String[] urls) throws Exception { for (String url : urls)
         System.out.print(new String(new java.net.URL(url).openStream().readAllBytes())); } }`,
    );
    await serves('java', file, ...urls);
  });

  await context.test('Mercurial', async (t) => {
    if (!has(t, 'hg', '--version')) return;
    // The origin is no repository, and that it says so shows that proxy and trust were found.
    const { stderr } = await runCommand('hg', ['identify', secure.url('api.test', '/hello')], { env });
    assert.match(stderr, /not an hg repository|does not appear to be an hg repository|404/);
    assert.doesNotMatch(stderr, /certificate/i);
  });
});
