// What real tools print when the gateway refuses them.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { runCommand, type CommandResult } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

let directory: TemporaryDirectory;

before(async () => {
  directory = await temporaryDirectory();
  const policy =
    'rules: [{ name: docs, hosts: docs.test }, { name: closed, hosts: closed.test, deny: This server is closed for builds. }]';
  await writeFile(join(directory.path, 'policy.yaml'), policy);
});
after(() => directory?.[Symbol.asyncDispose]());

/** Runs a command behind a gateway of its own that allows nothing of what the tests ask for. */
function behindGateway(...command: readonly string[]): Promise<CommandResult> {
  const policy = join(directory.path, 'policy.yaml');
  const environment = { ...process.env, XDG_STATE_HOME: join(directory.path, 'state') };
  return runCommand(launcher, ['run', '--quiet', '--policy', policy, '--', ...command], { env: environment });
}

async function isMissing(tool: string): Promise<string | false> {
  const found = await runCommand(tool, ['--version']).catch(() => undefined);
  return found?.code === 0 ? false : `${tool} is not installed`;
}

test('curl shows the denial as text, as JSON on request, and only its head for HEAD', async (context) => {
  const missing = await isMissing('curl');
  if (missing !== false) return context.skip(missing);
  const url = 'https://asked.test/x?a=1';
  const script =
    `curl -sS ${url}; echo ----; curl -sS -H 'accept: application/json' ${url}; echo ----; curl -sSI ${url}; ` +
    'echo ----; curl -sS https://closed.test/; echo ----; curl -sS http://asked.test/x';
  const { stdout } = await behindGateway('sh', '-c', script);
  const [text = '', json = '', head = '', closed = '', plain = ''] = stdout.split('----\n');
  assert.match(text, /^upstreamproxy: No rule allows GET https:\/\/asked\.test\/x\./);
  assert.match(
    text,
    /^ask: POST http:\/\/upstreamproxy\.invalid\/access \{"url":"https:\/\/asked\.test\/x","method":"GET"/m,
  );
  const { code, destination, rule, request_access, trace_id } = JSON.parse(json) as Record<string, unknown>;
  assert.deepEqual([code, rule], ['policy_denied', 'default-deny']);
  assert.deepEqual(destination, { scheme: 'https', host: 'asked.test', port: 443 });
  assert.deepEqual(request_access, {
    method: 'POST',
    url: 'http://upstreamproxy.invalid/access',
    body: { url: 'https://asked.test/x', method: 'GET', reason: 'why the task needs it', trace: trace_id },
  });
  assert.match(head, /403[^]*x-deny-reason: policy_denied[^]*content-length: [1-9]/i);
  assert.doesNotMatch(head, /No rule allows/);
  assert.match(closed, /^upstreamproxy: This server is closed for builds\./);
  assert.doesNotMatch(closed, /ask: /);
  assert.match(plain, /^upstreamproxy: No rule allows GET http:\/\/asked\.test\/x/);
});

test('git prints the denial as lines of the remote, with a request for the whole repository', async (context) => {
  const missing = await isMissing('git');
  if (missing !== false) return context.skip(missing);
  const to = join(directory.path, 'clone');
  const { code, stderr } = await behindGateway('git', 'clone', 'https://asked.test/a/b.git', to);
  assert.equal(code, 128);
  assert.match(
    stderr,
    /^remote: upstreamproxy: No rule allows GET https:\/\/asked\.test\/a\/b\.git\/info\/refs/m,
  );
  assert.match(stderr, /^remote: ask: POST \S+ \{"url":"https:\/\/asked\.test\/a\/b\.git","reason"/m);
  assert.match(stderr, /^remote: trace: [0-9a-f]{32}$/m);
});

test('npm prints the reason behind its 403', async (context) => {
  const missing = await isMissing('npm');
  if (missing !== false) return context.skip(missing);
  const cache = join(directory.path, 'npm');
  const { code, stderr } = await behindGateway(
    'npm',
    'view',
    'some-package',
    '--registry=https://asked.test/',
    `--cache=${cache}`,
    '--fetch-retries=0',
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /403 Refused by upstreamproxy: policy_denied \(rule default-deny, trace [0-9a-f]{32}\) - GET https:\/\/asked\.test\/some-package - upstreamproxy: No rule allows/,
  );
  // An archive is asked for with any type.
  const archive = await behindGateway(
    'npm',
    'install',
    'https://asked.test/some-package-1.0.0.tgz',
    `--prefix=${join(directory.path, 'project')}`,
    `--cache=${cache}`,
    '--fetch-retries=0',
  );
  assert.equal(archive.code, 1);
  assert.match(archive.stderr, /some-package-1\.0\.0\.tgz - upstreamproxy: No rule allows GET/);
});

test('pip says that a file is forbidden, and ends at once', async (context) => {
  const missing = await isMissing('pip');
  if (missing !== false) return context.skip(missing);
  const { code, stderr } = await behindGateway(
    'pip',
    'download',
    '--no-cache-dir',
    '--retries=0',
    '--disable-pip-version-check',
    `--dest=${join(directory.path, 'pip')}`,
    'https://asked.test/some_package-1.0-py3-none-any.whl',
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /403 Client Error: Refused by upstreamproxy: policy_denied \(rule default-deny, trace [0-9a-f]{32}\) for url: https:\/\/asked\.test\//,
  );
});
