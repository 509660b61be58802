// `upstreamproxy run` with a gateway of its own that holds keys: ssh and scp log in by the agent of SSH, at the server and as the user of a rule, over a
// way of raw TCP; git signs hashes by it where a rule takes those. The keys are nowhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { MemoryScan } from '../agent/support/memory-scan.ts';
import { mustRun } from '../support/command.ts';
import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { processesOf } from './support/process-tree.ts';
import { missingSshd, type SshServer, startSshd } from './support/ssh-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingSshd() ??
      (spawnSync('unshare', ['--net', 'true']).status !== 0
        ? 'no network namespace can be made here'
        : false));
const me = userInfo().username;
const [host, other] = ['bastion.test', 'other.test'];

interface Scene {
  readonly server: SshServer;
  /** With the same key for log-ins, and another one of its own. */
  readonly otherServer: SshServer;
  readonly publicKey: string;
}

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly events: string;
}

const plain = (): string => '';
const sftp = ['Subsystem sftp internal-sftp', 'AllowAgentForwarding yes'];

/** An agent of the user that has everything, and that no command may reach. */
async function startOwnAgent(path: string) {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.destroy();
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
      assert.equal(count, 0);
    },
  };
}

interface RunOptions {
  /** Keys of `sign.logIn` beside those of the server. */
  readonly users?: string;
  /** Called once the script has printed `logged-in-now`; it goes on when this is done. */
  readonly onLoggedIn?: (pid: number, privateKey: string) => void;
}

/** What a script of the jail prints. */
async function runInJail(
  script: (scene: Scene) => readonly string[],
  { users = me, onLoggedIn }: RunOptions = {},
): Promise<Ran> {
  await using directory = await temporaryDirectory();
  await using server = await startSshd(sftp, plain);
  await using otherServer = await startSshd(sftp, plain);
  const at = (name: string): string => join(directory.path, name);
  writeFileSync(at('login-key'), server.privateKey, { mode: 0o600 });
  const loginPublic = (await mustRun('ssh-keygen', ['-y', '-f', at('login-key')])).trim();
  writeFileSync(join(otherServer.directory, 'authorized'), `${loginPublic}\n`);
  await mustRun('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', at('commit-key')]);
  const publicKey = readFileSync(at('commit-key.pub'), 'utf8').trim().split(' ').slice(0, 2).join(' ');
  const way = (name: string, port: number): string =>
    `  - { name: way-${port}, hosts: ${name}, ports: ${port}, scheme: tcp, addresses: 127.0.0.1/32 }\n`;
  writeFileSync(
    at('policy.yaml'),
    `version: 1\nrules:\n${way(host, server.port)}${way(other, otherServer.port)}` +
      `  - name: bastion\n    sign: { logIn: { server: ${host}, hostKeys: ${server.hostKey}, users: ${users} } }\n    inject: login\n` +
      '  - name: commits\n    sign: { hashes: git }\n    inject: commits\n',
  );
  writeFileSync(
    at('gateway.yaml'),
    `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n` +
      `  login: { kind: agent-key, use: log-in, publicKey: ${loginPublic}, source: { file: login-key } }\n` +
      `  commits: { kind: agent-key, use: hashes, publicKey: ${publicKey}, source: { file: commit-key } }\n` +
      `upstream:\n  hosts: { ${host}: 127.0.0.1, ${other}: 127.0.0.1 }\n`,
  );
  const known = [
    `[${host}]:${server.port} ${server.hostKey}`,
    `[${other}]:${otherServer.port} ${otherServer.hostKey}`,
  ];
  writeFileSync(at('known_hosts'), `${known.join('\n')}\n`);
  writeFileSync(at('allowed_signers'), `agent@example.com namespaces="git" ${publicKey}\n`);
  await using ownAgent = await startOwnAgent(at('own-agent'));
  const lines = ['cd "$HOME"', 'exec 2>&1', ...script({ server, otherServer, publicKey })];
  const child = spawn(launcher, ['run', '--config', at('gateway.yaml'), '--', 'sh', '-c', lines.join('\n')], {
    env: {
      PATH: process.env['PATH'],
      HOME: directory.path,
      // Of the user, which gives way.
      SSH_AUTH_SOCK: ownAgent.path,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Build Agent',
      GIT_AUTHOR_EMAIL: 'agent@example.com',
      GIT_COMMITTER_NAME: 'Build Agent',
      GIT_COMMITTER_EMAIL: 'agent@example.com',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (onLoggedIn === undefined || !said.includes('logged-in-now')) return;
    said = '';
    onLoggedIn(child.pid ?? 0, server.privateKey);
    child.stdin.end();
  });
  if (onLoggedIn === undefined) child.stdin.end();
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  for (const key of [server.privateKey, readFileSync(at('commit-key'), 'utf8')])
    for (const line of key.split('\n').slice(1, -2)) assert.ok(!`${out}${err}`.includes(line));
  // A run has an audit of its own, and says where.
  const audit = /Audit: (\S+\.jsonl)\./.exec(err)?.[1] ?? '';
  return { out, err, events: audit === '' ? '' : readFileSync(audit, 'utf8') };
}

const options = [
  '-F/dev/null',
  '-oBatchMode=yes',
  '-oIdentityFile=/dev/null',
  '-oStrictHostKeyChecking=yes',
  '-oUserKnownHostsFile="$HOME/known_hosts"',
].join(' ');

