// Every file of examples/ starts as it stands: only the root of its paths and the port are the test's, with the secrets that it names.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { before, after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { checkConfiguration } from '../../src/cli/gateway/check-configuration.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { runCommand } from '../support/command.ts';
import { launcher, startGatewayProcess } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const names = (await readdir(examples)).toSorted();
const gateways = names.filter((name) => /^gateway.*\.yaml$/.test(name));
const policies = names.filter((name) => /^policy.*\.yaml$/.test(name));

/** What is no gateway and no policy, and the test that starts it. */
const startedElsewhere: Readonly<Record<string, string>> = {
  'compose.yaml': 'examples.test.ts',
  'entrypoint.sh': 'examples.test.ts',
  'exits.pac': 'exits/example.test.ts',
  'library.mjs': 'examples.test.ts',
  'sdk-session.py': 'sdk.test.ts',
  'sdk-session.ts': 'sdk.test.ts',
};

let place: Awaited<ReturnType<typeof temporaryDirectory>>;
let root = '';
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, ISSUE_TOKEN: 'example' });

/** The text of an example whose folders of the system lie below the test's own. */
async function example(name: string): Promise<string> {
  const text = await readFile(join(examples, name), 'utf8');
  return text.replaceAll(/(?<=[\s[])\/(?=(?:etc|run|var|usr)\/)/g, `${root}/`);
}

async function put(path: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true, mode: 0o700 });
  await writeFile(join(root, path), text, { mode });
}

/** What an operator brings along: the files that the examples name. */
async function prepare(): Promise<void> {
  const authority = createEphemeralAuthority(Date.now());
  const leaf = authority.issueFor(['gateway.example.com', 'gateway.internal.example.com'], Date.now());
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  assert.ok(typeof leaf.privateKey === 'string');
  for (const name of [
    'git-token',
    'anthropic-key',
    'openai-key',
    'gemini-key',
    'mcp-token',
    'github-token',
    'orders-client',
    'reports-password',
    'orders-password',
    'shop-password',
    'deploy-key',
    'build-key',
    'chat-signing-secret',
    'payment-signing-secret',
    'shop-signing-secret',
    'orders-signing-secret',
    'ledger-key.pem',
    'job-identity',
    'socks-password',
  ])
    await put(`run/secrets/${name}`, `example-of-${name}\n`);
  await put('etc/upstreamproxy/tls.crt', leaf.certificatePem, 0o644);
  await put('etc/upstreamproxy/tls.key', leaf.privateKey);
  await put('etc/upstreamproxy/corporate-ca.pem', authority.certificatesPem, 0o644);
  await put('etc/upstreamproxy/exits.pac', await example('exits.pac'), 0o644);
  const appKey = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  await put('etc/upstreamproxy/github-app.pem', appKey);
  for (const name of ['commit-key', 'bastion-key', 'hash-key']) await put(`run/secrets/${name}`, appKey);
  await put('var/run/secrets/kubernetes.io/serviceaccount/token', 'a.b.c\n');
  await put('var/run/secrets/tokens/gcp', 'a.b.c\n');
  await put('var/run/secrets/azure/tokens/azure-identity-token', 'a.b.c\n');
  for (const folder of ['var/lib', 'var/log/upstreamproxy'])
    await mkdir(join(root, folder), { recursive: true });
  // The tools that policy-discover.yaml asks, as a machine has them.
  await put('tools/npm', `#!/bin/sh\necho '{"registry":"https://registry.example.com/"}'\n`);
  await put('tools/python3', `#!/bin/sh\necho "global.index-url='https://pypi.example.com/simple'"\n`);
  for (const tool of ['npm', 'python3']) await chmod(join(root, 'tools', tool), 0o755);
  for (const name of [...gateways, ...policies]) await put(join('etc/examples', name), await example(name));
  // gateway-corporate.yaml takes a folder of policies.
  await put('etc/upstreamproxy/policy.d/shop.yaml', await example('policy-by-claims.yaml'));
}

/** The example as the file of a gateway, with another line in place of one of its keys. */
async function gatewayFile(name: string, key: string, line: string): Promise<string> {
  const text = await example(name);
  const changed = text.replace(new RegExp(`^${key}: .*$`, 'm'), line);
  assert.ok(changed !== text || text.includes(line), `${name} has ${key}`);
  // No other port of the example may be taken here.
  const free = changed.replace(/^proxy: .*$/m, 'proxy: { address: 127.0.0.1, port: 0 }');
  const file = `etc/examples/changed-${key}-${basename(line)}-${name}`.replaceAll(/[^\w./-]/g, '');
  await put(file, free);
  return join(root, file);
}

async function check(config: string): Promise<string> {
  const args = ['gateway', '--config', config, '--check'];
  const { code, stdout, stderr } = await runCommand(launcher, args, { env: environment() });
  assert.deepEqual([code, stderr], [0, ''], stdout);
  return stdout;
}

/** Names of credentials and exits that a policy uses, and those that a gateway has. */
async function namesOf(name: string): Promise<readonly string[]> {
  // The forms of the examples' own files.
  const { rules, credentials, upstream } = parse(await example(name)) as {
    readonly rules?: readonly { readonly inject?: string; readonly exit?: string }[];
    readonly credentials?: Readonly<Record<string, unknown>>;
    readonly upstream?: { readonly exits?: Readonly<Record<string, unknown>> };
  };
  const exits = Object.keys(upstream?.exits ?? {});
  if (rules === undefined) return [...Object.keys(credentials ?? {}), ...exits];
  return rules.flatMap(({ inject = [], exit = 'direct' }) => [inject, exit === 'direct' ? [] : exit].flat());
}

// One after another: gateways of two examples have the same folder for their state.
describe('an example starts as it stands', () => {
  before(async () => {
    place = await temporaryDirectory();
    root = place.path;
    // Of this file's process alone.
    process.env['PATH'] = [join(root, 'tools'), process.env['PATH']].join(delimiter);
    await prepare();
  });
  after(() => place[Symbol.asyncDispose]());

  test('every file of the folder is started by a test', () => {
    const known = [...gateways, ...policies, ...Object.keys(startedElsewhere)].toSorted();
    assert.deepEqual(names, known);
    assert.ok(gateways.length >= 2 && policies.length >= 6);
  });

  for (const name of gateways) {
    test(`${name} is found good, and a gateway listens with it`, async () => {
      assert.match(await check(join(root, 'etc/examples', name)), /is good\n$/);
      const listen = await gatewayFile(name, 'listen', 'listen: { address: 127.0.0.1, port: 0 }');
      await using gateway = await startGatewayProcess(listen, environment());
      assert.match(gateway.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    });
  }

  for (const name of policies) {
    test(`${name} is a policy that a gateway of the examples takes`, async () => {
      const needed = await namesOf(name);
      for (const gateway of gateways) {
        const had = await namesOf(gateway);
        if (!needed.every((one) => had.includes(one))) continue;
        const file = join(root, 'etc/examples', name);
        // What `gateway --check` does, without a program for each.
        const problems = await checkConfiguration(
          await gatewayFile(gateway, 'policy', `policy: ${file}`),
          environment(),
        );
        assert.deepEqual(
          problems.filter(({ severity }) => severity === 'error'),
          [],
        );
        return;
      }
      assert.fail(`no gateway of the examples has ${needed.join(', ')}`);
    });
  }
});
