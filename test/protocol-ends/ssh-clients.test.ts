// SSH that the gateway ends, with the real ssh, sshd and git.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun } from '../support/command.ts';
import { gitEnvironment } from '../support/git-server.ts';
import { patienceMs } from '../support/patience.ts';
import { host, missingSshd, openSshScene, startSshd } from './support/ssh-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingSshd() ?? false);
const options = { skip, timeout: 4 * patienceMs };
const url = `git@${host}:acme/app.git`;
const both =
  'git: [{ repository: acme/app, operations: fetch }, { repository: acme/app, operations: push, refs: refs/heads/agent/**, changes: [create, update, delete] }]';

test(
  'git clones, fetches and pushes, and a push of another ref is refused in its own words',
  options,
  async () => {
    await using server = await startSshd();
    await using scene = await openSshScene(server, both);
    const cloned = await scene.git('clone', url, 'app');
    assert.equal(cloned.code, 0, cloned.stderr);
    assert.ok(existsSync(join(scene.home, 'app/README')));
    const app = ['-C', join(scene.home, 'app')];
    assert.equal((await scene.git(...app, 'fetch', 'origin')).code, 0);
    writeFileSync(join(scene.home, 'app/new'), 'x'.repeat(100_000));
    await scene.git(...app, 'add', '.');
    await scene.git(...app, 'commit', '-q', '-m', 'second');
    const pushed = await scene.git(...app, 'push', 'origin', 'HEAD:refs/heads/agent/a');
    assert.equal(pushed.code, 0, pushed.stderr);
    const refused = await scene.git(...app, 'push', 'origin', 'HEAD:refs/heads/main');
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.stderr,
      /remote: upstreamproxy: rule repositories does not allow this push to acme\/app: refs\/heads\/main/,
    );
    assert.match(refused.stderr, /! \[remote rejected\] HEAD -> main \(upstreamproxy: rule repositories/);
    const deleted = await scene.git(...app, 'push', 'origin', ':refs/heads/agent/a');
    assert.equal(deleted.code, 0, deleted.stderr);
    const notDeleted = await scene.git(...app, 'push', 'origin', ':refs/heads/main');
    assert.match(notDeleted.stderr, /! \[remote rejected\] main \(upstreamproxy/);
    const events = await scene.path.events(6);
    assert.deepEqual(
      events.map(({ git, verdict, protocol, injected }) => [
        protocol,
        verdict,
        git?.operation,
        git?.repository,
        git?.refs,
        injected,
      ]),
      [
        ['ssh', 'allow', 'fetch', 'acme/app', undefined, ['deploy']],
        ['ssh', 'allow', 'fetch', 'acme/app', undefined, ['deploy']],
        ['ssh', 'allow', 'push', 'acme/app', [{ ref: 'refs/heads/agent/a', change: 'create' }], ['deploy']],
        ['ssh', 'deny', 'push', 'acme/app', [{ ref: 'refs/heads/main', change: 'update' }], ['deploy']],
        ['ssh', 'allow', 'push', 'acme/app', [{ ref: 'refs/heads/agent/a', change: 'delete' }], ['deploy']],
        ['ssh', 'deny', 'push', 'acme/app', [{ ref: 'refs/heads/main', change: 'delete' }], ['deploy']],
      ],
    );
  },
);

test('shells, subsystems, other commands and repositories, and forwards are refused', options, async () => {
  await using server = await startSshd();
  await using scene = await openSshScene(
    server,
    `${both}, commands: ['echo out; echo err >&2; exit 7', 'env']`,
  );
  const run = (...args: string[]) => scene.ssh(`git@${host}`, ...args);
  const allowed = await run('echo out; echo err >&2; exit 7');
  assert.deepEqual([allowed.code, allowed.stdout, allowed.stderr], [7, 'out\n', 'err\n']);
  const shell = await run();
  assert.equal(shell.code, 128);
  assert.match(shell.stderr, /^upstreamproxy: rule repositories allows no shell here; name a command\n/);
  const sftp = await scene.ssh('-s', `git@${host}`, 'sftp');
  assert.notEqual(sftp.code, 0);
  assert.match(sftp.stderr, /subsystem request failed/);
  for (const command of [
    'uptime',
    'env ',
    "git-upload-pack 'acme/other.git'",
    "git-upload-pack '../acme/app.git'",
    "git-upload-pack 'acme/app.git'; id",
    'git-upload-pack acme/app.git',
    "git-upload-pack '-x/acme/app.git'",
    "git-upload-archive 'acme/app.git'",
    'git-lfs-authenticate acme/app.git download',
    "git-receive-pack '~root/acme/app.git'",
  ]) {
    const refused = await run(command);
    assert.equal(refused.code, 128, command);
    assert.match(refused.stderr, /^upstreamproxy: rule repositories does not allow /, command);
  }
  // Nothing of the client's environment gets there, but for the version of git's protocol; no agent, no display.
  const environment = await scene.ssh(
    '-A',
    '-o',
    'SetEnv=LANG=x LC_ALL=y GIT_PROTOCOL=version=2',
    `git@${host}`,
    'env',
  );
  assert.equal(environment.code, 0);
  assert.doesNotMatch(environment.stdout, /LC_ALL|GIT_PROTOCOL|SSH_AUTH_SOCK|DISPLAY/);
  const forward = await scene.ssh('-W', '127.0.0.1:22', `git@${host}`);
  assert.notEqual(forward.code, 0);
  assert.match(forward.stderr, /open failed|stdio forwarding failed/);
  assert.doesNotMatch(server.log(), /other\.git|uptime/);
});

test(
  'a server with another key than that of the rule gets no log-in, and the client hears why',
  options,
  async () => {
    await using server = await startSshd();
    await using other = await startSshd();
    await using scene = await openSshScene(server, both);
    scene.setRule(both, other.hostKey);
    const { code, stderr } = await scene.git('clone', url, 'app');
    assert.equal(code, 128);
    assert.match(
      stderr,
      /upstreamproxy: git\.test has the key SHA256:.*, which is none of hostKeys of the rule/,
    );
    assert.doesNotMatch(server.log(), /Accepted/);
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'origin_untrusted']);
  },
);

