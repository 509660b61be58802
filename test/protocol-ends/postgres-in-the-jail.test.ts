// `upstreamproxy run` with a gateway of its own: psql in the jail, with nothing set up, and no password anywhere in there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { host, password, startServer } from './support/postgres-scene.ts';

const binaries = postgresBinaries();
const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : 'missing' in binaries
      ? binaries.missing
      : spawnSync('psql', ['--version']).status !== 0
        ? 'psql is not installed (apt-get install postgresql-client)'
        : spawnSync('unshare', ['--net', 'true']).status !== 0
          ? 'no network namespace can be made here'
          : false;

for (const [tlsEndsIn, more, placeholder] of [
  ['agent', ', clientAuthentication: scram-sha-256', ', placeholder: { env: PGPASSWORD }'],
  ['gateway', '', ''],
] as const)
  test(
    `psql in the jail, with TLS of clients that ends in the ${tlsEndsIn}`,
    { skip, timeout: 4 * patienceMs },
    async () => {
      await using directory = await temporaryDirectory();
      await using started = await startServer();
      const { port } = started.server;
      const at = (name: string): string => join(directory.path, name);
      writeFileSync(at('ca.pem'), started.caPem);
      writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
      writeFileSync(
        at('policy.yaml'),
        `version: 1\nrules:\n  - name: orders-db\n    hosts: ${host}\n    ports: ${port}\n    addresses: 127.0.0.1/32\n    protocol: postgres\n    postgres: { databases: orders${more} }\n    inject: orders-login\n    trust: own\n`,
      );
      writeFileSync(
        at('gateway.yaml'),
        `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  orders-login: { kind: login, username: agent, source: { file: password }${placeholder} }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
      );
      const psql = `psql -X -A -t -h ${host} -p ${port}`;
      const script = [
        `${psql} -c 'SELECT current_user, current_database()'`,
        `PGSSLMODE=disable ${psql} -c 'SELECT 2'`,
        `PGSSLMODE=verify-full PGSSLROOTCERT=$SSL_CERT_FILE ${psql} -c 'SELECT 3'`,
        // The binding is to the leaf of the gateway, whoever ends the TLS of HTTP.
        `${psql} -d 'channel_binding=require sslmode=require' -c 'SELECT 4' 2>&1`,
        `${psql} -d payroll -c 'SELECT 4' 2>&1`,
        // What of the jail can be looked through for the password, but for the file of it, which is the gateway's.
        'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
        'find "$HOME" /tmp /run -xdev -type f -size -1M ! -name password -exec cat {} + 2>/dev/null | tr -d "\\0"',
      ].join('; ');
      const child = spawn(
        launcher,
        ['run', '--config', at('gateway.yaml'), '--tls-ends-in', tlsEndsIn, '--', 'sh', '-c', script],
        { env: { PATH: process.env['PATH'], HOME: directory.path }, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      assert.match(out, /^agent\|orders\n2\n3\n/, err);
      assert.match(out, more === '' ? /channel binding required/ : /\n4\n/);
      assert.match(out, /FATAL: {2}rule orders-db: the database "payroll" is not open here; orders is/);
      assert.match(out, /SSL_CERT_FILE=/);
      assert.ok(!`${out}${err}`.includes(password));
    },
  );
