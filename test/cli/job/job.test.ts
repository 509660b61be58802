// `job begin` and `job end` as programs. What a whole job sees of them: test/action.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun, runCommand } from '../../support/command.ts';
import { isRunning, launcher, waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

interface Begun {
  readonly state: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
}

async function begin(directory: string, ...options: readonly string[]): Promise<Begun> {
  const env = { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory };
  const state = join(directory, 'job');
  const printed = await mustRun(
    launcher,
    ['job', 'begin', '-q', '--state', state, '--format', 'json', ...options],
    {
      env,
    },
  );
  return { state, environment: JSON.parse(printed) as Record<string, string>, env };
}

/** Of the process that serves. */
async function servingPid(state: string): Promise<number> {
  const { mark } = JSON.parse(await readFile(join(state, 'session.json'), 'utf8')) as {
    readonly mark: string;
  };
  return Number(mark.split('-')[1]);
}

test('a session whose job is gone ends by itself, and takes its folder away', async () => {
  await withTemporaryDirectory(async (directory) => {
    const job = spawn('sleep', ['600']);
    const ended = once(job, 'exit');
    try {
      const { state, environment } = await begin(directory, `--while=${job.pid}`);
      assert.ok(existsSync(environment['SSL_CERT_FILE'] ?? ''));
      const pid = await servingPid(state);
      job.kill();
      await ended;
      await waitUntil('its folder is gone', () => !existsSync(state));
      await waitUntil('it has ended', () => !isRunning(pid));
    } finally {
      job.kill();
    }
  });
});

test('a session whose time is over ends, and the end of its job says so and fails', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { state, env } = await begin(directory, '--for=1s');
    await waitUntil('it has ended', () => existsSync(join(state, 'end.json')));
    const end = ['job', 'end', '--state', state, '--fail-on-denial'];
    const { code, stderr, stdout } = await runCommand(launcher, end, { env });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /the session was over before the job was: its time was over, after 1 s/);
    assert.ok(!existsSync(state));
  });
});

test('what job begin cannot start leaves no folder and no process, and says why', async () => {
  await withTemporaryDirectory(async (directory) => {
    const env = { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory };
    const state = join(directory, 'job');
    const policy = join(directory, 'policy.yaml');
    await writeFile(policy, 'rules: 7\n');
    for (const [options, expected, message] of [
      [['--policy', policy], 78, /policy\.yaml:1:8/],
      [['--policy', policy, '--observe'], 78, /policy\.yaml:1:8/],
      [['--while', '4194303'], 64, /there is no such process/],
      [
        ['--observe', '--gateway', 'https://127.0.0.1:9', '--token-file', policy],
        64,
        /are for a gateway of its own/,
      ],
      [['--without', 'NOTHING'], 64, /that variable is not among those that are set/],
    ] as const) {
      const { code, stderr, stdout } = await runCommand(
        launcher,
        ['job', 'begin', '--state', state, ...options],
        { env },
      );
      assert.deepEqual([code, stdout], [expected, ''], stderr);
      assert.match(stderr, message);
      assert.ok(!existsSync(state), options.join(' '));
    }
  });
});

test('a file that cannot be written fails the end of a job, which leaves nothing all the same', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { state, env } = await begin(directory);
    const pid = await servingPid(state);
    const summary = join(directory, 'summary.md');
    const files = ['--summary', summary, '--sarif', join(directory, 'none', 'a.sarif')];
    const { code, stderr } = await runCommand(launcher, ['job', 'end', '--state', state, ...files], { env });
    assert.notEqual(code, 0);
    assert.match(stderr, /a\.sarif cannot be written/);
    assert.match(await readFile(summary, 'utf8'), /^## upstreamproxy: 0 requests, 0 refused/);
    assert.ok(!existsSync(state));
    await waitUntil('it has ended', () => !isRunning(pid));
  });
});