test(
  'neither side takes what Terrapin needs, and what is slipped in before the first keys ends it',
  options,
  async () => {
    const refused = async (more: readonly string[]): Promise<void> => {
      await using server = await startSshd(more);
      await using scene = await openSshScene(server, both);
      const { code, stderr } = await scene.git('clone', url, 'app');
      assert.equal(code, 128);
      assert.match(stderr, /upstreamproxy: git\.test and the gateway agree on nothing/, more.join());
      assert.doesNotMatch(server.log(), /Accepted/);
    };
    await refused(['Ciphers chacha20-poly1305@openssh.com']);
    await refused(['Ciphers aes128-cbc', 'MACs hmac-sha2-256']);
    await refused(['Ciphers aes128-ctr', 'MACs hmac-sha2-256-etm@openssh.com']);
    await refused(['KexAlgorithms diffie-hellman-group14-sha256']);
    await using server = await startSshd();
    await using scene = await openSshScene(server, both);
    for (const weak of [
      '-c chacha20-poly1305@openssh.com',
      '-c aes128-ctr -m hmac-sha2-256-etm@openssh.com',
    ]) {
      const weakly = { GIT_SSH_COMMAND: `${scene.sshCommand} ${weak}` };
      const { code, stderr } = await scene.gitWith(weakly, 'ls-remote', url);
      assert.equal(code, 128);
      assert.match(stderr, /no matching (cipher|MAC) found/);
    }
    // Somebody between the gateway and the server.
    await using between = await slippingIn(server.port);
    await using slipped = await openSshScene({ ...server, port: between.port }, both);
    const { stderr } = await slipped.git('clone', url, 'slipped');
    assert.match(stderr, /agree on nothing: .*strict KEX/);
    assert.equal((await scene.git('clone', url, 'app')).code, 0);
    assert.equal(server.log().split('Accepted').length - 1, 1);
  },
);

