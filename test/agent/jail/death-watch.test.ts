import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { watchDeath } from '../../../src/agent/jail/death-watch.ts';
import { isRunning, waitForFile, waitUntil } from '../../support/program.ts';
import { captureObstacle } from '../../support/capture-obstacle.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const refused = captureObstacle();
const module = fileURLToPath(new URL('../../../src/agent/jail/death-watch.ts', import.meta.url));
const namespaces = [...(process.geteuid?.() === 0 ? [] : ['--user', '--map-current-user']), '--net'];

/** The number in the name of the network of a process. */
const inodeOf = (pid: number): string => /\d+/.exec(networkOf(pid))?.[0] ?? 'none';
const names = new Map<number, string>();
function networkOf(pid: number): string {
  const name = names.get(pid) ?? readlinkSync(`/proc/${pid}/ns/net`);
  names.set(pid, name);
  return name;
}

const watches = (pid: number): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((number) => {
      try {
        const words = readFileSync(`/proc/${number}/cmdline`, 'utf8').split('\0');
        return (
          words.includes('upstreamproxy-death-watch') && words.some((word) => word.includes(inodeOf(pid)))
        );
      } catch {
        return false;
      }
    });

test(
  'what a process in another network has started ends when the watching process is killed',
  { skip: refused },
  async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'pid');
    // The child leaves its session and its parent, and its parent is gone before the watch has to act.
    const inside = `setsid sleep 300 & echo $! > ${file}.new; mv ${file}.new ${file}; exec sleep 1`;
    const script = `
    const { spawn } = await import('node:child_process');
    const require = process.getBuiltinModule('node:module').createRequire('/');
    const { watchDeath } = await import(${JSON.stringify(module)});
    const child = spawn('unshare', [...${JSON.stringify(namespaces)}, 'sh', '-c', ${JSON.stringify(`echo in; ${inside}`)}], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => { watchDeath({ network: require('node:fs').readlinkSync('/proc/' + child.pid + '/ns/net') }); console.log(child.pid); });`;
    const agent = spawn(
      process.execPath,
      ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const [line] = (await once(agent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    networkOf(pid);
    const left = Number(await waitForFile(file));
    await waitUntil('the watch is there', () => watches(pid).length === 1);
    await waitUntil(
      'the first process has ended',
      () => !isRunning(pid) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '),
    );
    assert.ok(isRunning(left));
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    await waitUntil('it is ended', () => !isRunning(left));
    await waitUntil('the watch ends too', () => watches(pid).length === 0);
  },
);

test('it ends with its owner, and harms nobody', { skip: refused }, async () => {
  const child = spawn('unshare', [...namespaces, 'sh', '-c', 'echo in; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const watch = watchDeath({ network: networkOf(child.pid ?? 0) });
  await waitUntil('the watch is there', () => watches(child.pid ?? 0).length === 1);
  watch[Symbol.dispose]();
  await waitUntil('the watch has ended', () => watches(child.pid ?? 0).length === 0);
  assert.ok(isRunning(child.pid ?? 0));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('this network, or none, is not watched', () => {
  for (const network of [networkOf(process.pid), undefined]) {
    using _watch = watchDeath({ network });
    assert.deepEqual(watches(process.pid), []);
  }
});
