// `job begin` and `job end` as programs. What a whole job sees of them: test/action.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun, runCommand } from '../../support/command.ts';
import { isRunning, launcher, waitUntil } from '../../support/program.ts';
import { skipWithout } from '../../support/tools.ts';
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

const rules = 'rules:\n  - name: api\n    hosts: api.example.com\n';
/** Of a command that the policy above refuses. */
const ask = 'curl -s -o /dev/null http://other.example.com/';

test(
  'the end of a job tells who decided about the commands of run, also where that was killed',
  { skip: skipWithout('sh', 'curl') },
  async () => {
    await withTemporaryDirectory(async (directory) => {
      const env = { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory };
      const [policy, config] = [join(directory, 'policy.yaml'), join(directory, 'gateway.yaml')];
      await writeFile(policy, rules);
      await writeFile(config, 'policy: policy.yaml\n');
      for (const [options, script, code, says] of [
        [['--config', config], ask, 1, /^> The policy that the configuration names decided\.$/m],
        [['--config', config], `${ask}; kill -9 $PPID`, 1, /^> The policy that the configuration names/m],
        [
          ['--policy', policy],
          `${ask}; kill -9 $PPID`,
          1,
          /^> The policy <code>.*policy.*yaml<\/code> decided/m,
        ],
        [
          ['--config', config, '--observe'],
          'true',
          0,
          /^> Nothing that is public was refused: this job was obs/m,
        ],
        [['--policy', policy, '--observe'], 'true', 0, /, and the policy <code>.*<\/code> was tried\.$/m],
      ] as const) {
        const [state, summary] = [join(directory, 'job'), join(directory, 'summary.md')];
        const about = [...options, script].join(' ');
        await runCommand(
          launcher,
          ['run', '--isolate=off', '--state', state, ...options, '--', 'sh', '-c', script],
          { env },
        );
        const end = ['job', 'end', '--state', state, '--fail-on-denial', '--summary', summary];
        const ended = await runCommand(launcher, end, { env, cwd: directory });
        assert.equal(ended.code, code, `${about}: ${ended.stderr}`);
        assert.match(await readFile(summary, 'utf8'), says, about);
        await rm(summary);
      }
    });
  },
);

test('pipes in place of the policy and the audit are not waited for, and the end of the job says so and fails', async () => {
  await withTemporaryDirectory(async (directory) => {
    const [policy, state] = [join(directory, 'policy.yaml'), join(directory, 'job')];
    await writeFile(policy, rules);
    const { env } = await begin(directory, '--policy', policy, '--observe');
    const { auditFile } = JSON.parse(await readFile(join(state, 'session.json'), 'utf8')) as {
      readonly auditFile: string;
    };
    for (const path of [policy, auditFile]) {
      await rm(path);
      await mustRun('mkfifo', [path]);
    }
    const files = ['--summary', join(directory, 'summary.md'), '--audit', join(directory, 'audit.jsonl')];
    const ended = await runCommand(launcher, ['job', 'end', '--state', state, ...files], { env });
    assert.equal(ended.code, 73, ended.stderr);
    assert.match(ended.stderr, /this may not be all: .*not a regular file/);
    assert.match(ended.stderr, /audit\.jsonl: it is not a regular file/);
    assert.match(await readFile(join(directory, 'summary.md'), 'utf8'), /This may not be all/);
    assert.ok(!existsSync(state));
  });
});

test('the end of a run that kept nothing but its audit fails, and says so', async () => {
  await withTemporaryDirectory(async (directory) => {
    const run = join(directory, 'job', 'runs', '2026-01-01');
    await mkdir(run, { recursive: true });
    await writeFile(join(run, 'audit.jsonl'), '');
    const end = ['job', 'end', '--state', join(directory, 'job'), '--fail-on-denial'];
    const { code, stderr } = await runCommand(launcher, end);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /it never stood, or what it kept is gone/);
  });
});

test('the variables of a job come back as they were, that of those which gave way too', async () => {
  await withTemporaryDirectory(async (directory) => {
    const corporate = 'http://corporate.test:3128';
    const state = join(directory, 'job');
    const env = { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory, HTTPS_PROXY: corporate };
    const printed = await mustRun(launcher, ['job', 'begin', '-q', '--state', state, '--format=json'], {
      env,
    });
    assert.equal((JSON.parse(printed) as NodeJS.ProcessEnv)['UPSTREAMPROXY_DISPLACED'], 'HTTPS_PROXY');
    const file = join(directory, 'variables');
    await mustRun(launcher, ['job', 'end', '--state', state, '--give-back', file], { env });
    const given = await readFile(file, 'utf8');
    assert.match(given, /^HTTPS_PROXY<<(\S+)\nhttp:\/\/corporate\.test:3128\n\1$/m);
    assert.match(given, /^UPSTREAMPROXY_DISPLACED<<(\S+)\n\n\1$/m);
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