/** A message to ignore (RFC 4253 §11.2), in the clear, behind the line with the version of the server. */
async function slippingIn(port: number) {
  const ignore = Buffer.from([0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const listener = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    client.pipe(server);
    let isBefore = true;
    server.on('data', (chunk: Buffer) => {
      const end = isBefore ? chunk.indexOf('\n') + 1 : 0;
      if (end > 0) isBefore = false;
      client.write(end > 0 ? Buffer.concat([chunk.subarray(0, end), ignore, chunk.subarray(end)]) : chunk);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // It listens on an address and a port.
  const { port: own } = listener.address() as AddressInfo;
  return {
    port: own,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await once(listener, 'close');
    },
  };
}

const gibibytes = Number(process.env['TEST_SSH_GIB'] ?? 0);
/** Octets that nothing makes shorter: git neither packs them nor looks for what is like them. */
const asItIs = [
  'core.compression=0',
  'pack.compression=0',
  'pack.window=0',
  'core.bigFileThreshold=1m',
].flatMap((one) => ['-c', one]);
/** Each step of a clone of so much: on a busy machine a gibibyte takes minutes. */
const bulkMs = (2 + 15 * gibibytes) * patienceMs;

test(
  `both sides change their keys in the midst of a clone${gibibytes === 0 ? '' : ` of ${gibibytes} GiB`}`,
  { skip, timeout: 4 * bulkMs },
  async (t) => {
    const octets = gibibytes === 0 ? 12 << 20 : Math.round(gibibytes * 2 ** 30);
    const changeAt = gibibytes < 1 ? '1M' : '64M';
    await using server = await startSshd([`RekeyLimit ${changeAt}`, 'LogLevel DEBUG1']);
    await using scene = await openSshScene(server, both);
    const work = join(server.directory, 'first');
    const run = (file: string, ...args: string[]): Promise<string> =>
      mustRun(file, args, { env: gitEnvironment, timeoutMs: bulkMs });
    await run('sh', '-c', `head -c ${octets} /dev/urandom >${work}/bulk`);
    const bare = join(server.root, 'acme/app.git');
    const git = (...args: string[]): Promise<string> => run('git', ...asItIs, ...args);
    await git('-C', work, 'add', '.');
    await git('-C', work, 'commit', '-q', '-m', 'bulk');
    // In place of a push, which would go over the network. The server sends the pack as it is: what takes time is the way.
    await run('rm', '-r', bare);
    await git('clone', '-q', '--bare', work, bare);
    await git('-C', bare, 'repack', '-a', '-d', '-q');
    for (const one of asItIs) if (one !== '-c') await run('git', '-C', bare, 'config', ...one.split('='));
    const rekeying = {
      GIT_SSH_COMMAND: `${scene.sshCommand} -o RekeyLimit=${changeAt} -o LogLevel=DEBUG1`,
    };
    const started = performance.now();
    const peakMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1024);
    const before = peakMiB();
    const cloned = await scene.gitWith({ ...rekeying, timeoutMs: bulkMs }, 'clone', url, 'app');
    assert.equal(cloned.code, 0, cloned.stderr);
    const changes = (text: string): number => text.split('SSH2_MSG_NEWKEYS received').length - 1;
    assert.ok(changes(cloned.stderr) > 3, 'the client has changed its keys');
    assert.ok(changes(server.log()) > 3, 'the server has changed its keys');
    await run('cmp', join(work, 'bulk'), join(scene.home, 'app/bulk'));
    const seconds = Math.round((performance.now() - started) / 1000);
    const grown = peakMiB() - before;
    assert.ok(grown < 384, `the gateway keeps nothing of it: ${grown} MiB more at its peak`);
    t.diagnostic(
      `${octets} octets in ${seconds} s, the gateway and the test had ${grown} MiB more at their peak; keys changed ${changes(cloned.stderr)} times with the client, ${changes(server.log())} with the server`,
    );
  },
);
