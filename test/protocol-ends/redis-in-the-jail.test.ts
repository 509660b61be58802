// `upstreamproxy run` with a gateway of its own: redis-cli in the jail, with nothing set up, and no password anywhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { missingRedis } from '../support/redis-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { host, password, startRedisServer } from './support/redis-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingRedis() ??
      (spawnSync('unshare', ['--net', 'true']).status === 0
        ? false
        : 'no network namespace can be made here'));

for (const tlsEndsIn of ['agent', 'gateway'] as const)
  test(
    `redis-cli in the jail, with TLS of clients that ends in the ${tlsEndsIn}`,
    { skip, timeout: 4 * patienceMs },
    async () => {
      await using directory = await temporaryDirectory();
      await using started = await startRedisServer();
      const port = String(started.server.port);
      const at = (name: string): string => join(directory.path, name);
      writeFileSync(at('ca.pem'), started.caPem);
      writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
      writeFileSync(
        at('policy.yaml'),
        `version: 1\nrules:\n  - name: cache\n    hosts: ${host}\n    ports: ${port}\n    addresses: 127.0.0.1/32\n    protocol: redis\n    inject: cache-login\n    trust: own\n`,
      );
      writeFileSync(
        at('gateway.yaml'),
        `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  cache-login: { kind: login, username: agent, source: { file: password } }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
      );
      const redis = `redis-cli -h ${host} -p ${port}`;
      const script = [
        `${redis} ACL WHOAMI`,
        `${redis} -3 --user any --pass worthless --no-auth-warning SET a 1`,
        `${redis} --tls --sni ${host} --cacert $SSL_CERT_FILE GET a`,
        `${redis} CONFIG GET requirepass`,
        `${redis} ACL GETUSER agent`,
        // What of the jail can be looked through for the password, but for the file of it, which is the gateway's.
        'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
        'find "$HOME" /tmp /run -xdev -type f -size -1M ! -name password ! -name redis.conf -exec cat {} + 2>/dev/null | tr -d "\\0"',
      ].join('; ');
      const child = spawn(
        launcher,
        ['run', '--config', at('gateway.yaml'), '--tls-ends-in', tlsEndsIn, '--', 'sh', '-c', script],
        { env: { PATH: process.env['PATH'], HOME: directory.path }, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      assert.match(
        out,
        /^agent\nOK\n1\nNOPERM rule cache: [^\n]*config\|get[^\n]*\n+NOPERM rule cache: /,
        `${out.slice(0, 2000)}${err}`,
      );
      assert.match(out, /SSL_CERT_FILE=/);
      assert.ok(!`${out}${err}`.includes(password));
    },
  );
