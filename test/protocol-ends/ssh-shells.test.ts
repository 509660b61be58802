// Shells by rule: the real ssh in a terminal, a real sshd, and what an operator sees of it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { recordingText } from '../../src/api/recording-text.ts';
import { CapturedBodies } from '../../src/gateway/captured/captured-bodies.ts';
import { keyOfFile } from '../../src/gateway/captured/day-keys.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { gitEnvironment } from '../support/git-server.ts';
import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { host, missingSshd, openSshScene, type SshScene, startSshd } from './support/ssh-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingSshd() ??
      (spawnSync('script', ['--version']).error === undefined ? false : 'script(1) is not installed'));
const options = { skip, timeout: 4 * patienceMs };
/** A shell that says nothing of its own. */
const plainShell = (): string => 'ForceCommand exec /bin/sh -c "${SSH_ORIGINAL_COMMAND:-exec sh}"';

async function openScene(rule: string, keepBytes = 2 ** 30) {
  const server = await startSshd([], plainShell);
  const folder = await temporaryDirectory();
  const bodies = new CapturedBodies({
    directory: join(folder.path, 'captured'),
    keepDays: 1,
    keepBytes,
    gatewayKey: () => keyOfFile(join(folder.path, 'key')),
    clock: Date.now,
    onLimit: () => undefined,
    onFault: () => undefined,
  });
  const scene = await openSshScene(server, rule, { captured: bodies });
  const recorded = async (): Promise<{ readonly cast: string; readonly event: AuditEvent | undefined }> => {
    const [event] = await scene.path.events(1);
    const read = await bodies.readRecording(event?.id ?? '');
    return { cast: read?.text ?? '', event };
  };
  return {
    scene,
    recorded,
    [Symbol.asyncDispose]: async () => {
      await scene[Symbol.asyncDispose]();
      await bodies[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** `ssh` in a terminal of 33 times 101, which is 40 times 120 from `resize` on. */
function inTerminal(scene: SshScene) {
  const fifo = join(scene.home, 'resize');
  spawnSync('mkfifo', [fifo]);
  const ssh = ['ssh', ...scene.sshOptions, `git@${host}`].map((word) => `'${word}'`).join(' ');
  const line = `stty rows 33 cols 101; tty=$(tty); (read _ <'${fifo}'; stty -F "$tty" rows 40 cols 120) & ${ssh}`;
  const env = { ...gitEnvironment, HOME: scene.home, TERM: 'vt220' };
  const child = spawn('script', ['-qefc', line, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let seen = '';
  let more = (): void => undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    more();
  });
  const closed = once(child, 'close');
  void closed.then(() => more());
  return {
    type: (line: string): void => void child.stdin.write(`${line}\n`),
    resize: (): void => writeFileSync(fifo, '\n'),
    until: async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(seen)) {
        if (child.exitCode !== null) assert.fail(`it ended before ${String(pattern)}: ${seen}`);
        await new Promise<void>((resolve) => (more = resolve));
      }
    },
    ended: async (): Promise<{ readonly code: number | null; readonly seen: string }> => {
      await closed;
      return { code: child.exitCode, seen };
    },
  };
}

for (const rule of ['record', 'record-all'])
  test(
    `a shell in a terminal has its name and size, also a new one, and is recorded (${rule})`,
    options,
    async () => {
      await using opened = await openScene(`shell: ${rule}`);
      const shell = inTerminal(opened.scene);
      await shell.until(/[$#] /);
      shell.type('echo "$TERM"-is; stty size');
      await shell.until(/vt220-is\s+33 101/);
      // The server shows nothing of what is typed.
      shell.type('stty -echo; echo quiet-"now"');
      await shell.until(/quiet-now/);
      shell.type('read password');
      shell.type('hunter2');
      shell.resize();
      shell.type('while [ "$(stty size)" != "40 120" ]; do :; done; stty echo; echo re"sized"; exit 5');
      const { code, seen } = await shell.ended();
      assert.equal(code, 5, seen);
      assert.match(seen, /resized/);
      const { cast, event } = await opened.recorded();
      const shown = recordingText(cast);
      for (const text of ['vt220-is', '33 101', 'quiet-now', 'resized'])
        assert.ok(shown.includes(text), text);
      assert.equal(cast.includes('hunter2'), rule === 'record-all');
      assert.match(cast, /^\{"version":2,"width":101,"height":33,/);
      assert.match(cast, /"r","120x40"/);
      assert.deepEqual(event?.details?.['ssh'], { command: 'shell', status: 5 });
      assert.equal(event?.verdict, 'allow');
    },
  );

test('a shell without a terminal takes a script, and a signal that ends it is told', options, async () => {
  await using opened = await openScene('shell: record');
  const { scene } = opened;
  const child = spawn('ssh', [...scene.sshOptions, '-T', `git@${host}`], {
    env: { ...gitEnvironment, HOME: scene.home },
  });
  child.stdin.end('echo given; echo beside >&2; kill -9 $$\n');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  assert.deepEqual([out, err, child.exitCode], ['given\n', 'beside\n', 255]);
  const { cast, event } = await opened.recorded();
  assert.match(cast, /"o","given\\n"/);
  assert.match(cast, /"o","beside\\n"/);
  assert.deepEqual(event?.details?.['ssh'], { command: 'shell', signal: 'KILL' });
});

test(
  'a shell ends where nothing more can be recorded, in words, and shows nothing of that',
  options,
  async () => {
    await using opened = await openScene('shell: record', 60_000);
    const shell = inTerminal(opened.scene);
    await shell.until(/[$#] /);
    shell.type('yes visible | head -c 200000; echo be"hind"; sleep 1000');
    const { code, seen } = await shell.ended();
    assert.equal(code, 128);
    assert.match(
      seen,
      /upstreamproxy: there is no room for the recording of this shell \(capturedFilesMax\)/,
    );
    assert.doesNotMatch(seen, /behind\r/);
    const { cast, event } = await opened.recorded();
    // All of what was seen of it: the last line may be cut, and the words of the gateway stand on one of their own.
    const count = (all: string): number => all.split('visible').length;
    assert.ok(count(recordingText(cast)) >= count(seen));
    assert.deepEqual([event?.errorCode, event?.limit], ['limit_exceeded', 'capturedFilesMax']);
  },
);

test('git and commands get no terminal of a rule with a shell', options, async () => {
  await using opened = await openScene('shell: record, commands: [less /etc/passwd]');
  const refused = await opened.scene.ssh('-tt', `git@${host}`, 'less /etc/passwd');
  assert.equal(refused.code, 128, refused.stderr);
  assert.match(refused.stderr, /rule repositories allows a terminal for a shell alone; leave out -t/);
  const allowed = await opened.scene.ssh(`git@${host}`, 'less /etc/passwd');
  assert.match(allowed.stdout, /^root:/m);
});

test('an operator sees a shell, as text and for a player, and the audit who looked', options, async () => {
  await using server = await startSshd([], plainShell);
  await using deployment = await deploy({
    rules: [
      {
        name: 'machine',
        hosts: [host],
        ports: [server.port],
        addresses: ['127.0.0.1'],
        protocol: 'ssh',
        ssh: { hostKeys: server.hostKey, shell: 'record' },
        inject: 'deploy',
      },
    ],
    hosts: { [host]: '127.0.0.1' },
    credentials: {
      deploy: { kind: 'ssh-key', username: userInfo().username, source: { env: 'DEPLOY_KEY' } },
    },
    environment: { DEPLOY_KEY: server.privateKey },
  });
  await using agent = await deployment.startAgent();
  const known = join(dirname(agent.env['SSL_CERT_FILE'] ?? ''), 'known_hosts');
  const ssh = [
    '-F/dev/null',
    '-oStrictHostKeyChecking=yes',
    `-oUserKnownHostsFile=${known}`,
    `-oProxyCommand=${launcher} connect --relay http://127.0.0.1:${agent.relayPort} %h %p`,
  ];
  const shown = await runCommand('ssh', [...ssh, '-tt', '-p', String(server.port), `git@${host}`], {
    input: String.raw`printf '\033[31mred\033]52;c;eA==\007\n'; exit 6` + '\n',
  });
  assert.equal(shown.code, 6, shown.stderr);
  const place = ['--config', deployment.configFile];
  const tail = async (): Promise<AuditEvent[]> =>
    (await mustRun(launcher, ['audit', 'tail', '--json', '-n', '100', ...place]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
  const event = (await tail()).find(({ protocol }) => protocol === 'ssh');
  assert.ok((event?.captured?.recording ?? 0) > 0);
  const body = (...more: string[]): Promise<string> =>
    mustRun(launcher, ['audit', 'body', event?.id ?? '', ...more, ...place]);
  const printed = await body();
  assert.match(printed, /^recording: \d+ bytes\n/);
  assert.match(printed, /\\u\{1b\}\[31mred\\u\{1b\}\]52;c;eA==\\u\{7\}/);
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  assert.doesNotMatch(printed, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  const cast = await body('--cast');
  assert.match(cast, /^\{"version":2,/);
  assert.ok(recordingText(cast).includes('\u001b[31mred'));
  assert.equal((await tail()).filter(({ action }) => action === 'bodies_viewed').length, 2);
});
