// `upstreamproxy run` with a gateway of its own: plain git over SSH in the jail, with nothing set up, and no key anywhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { host, missingSshd, startSshd } from './support/ssh-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingSshd() ??
      (spawnSync('unshare', ['--net', 'true']).status !== 0
        ? 'no network namespace can be made here'
        : false));

test(
  'git clones and pushes in the jail, and the key is nowhere in it',
  { skip, timeout: 4 * patienceMs },
  async () => {
    await using directory = await temporaryDirectory();
    await using server = await startSshd();
    const at = (name: string): string => join(directory.path, name);
    writeFileSync(at('deploy-key'), server.privateKey, { mode: 0o600 });
    writeFileSync(
      at('policy.yaml'),
      `version: 1\nrules:\n  - name: repositories\n    hosts: ${host}\n    ports: ${server.port}\n    addresses: 127.0.0.1/32\n    protocol: ssh\n    ssh:\n      hostKeys: ${server.hostKey}\n      git: { repository: acme/app, operations: [fetch, push], refs: refs/heads/agent/** }\n    inject: deploy\n`,
    );
    writeFileSync(
      at('gateway.yaml'),
      `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  deploy: { kind: ssh-key, username: ${userInfo().username}, source: { file: deploy-key } }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
    );
    const url = `ssh://git@${host}:${server.port}/acme/app.git`;
    const script = [
      'cd "$HOME"',
      `git clone -q ${url} app && cat app/README`,
      'cd app && git config user.name T && git config user.email t@example.com && git commit -q --allow-empty -m second',
      'git push origin HEAD:refs/heads/agent/a 2>&1',
      'git push origin HEAD:refs/heads/main 2>&1',
      // What of the jail can be looked through for the key, but for the file of it, which is the gateway's.
      'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
      'find "$HOME" "$(dirname "$SSL_CERT_FILE")" /run -xdev -type f -size -1M ! -name deploy-key -exec cat {} + 2>/dev/null | tr -d "\\0"',
    ].join('; ');
    const child = spawn(launcher, ['run', '--config', at('gateway.yaml'), '--', 'sh', '-c', script], {
      env: { PATH: process.env['PATH'], HOME: directory.path, GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    assert.match(out, /A repository that was fetched over SSH\./, err);
    assert.match(out, /HEAD -> agent\/a/);
    assert.match(out, /! \[remote rejected\] HEAD -> main \(upstreamproxy: rule repositories/);
    // Each line of the key alone would be part of it.
    for (const line of server.privateKey.split('\n').slice(1, -2)) assert.ok(!`${out}${err}`.includes(line));
  },
);
