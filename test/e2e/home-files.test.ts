// `--home-files` and what becomes of it when the agent ends, and when it is killed.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { deploy, type Deployment } from '../support/deployment.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

/** Runs a command behind the deployment with a HOME of its own, and gives what it wrote. */
async function runWith(
  set: Deployment,
  home: string,
  script: string,
): Promise<{ out: string; said: string }> {
  const args = ['run', ...set.agentOptions(await set.issueToken()), '--isolate', 'off', '--home-files'];
  const env = { PATH: process.env['PATH'], HOME: home };
  const child = spawn(launcher, [...args, '--', 'sh', '-c', script], { env });
  const [out, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(child.exitCode ?? (await once(child, 'exit'))[0], 0, said);
  return { out, said };
}

test('files in HOME are there while the command runs, those of the user stay, and all is as before', async () => {
  await using set = await deploy({ rules: [] });
  await using folder = await temporaryDirectory();
  const home = join(folder.path, 'home');
  mkdirSync(home);
  writeFileSync(join(home, '.lftprc'), 'of the user');
  const { out, said } = await runWith(
    set,
    home,
    'find . ~ -maxdepth 3 -path "$HOME/*" -type f; cat ~/.ssh/config',
  );
  for (const name of ['.subversion/servers', '.aria2/aria2.conf', '.s3cfg', '.links2/links.cfg'])
    assert.ok(out.includes(join(home, name)), name);
  assert.match(out, /ProxyCommand '\S*upstreamproxy' 'connect' '--relay' 'http:\/\/127\.0\.0\.1:\d+' %h %p/);
  assert.match(said, /~\/\.lftprc is there already/);
  assert.deepEqual(filesBelow(home), ['.lftprc']);
  assert.equal(readFileSync(join(home, '.lftprc'), 'utf8'), 'of the user');
});

test('an agent that is killed leaves nothing, but what the user has changed', async () => {
  await using set = await deploy({ rules: [] });
  await using folder = await temporaryDirectory();
  const home = join(folder.path, 'home');
  mkdirSync(home);
  writeFileSync(join(home, 'own'), 'own');
  const env = { PATH: process.env['PATH'], HOME: home, TMPDIR: folder.path };
  const args = ['agent', ...set.agentOptions(await set.issueToken()), '--home-files'];
  const child = spawn(launcher, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.ok(existsSync(join(home, '.subversion/servers')));
  writeFileSync(join(home, '.s3cfg'), 'changed by the user');
  child.kill('SIGKILL');
  await once(child, 'exit');
  // A process beside it does this; where there is none, `cleanup` does.
  await waitUntil('nothing of it is left', () => readdirSync(folder.path).length === 1);
  // Not the folders of its manifest either.
  assert.deepEqual(filesBelow(home), ['.s3cfg', 'own']);
});

for (const [name, options] of [
  ['run', ['run', '--isolate', 'off']],
  ['agent', ['agent']],
] as const)
  test(`a killed ${name} without such options leaves no trust files either, before anything else is started`, async () => {
    await using set = await deploy({ rules: [] });
    await using folder = await temporaryDirectory();
    const temporary = join(folder.path, 'temporary');
    mkdirSync(temporary);
    const env = { PATH: process.env['PATH'], HOME: folder.path, TMPDIR: temporary };
    const command = name === 'run' ? ['--', 'sh', '-c', 'echo started; exec sleep 300'] : [];
    const args = [...options, ...set.agentOptions(await set.issueToken()), ...command];
    const child = spawn(launcher, args, { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    await once(child.stdout, 'data');
    assert.equal(readdirSync(temporary).length, 1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await waitUntil('its folder is gone', () => readdirSync(temporary).length === 0);
    // Without the jail the command itself goes on.
    if (name === 'run' && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });

test('ssh goes through the relay by the file in HOME', async (context) => {
  if (spawnSync('ssh', ['-V']).error !== undefined) return context.skip('ssh is not installed');
  // Its banner alone shows that ssh reached it.
  await using stack = new AsyncDisposableStack();
  const server = createServer((socket) =>
    // ssh goes away with what it has not read: a reset.
    socket.on('error', () => undefined).end('SSH-2.0-behind-the-gateway\r\n'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const host = 'ssh.origin.example';
  await using set = await deploy({
    rules: [{ name: 'ssh', hosts: [host], scheme: 'tcp', ports: [port], addresses: ['127.0.0.0/8'] }],
    hosts: { [host]: '127.0.0.1' },
  });
  await using folder = await temporaryDirectory();
  const home = join(folder.path, 'home');
  mkdirSync(home);
  // ssh takes its own files from the user database, not from HOME.
  const options = '-F ~/.ssh/config -o StrictHostKeyChecking=no -o BatchMode=yes';
  const { out } = await runWith(set, home, `ssh -v ${options} -p ${port} ${host} true 2>&1; true`);
  assert.match(out, /remote software version behind-the-gateway/);
});
