// The gateway as one file that its user cannot read: whether its environment can be read from its first instruction on. It is built once.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { imageStage, stageObstacle, wholeOutput } from '../support/image-stage.ts';
import { freePort } from '../support/free-port.ts';
import { patienceMs } from '../support/patience.ts';
import { endChild } from '../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { findTool } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const nobody = 65_534;
const canary = 'canary-of-the-gateway';
const asNobody = [
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  '--clear-groups',
  '--inh-caps=-all',
  '--bounding-set=-all',
];

function obstacle(): string | false {
  if (process.geteuid?.() !== 0) return 'installing it needs root';
  return findTool('setpriv') === undefined && 'setpriv is not installed';
}

/** Reads the environment of a process of its own user as often as it can, until its input ends, and says whether the secret was there. */
const reader = `
  const { readFileSync } = require('node:fs');
  let seen = 'nothing';
  process.stdin.on('end', () => { console.log(seen); process.exit(); }).resume();
  console.log('ready');
  (function look() {
    try {
      if (readFileSync('/proc/' + process.argv[1] + '/environ', 'latin1').includes('${canary}')) seen = 'the secret';
    } catch {}
    setImmediate(look);
  })();
`;

describe('the single-file gateway', { skip: obstacle() }, () => {
  let directory: TemporaryDirectory;
  let file = '';
  let config = '';
  before(async () => {
    directory = await temporaryDirectory();
    chmodSync(directory.path, 0o755);
    file = join(directory.path, 'bin', 'upstreamproxy-gateway');
    const args = ['scripts/build-agent.ts', '--program', 'gateway', '--out', join(directory.path, 'built')];
    const built = spawnSync(join(bin, 'node'), [...args, '--install', join(directory.path, 'bin')], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(built.status, 0, built.stderr);
    const state = join(directory.path, 'state');
    mkdirSync(state, { mode: 0o700 });
    chownSync(state, nobody, nobody);
    config = join(directory.path, 'gateway.yaml');
    writeFileSync(
      join(directory.path, 'policy.yaml'),
      'rules:\n  - { name: one, hosts: api.test, inject: one }\n',
    );
    writeFileSync(
      config,
      `listen: { address: 127.0.0.1, port: ${await freePort()} }\npublicNames: [127.0.0.1]\nstateDirectory: ${state}\n` +
        'policy: policy.yaml\ncredentials: { one: { kind: bearer, source: { env: API_TOKEN } } }\n',
    );
  });
  after(() => directory[Symbol.asyncDispose]());

  /** Starts it as a user whose other process reads; gives what that saw, and the log. */
  async function attack(): Promise<{ readonly seen: string; readonly log: string }> {
    // The secret is in no process before the gateway's own exec.
    const script = `read go; exec env API_TOKEN=${canary} ${file} gateway --config ${config}`;
    const gateway = spawn('setpriv', [...asNobody, 'sh', '-c', script], {
      env: { PATH: process.env['PATH'] },
    });
    const attacker = spawn('setpriv', [...asNobody, join(bin, 'node'), '-e', reader, String(gateway.pid)], {
      env: {},
    });
    try {
      await said(attacker, /ready/);
      gateway.stdin.write('go\n');
      const log = await said(gateway, /listening/);
      attacker.stdin.end();
      return { seen: (await said(attacker, /nothing|the secret/)).trim(), log };
    } finally {
      await endChild(gateway);
      await endChild(attacker);
    }
  }

  /** All that a program wrote, once this is in it. */
  async function said(child: ChildProcess, pattern: RegExp): Promise<string> {
    let text = '';
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`not said: ${pattern.source}: ${text}`)), patienceMs);
    const take = (chunk: Buffer): void => {
      text += String(chunk);
      if (pattern.test(text)) resolve(text);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('close', () => reject(new Error(`it ended: ${text}`)));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      child.stdout?.off('data', take);
      child.stderr?.off('data', take);
    }
  }

  test('gives its environment to no other process of its user, from exec on, which the same file with mode 0755 does', async () => {
    const closed = await attack();
    assert.equal(closed.seen, 'nothing');
    assert.doesNotMatch(closed.log, /could read its environment|memory is open/);
    chmodSync(file, 0o755);
    try {
      const open = await attack();
      assert.equal(open.seen, 'the secret');
      assert.match(
        open.log,
        /warn API_TOKEN: other processes of the gateway's user could read its environment/,
      );
    } finally {
      chmodSync(file, 0o711);
    }
  });

  test('says nothing of the folder that it was built in', () => {
    assert.ok(!readFileSync(file).includes(root));
  });

  test('has the commands of a gateway alone, and their threads', async () => {
    const run = (...args: readonly string[]) =>
      spawnSync('setpriv', [...asNobody, file, ...args], { encoding: 'utf8', env: {} });
    const help = run('help').stdout;
    for (const name of ['gateway', 'token', 'ca', 'audit', 'session', 'access', 'policy', 'upgrade'])
      assert.match(help, new RegExp(`^ {2}${name} `, 'm'));
    assert.doesNotMatch(help, /^ {2}(?:run|agent|doctor) /m);
    assert.match(run('run', '--', 'true').stderr, /there is no command/);
    // The policy is read on a thread, which is this file again; a fault of it comes with its place.
    const bad = join(directory.path, 'bad.yaml');
    writeFileSync(bad, 'rules:\n  - { name: one, host: api.test }\n');
    const wrong = readFileSync(config, 'utf8').replace('policy: policy.yaml', 'policy: bad.yaml');
    writeFileSync(join(directory.path, 'wrong.yaml'), wrong);
    const { stderr, status } = run('gateway', '--config', join(directory.path, 'wrong.yaml'));
    assert.equal(status, 78, stderr);
    assert.match(stderr, /bad\.yaml:2:/);
  });

  test('serves the console, which is in it', async () => {
    const port = await freePort();
    const own = join(directory.path, 'console.yaml');
    writeFileSync(
      own,
      `${readFileSync(config, 'utf8')}admin: { listen: { address: 127.0.0.1, port: ${port} } }\n`,
    );
    const args = [...asNobody, file, 'gateway', '--config', own];
    const gateway = spawn('setpriv', args, { env: { API_TOKEN: canary } });
    try {
      await said(gateway, /listening on/);
      const page = await (await fetch(`http://127.0.0.1:${port}/live`)).text();
      const [script = ''] = /\/assets\/[\w-]+\.js/.exec(page) ?? [];
      const { status, headers } = await fetch(`http://127.0.0.1:${port}${script}`);
      assert.deepEqual([status, headers.get('content-type')], [200, 'text/javascript; charset=utf-8']);
    } finally {
      await endChild(gateway);
    }
  });

  test(
    'starts in the last stage of its image, by the commands, the user and the words of the recipe',
    { skip: stageObstacle() },
    async () => {
      const place = join(directory.path, 'image');
      const settings = join(directory.path, 'settings');
      for (const folder of [place, settings]) mkdirSync(folder);
      writeFileSync(join(settings, 'policy.yaml'), 'rules: []\n');
      writeFileSync(
        join(settings, 'gateway.yaml'),
        `listen: { address: 127.0.0.1, port: ${await freePort()} }\npublicNames: [127.0.0.1]\npolicy: policy.yaml\n`,
      );
      const mounts = [`${settings}:/etc/upstreamproxy`];
      const gateway = imageStage('gateway', { program: file, place, mounts }).start();
      try {
        const log = await said(gateway, /listening on/);
        // Its state is in the folder that the recipe makes for its user; and it is closed.
        assert.doesNotMatch(log, /could read|memory is open/);
        const status = readFileSync(`/proc/${gateway.pid}/status`, 'latin1');
        assert.match(status, /^Uid:\t10001\t10001\t/m);
      } finally {
        await endChild(gateway);
      }
      // Its own check of the program, which one that does not start fails.
      const broken = imageStage('gateway', { program: '/bin/false', place, mounts }).start();
      assert.notEqual((await wholeOutput(broken)).code, 0);
    },
  );
});