test(
  'ssh and scp log in by the agent at the server of the rule, and nowhere else, and as nobody else',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const { out, err, events } = await runInJail(({ server, otherServer }) => [
      'stat -c "mode-%a" "$SSH_AUTH_SOCK"',
      'ssh-add -l',
      `ssh ${options} -p ${server.port} ${me}@${host} echo in-with-a-key`,
      `echo a file >sent && scp -q ${options} -P ${server.port} sent ${me}@${host}:${server.directory}/copied && echo copied-$?`,
      `cat ${server.directory}/copied`,
      `ssh ${options} -p ${server.port} nobody@${host} echo in-as-nobody; echo nobody-$?`,
      `ssh ${options} -p ${otherServer.port} ${me}@${other} echo in-elsewhere; echo elsewhere-$?`,
      // By what is forwarded the server could log in elsewhere.
      `ssh -A ${options} -p ${server.port} ${me}@${host} 'ssh -F/dev/null -oBatchMode=yes -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oIdentityFile=/dev/null -p ${server.port} ${me}@127.0.0.1 echo in-again'; echo forwarded-$?`,
      'ssh-keygen -q -t ed25519 -N "" -f own; ssh-add own; echo added-$?; ssh-add -D; echo removed-$?',
      'printf "x\\nx\\n" | SSH_ASKPASS_REQUIRE=never ssh-add -x; echo locked-$?; ssh-add -l',
      'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
      'find "$HOME" "$(dirname "$SSL_CERT_FILE")" /run -xdev -type f -size -1M ! -name "*-key" -exec cat {} + 2>/dev/null | tr -d "\\0"',
    ]);
    assert.match(out, /mode-600\n/, `${out}${err}`);
    assert.match(out, /256 SHA256:\S+ login \(ED25519\)\n256 SHA256:\S+ commits \(ED25519\)\n/);
    assert.match(out, /in-with-a-key\n/);
    assert.match(out, /copied-0\na file\n/);
    for (const [name, code] of [
      ['nobody', 255],
      ['elsewhere', 255],
      ['forwarded', 255],
    ] as const)
      assert.match(out, new RegExp(`${name}-${code}\n`), out);
    assert.doesNotMatch(out, /in-as-nobody\n|in-elsewhere\n|in-again\n/);
    assert.match(out, /added-1\n/);
    assert.match(out, /removed-1\n/);
    assert.match(out, /locked-1\n/);
    const signed = events
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            verdict: string;
            rule: string;
            details?: { signature?: Record<string, string> };
          },
      )
      .filter(({ verdict, details }) => verdict === 'allow' && details?.signature !== undefined);
    assert.ok(signed.length >= 3);
    for (const { rule, details } of signed) {
      assert.equal(rule, 'bastion');
      const { kind, server, user } = details?.signature ?? {};
      assert.deepEqual([kind, server, user], ['log-in', host, me]);
    }
  },
);

test(
  'git signs hashes by the agent where a rule takes them, and nothing for another purpose is signed',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const { out, err, events } = await runInJail(({ publicKey }) => [
      'git init -q app && cd app',
      'git config gpg.format ssh',
      `git config user.signingKey 'key::${publicKey}'`,
      'git config gpg.ssh.allowedSignersFile "$HOME/allowed_signers"',
      'git commit -q -S --allow-empty -m first && git verify-commit HEAD && git log -1 --format=commit-is-%G?',
      `echo '${publicKey}' >key.pub; echo a >x; ssh-keygen -q -Y sign -n file -f key.pub x; echo file-$?`,
      'ssh-keygen -q -Y sign -n git -f key.pub x; echo git-$?',
    ]);
    assert.match(out, /commit-is-G\n/, `${out}${err}`);
    assert.match(out, /file-255\n/);
    assert.match(out, /git-0\n/);
    assert.match(events, /"kind":"hash","namespace":"git"/);
  },
);

test(
  'the keys are in the memory of the gateway, and of no process beside it',
  {
    skip: skip === false && process.getuid?.() !== 0 ? 'only root may look into the memory of others' : skip,
    timeout: 4 * patienceMs,
  },
  async () => {
    const counted = { gateways: 0, others: 0, inGateways: 0 };
    const found: string[] = [];
    const { out, err } = await runInJail(
      ({ server }) => [
        `ssh -n ${options} -p ${server.port} ${me}@${host} echo in && echo logged-in-now`,
        'cat >/dev/null',
      ],
      {
        onLoggedIn: (pid, privateKey) => {
          // One line of the middle of the key, inverted: what is looked for is no copy by itself.
          const flipped = Buffer.from(privateKey.split('\n')[3] ?? '').map((one) => one ^ 0xff);
          assert.ok(flipped.length > 40);
          for (const one of processesOf(pid)) {
            const count = new MemoryScan(one.pid).count(flipped);
            if (one.isGateway) counted.inGateways += count;
            else if (count > 0) found.push(readFileSync(`/proc/${one.pid}/cmdline`, 'latin1'));
            counted[one.isGateway ? 'gateways' : 'others'] += 1;
          }
        },
      },
    );
    assert.deepEqual(found, [], `${out}${err}`);
    assert.ok(counted.gateways > 0 && counted.inGateways > 0 && counted.others > 2, JSON.stringify(counted));
  },
);
