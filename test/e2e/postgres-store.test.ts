// A gateway on PostgreSQL, and commands of operators against the same database.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { canary } from '../support/canary.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy } from '../support/deployment.ts';
import { endlessOrigin } from '../support/endless-origin.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { isRunning, launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const password = canary('database-password');

test(
  'a gateway on PostgreSQL enrols, serves, is killed and comes back; operators read and revoke by the same database',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const { cert, key } = authority.issue('127.0.0.1');
    const server = stack.use(
      await startPostgres({
        identity: { certificatePem: cert, keyPem: key },
        access: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
      }),
    );
    await server.run(`CREATE ROLE gateway LOGIN PASSWORD '${password}'`);
    await server.run('CREATE DATABASE state OWNER gateway');
    const files = stack.use(await temporaryDirectory()).path;
    await writeFile(join(files, 'password'), password, { mode: 0o600 });
    await writeFile(join(files, 'database-ca.pem'), authority.caPem);
    const origin = stack.use(await endlessOrigin(authority));
    const store = {
      url: `postgres://gateway@127.0.0.1:${server.port}/state`,
      source: { file: join(files, 'password') },
      ca: join(files, 'database-ca.pem'),
    };
    const set = stack.use(
      await deploy({
        rules: [{ name: 'api', hosts: ['api.test'] }],
        authority,
        config: { upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } }, store },
      }),
    );
    const agent = stack.use(await set.startAgent());
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const get = async (path: string): Promise<IncomingMessage> => {
      const connection = await agentThrough({ relayPort: agent.relayPort, host: 'api.test', port: 443, ca });
      stack.defer(() => connection.destroy());
      const request = https.get({ agent: connection, host: 'api.test', port: 443, path });
      request.on('error', () => undefined);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    };
    assert.equal(await text(await get('/short')), 'hello\n');
    (await get('/endless')).on('error', () => undefined).resume();
    const rows = async (sql: string): Promise<readonly Record<string, unknown>[]> =>
      (await server.run(sql, 'state')).rows;
    await waitUntil(
      'the store has what runs',
      async () => (await rows('SELECT 1 FROM audit_open')).length === 1,
    );

    // A token that is used at one gateway is used at all of them.
    const token = await set.issueToken();
    const copy = join(files, 'copied-token');
    await copyFile(token, copy);
    const first = await runCommand(launcher, ['run', ...set.agentOptions(token), '--', 'true']);
    assert.equal(first.code, 0, first.stderr);

    process.kill(set.gateway.pid, 'SIGKILL');
    await waitUntil('the gateway is gone', () => !isRunning(set.gateway.pid));
    const again = stack.use(await startGatewayProcess(set.configFile));
    assert.ok(again.pid);
    const unfinished = (await set.audit()).filter(({ verdict }) => verdict === 'unknown');
    assert.deepEqual(
      unfinished.map(({ path }) => path),
      ['/endless'],
    );

    const withToken = (token: string, command: string) => {
      const at = ['--gateway', again.url, '--gateway-ca', set.gatewayCaFile, '--token-file', token];
      return runCommand(launcher, ['run', ...at, '--', 'echo', command]);
    };
    assert.match((await withToken(copy, 'stolen')).stderr, /\[token_reused\]/);
    const alarms = await rows(`SELECT event FROM audit WHERE kind = 'alarm'`);
    assert.equal(alarms.length, 1, JSON.stringify(alarms));

    const operator = (...args: string[]) => mustRunShared([...args, '--config', set.configFile]);
    const [session] = (await operator('session', 'list', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(session.state, 'committed');
    await operator('session', 'revoke', session.id);
    const [last] = await rows(`SELECT event FROM audit WHERE event LIKE '%"action":"revoked"%'`);
    assert.ok(String(last?.['event']).includes(String(session.id)));
    assert.deepEqual(await rows(`SELECT state FROM session WHERE state = 'committed'`), []);

    await writeFile(join(files, 'password'), 'wrong');
    const refused = await runShared(['session', 'list', '--config', set.configFile]);
    assert.match(refused.stderr, /^[^\n]*the user or the password is refused\. \[store_unavailable\]\n$/);
    assert.ok(!(refused.stderr + again.log()).includes(password));
  },
);
