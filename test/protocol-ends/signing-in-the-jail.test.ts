// `upstreamproxy run` with a gateway of its own that holds a key: git signs commits and tags in the jail with nothing set up, the real ssh-keygen
// verifies them, and the key is nowhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { MemoryScan } from '../agent/support/memory-scan.ts';
import { mustRun } from '../support/command.ts';
import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { processesOf } from './support/process-tree.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : spawnSync('ssh-keygen', ['-?']).error !== undefined
      ? 'ssh-keygen is not installed (apt-get install openssh-client)'
      : spawnSync('unshare', ['--net', 'true']).status !== 0
        ? 'no network namespace can be made here'
        : false;

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

interface RunOptions {
  readonly keyType?: readonly string[];
  /** Called once the script has printed `signed-now`; it goes on when this is done. */
  readonly onSigned?: (pid: number, privateKey: string) => void;
  /** In place of the one with that rule. */
  readonly policy?: string;
}

/** What a script of the jail prints. @param sign keys of `sign`; undefined: the policy signs nothing */
async function runInJail(
  sign: string | undefined,
  script: readonly string[],
  { keyType = ['ed25519'], onSigned, policy }: RunOptions = {},
): Promise<Ran> {
  await using directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const [type = '', ...bits] = keyType;
  await mustRun('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...bits,
    '-N',
    '',
    '-C',
    'canary-of-the-key',
    '-f',
    at('commit-key'),
  ]);
  const publicKey = readFileSync(at('commit-key.pub'), 'utf8').trim();
  const rule =
    sign === undefined ? '  []' : `  - name: signed\n    sign: { ${sign} }\n    inject: commit-key`;
  writeFileSync(at('policy.yaml'), policy ?? `version: 1\nrules:\n${rule}\n`);
  writeFileSync(
    at('gateway.yaml'),
    `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  commit-key: { kind: signing-key, publicKey: ${publicKey}, source: { file: commit-key } }\n`,
  );
  writeFileSync(at('allowed_signers'), `agent@example.com namespaces="git" ${publicKey}\n`);
  const lines = ['cd "$HOME" && git init -q app && cd app', ...script];
  const child = spawn(launcher, ['run', '--config', at('gateway.yaml'), '--', 'sh', '-c', lines.join('\n')], {
    env: {
      PATH: process.env['PATH'],
      HOME: directory.path,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Build Agent',
      GIT_AUTHOR_EMAIL: 'agent@example.com',
      GIT_COMMITTER_NAME: 'Build Agent',
      GIT_COMMITTER_EMAIL: 'agent@example.com',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const privateKey = readFileSync(at('commit-key'), 'utf8');
  if (onSigned === undefined) child.stdin.end();
  else {
    child.stdout.on('data', (chunk: Buffer) => {
      if (!chunk.includes('signed-now')) return;
      onSigned(child.pid ?? 0, privateKey);
      child.stdin.end();
    });
  }
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { out, err, publicKey, privateKey };
}

const ofAgent = 'objects: [commit, tag], committer: Build Agent <agent@example.com>';
const verifying = 'git config gpg.ssh.allowedSignersFile "$HOME/allowed_signers"';

test(
  'git commit -S and git tag -s are signed outside, and git verifies both',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const { out, err, privateKey, publicKey } = await runInJail(ofAgent, [
      verifying,
      'git commit -q -S --allow-empty -m first && git verify-commit -v HEAD 2>&1',
      'git commit -q --allow-empty -m unsigned; git log -1 --format=unsigned-is-%G?',
      'git tag -s v1.0 -m tagged && git verify-tag v1.0 2>&1',
      'git checkout -q -b side HEAD~1 && git commit -q -S --allow-empty -m side && git checkout -q - && git merge -q -S --no-edit side && git log -1 --format=merge-is-%G?',
      // It tells which key there is, and who signed.
      'git config user.signingKey; git log -2 --format="%G? %GS %GK" ',
      'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
      'find "$HOME" "$(dirname "$SSL_CERT_FILE")" /run -xdev -type f -size -1M ! -name commit-key -exec cat {} + 2>/dev/null | tr -d "\\0"',
    ]);
    assert.equal(out.match(/Good "git" signature for agent@example\.com/g)?.length, 2, `${out}${err}`);
    assert.match(out, /unsigned-is-N\n/);
    assert.match(out, /merge-is-G\n/);
    assert.ok(out.includes(`key::${publicKey.split(' ').slice(0, 2).join(' ')}`));
    for (const line of privateKey.split('\n').slice(1, -2)) assert.ok(!`${out}${err}`.includes(line));
  },
);

test(
  'what the rule does not sign, git says why, and makes no commit',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const { out, err } = await runInJail('committer: Build Agent <agent@example.com>', [
      'exec 2>&1',
      'GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com git commit -q -S --allow-empty -m other; echo committed-$?',
      'GIT_AUTHOR_EMAIL=ada@example.com git commit -q -S --allow-empty -m other; echo committed-$?',
      'git commit -q -S --allow-empty -m mine; echo committed-$?',
      'git tag -s v1.0 -m tag; echo tagged-$?',
      'key="$HOME/pub"; git config user.signingKey | sed s/^key::// >"$key"',
      'echo a file >x; "$(git config gpg.ssh.program)" -Y sign -n file -f "$key" x; echo file-$?',
      '"$(git config gpg.ssh.program)" -Y sign -n git -f "$key" x; echo blob-$?',
      'git cat-file commit HEAD >y; "$(git config gpg.ssh.program)" -Y sign -n git -f "$key" y; echo again-$?',
      'head -c 300000 /dev/zero | tr "\\0" a >m; git commit -q -S --allow-empty -F m; echo long-$?',
      'ls *.sig; git log --format=log-%s',
    ]);
    assert.match(
      out,
      /upstreamproxy: No rule allows a signature for a commit of Build Agent <agent@example\.com>, committed by Ada <ada@example\.com>\. The rule signed signs this alone: commit; committer Build Agent <agent@example\.com>/,
      `${out}${err}`,
    );
    assert.equal(out.match(/committed-128/g)?.length, 2, out);
    assert.match(out, /committed-0/);
    assert.match(out, /No rule allows a signature for the tag v1\.0[^]*tagged-128/);
    assert.match(out, /the gateway signs for git alone[^]*file-65/);
    assert.match(out, /it is neither a commit nor a tag of git[^]*blob-65/);
    assert.match(out, /it has the header gpgsig, which no commit has there[^]*again-65/);
    assert.match(out, /signedObjectBytesMax[^]*long-128/);
    assert.deepEqual(out.match(/log-.*/g), ['log-mine']);
  },
);

