// Real processes whose standard error loses its reader.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { endChild, launcher, waitForFile, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** Starts the program, waits for a word on its standard error, and goes away. */
async function startAndLeave(args: readonly string[], word: string): Promise<ChildProcess> {
  const child = spawn(launcher, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes(word)) break;
  }
  assert.ok(said.includes(word), said);
  child.stderr.destroy();
  return child;
}

test('a gateway whose log nobody reads any more drains and ends without a fault', async () => {
  await using folder = await temporaryDirectory();
  const config = join(folder.path, 'gateway.yaml');
  await writeFile(join(folder.path, 'policy.yaml'), 'rules: []\n');
  await writeFile(
    config,
    'listen: { address: 127.0.0.1, port: 0 }\npublicNames: [127.0.0.1]\nstateDirectory: state\npolicy: policy.yaml\n',
  );
  const child = await startAndLeave(['gateway', '--config', config], 'listening on');
  const ended = once(child, 'exit');
  // It says that it drains, to nobody.
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

test('an agent whose warnings nobody reads any more finds its gateway again', async () => {
  await using folder = await temporaryDirectory();
  await using gateway = await FakeGateway.start();
  const [ca, token, ready] = ['ca.pem', 'token', 'env'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(ca, gateway.authority.caPem);
  await writeFile(token, 'a-token', { mode: 0o600 });
  const session = ['--gateway', gateway.url, '--gateway-ca', ca, '--token-file', token];
  const child = await startAndLeave(['agent', ...session, '--env-file', ready], 'relay on');
  try {
    await waitForFile(ready);
    gateway.breakConnections();
    // Before it connects again it warns.
    await waitUntil('there is a second tunnel', () => gateway.links.length === 2);
  } finally {
    await endChild(child);
  }
  assert.equal(child.exitCode, 0);
});
