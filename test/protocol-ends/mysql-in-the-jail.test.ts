// `upstreamproxy run` with a gateway of its own: the command of MariaDB in the jail, with nothing set up, and no password anywhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { missingMariadb } from '../support/mariadb-server.ts';
import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { host, password, type StartedMariadb, startMysqlServer } from './support/mysql-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingMariadb() ??
      (spawnSync('unshare', ['--net', 'true']).status === 0
        ? false
        : 'no network namespace can be made here'));

const stack = new AsyncDisposableStack();
let started: StartedMariadb;
before(async () => {
  if (skip === false) started = stack.use(await startMysqlServer());
});
after(async () => {
  await stack.disposeAsync();
});

for (const tlsEndsIn of ['agent', 'gateway'] as const)
  test(
    `the command of MariaDB in the jail, with TLS of clients that ends in the ${tlsEndsIn}`,
    { skip, timeout: 4 * patienceMs },
    async () => {
      await using directory = await temporaryDirectory();
      const port = String(started.server.port);
      const at = (name: string): string => join(directory.path, name);
      writeFileSync(at('ca.pem'), started.caPem);
      writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
      writeFileSync(
        at('policy.yaml'),
        `version: 1\nrules:\n  - name: db\n    hosts: ${host}\n    ports: ${port}\n    addresses: 127.0.0.1/32\n    protocol: mysql\n    mysql: { databases: orders }\n    inject: db-login\n    trust: own\n`,
      );
      writeFileSync(
        at('gateway.yaml'),
        `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  db-login: { kind: login, username: agent, source: { file: password } }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
      );
      const client = `mariadb --no-defaults -h ${host} -P ${port} -N -B`;
      const script = [
        `${client} --skip-ssl -e 'SELECT CURRENT_USER(), DATABASE()'`,
        `${client} -u root -pworthless --ssl-verify-server-cert --ssl-ca=$SSL_CERT_FILE -e 'SELECT 2'`,
        `${client} -D mysql -e 'SELECT 3' 2>&1`,
        // What of the jail can be looked through for the password, but for the file of it, which is the gateway's.
        'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
        'find "$HOME" /run -xdev -type f -size -1M ! -name password -exec cat {} + 2>/dev/null | tr -d "\\0"',
      ].join('; ');
      const child = spawn(
        launcher,
        ['run', '--config', at('gateway.yaml'), '--tls-ends-in', tlsEndsIn, '--', 'sh', '-c', script],
        { env: { PATH: process.env['PATH'], HOME: directory.path }, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      assert.match(
        out,
        /^agent@127\.0\.0\.1\torders\n2\n[^]*ERROR 1044 \(42000\): rule db: it does not name the database mysql\n/,
        `${out.slice(0, 2000)}${err}`,
      );
      assert.match(out, /SSL_CERT_FILE=/);
      assert.ok(!`${out}${err}`.includes(password));
    },
  );