test(
  'automatic signs without being asked, with other types of keys too',
  { skip, timeout: 8 * patienceMs },
  async () => {
    for (const keyType of [
      ['ecdsa', '-b', '384'],
      ['rsa', '-b', '3072'],
    ]) {
      const { out, err } = await runInJail(
        `${ofAgent}, automatic: true`,
        [
          verifying,
          'git commit -q --allow-empty -m first && git log -1 --format=commit-is-%G?',
          'git tag -m x v2 && git verify-tag v2 2>&1',
        ],
        { keyType },
      );
      assert.match(out, /commit-is-G\n/, `${out}${err}`);
      assert.match(out, /Good "git" signature/);
    }
  },
);

test(
  'without a rule git is as it was, and the gateway signs nothing for anybody',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const { out, err } = await runInJail(undefined, [
      'exec 2>&1',
      'echo format-$(git config gpg.format)-$(git config user.signingKey)-$GIT_CONFIG_COUNT',
      'git commit -q --allow-empty -m first && git cat-file commit HEAD >x',
      'curl -s --data-binary @x "http://upstreamproxy.invalid/sign?namespace=git"',
    ]);
    assert.match(out, /format---\n/, `${out}${err}`);
    assert.match(out, /policy_denied/);
    assert.doesNotMatch(out, /BEGIN SSH/);
  },
);

test(
  'the key is in the memory of the gateway, and of no process beside it',
  {
    skip: skip === false && process.getuid?.() !== 0 ? 'only root may look into the memory of others' : skip,
    timeout: 4 * patienceMs,
  },
  async () => {
    const counted = { gateways: 0, others: 0, inGateways: 0 };
    const found: string[] = [];
    const { out, err } = await runInJail(
      ofAgent,
      ['git commit -q -S --allow-empty -m first && echo signed-now', 'cat >/dev/null'],
      {
        onSigned: (pid, privateKey) => {
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

test(
  'the policy of the examples signs commits and previews, and no release',
  { skip, timeout: 4 * patienceMs },
  async () => {
    const policy = readFileSync(new URL('../../examples/policy-signing.yaml', import.meta.url), 'utf8');
    const { out, err } = await runInJail(
      undefined,
      [
        verifying,
        'exec 2>&1',
        'git commit -q -S --allow-empty -m first --author "Ada <ada@example.com>" && git log -1 --format=commit-is-%G?',
        'git tag -s preview-1 -m preview && git verify-tag preview-1',
        'git tag -s v1 -m release; echo release-$?',
      ],
      { policy },
    );
    assert.match(out, /commit-is-G\n/, `${out}${err}`);
    assert.match(out, /Good "git" signature/);
    assert.match(out, /release-128/);
  },
);
