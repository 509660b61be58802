// Programs that the agent starts while it waits for its token on a descriptor: they run unprotected and must not have it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { mustRun } from '../../support/command.ts';
import { launcher, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { skipWithout } from '../../support/tools.ts';

async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = threads.map((thread) =>
    readFile(`/proc/${pid}/task/${thread}/children`, 'latin1').catch(() => ''),
  );
  return (await Promise.all(texts)).flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

async function openFilesOf(pid: number): Promise<readonly string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  return await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
}

const skip = skipWithout('bash', 'mkfifo');

// Of those up to 15 the runtime takes care by itself.
for (const fd of [7, 100]) {
  test(`the helper of the jail does not inherit the token's descriptor ${fd}`, { skip }, async () => {
    await using folder = await temporaryDirectory();
    await using gateway = await FakeGateway.start();
    const [ca, pipe] = [join(folder.path, 'ca.pem'), join(folder.path, 'token')];
    await writeFile(ca, gateway.authority.caPem);
    await mustRun('mkfifo', [pipe]);
    // Nothing comes and no end, so the agent waits for it.
    await using writer = await open(pipe, 'r+');
    const run = `exec "$0" run --gateway ${gateway.url} --gateway-ca ${ca} --token-fd ${fd} -- true ${fd}<${pipe}`;
    const agent = spawn('bash', ['-c', run, launcher], { stdio: 'ignore' });
    const ended = once(agent, 'exit');
    try {
      let helper = 0;
      await waitUntil('the helper runs', async () => {
        for (const child of await childrenOf(agent.pid ?? 0)) {
          const line = await readFile(`/proc/${child}/cmdline`, 'latin1').catch(() => '');
          if (line.includes('jail-helper')) helper = child;
        }
        return helper !== 0;
      });
      const files = await openFilesOf(helper);
      assert.ok(files.length > 3, String(files));
      assert.ok(!files.includes(pipe), String(files));
      await writer.write('a-token\n');
    } finally {
      agent.kill('SIGKILL');
      await ended;
    }
  });
}
