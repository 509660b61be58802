// A gateway whose SQLite store is copied to PostgreSQL while it runs: sessions notice nothing, and the audit is whole behind it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { AuditHistory } from '../support/audit-history.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy } from '../support/deployment.ts';
import { endlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

test(
  'a store is moved under a running gateway: its sessions go on, there and at the gateway on the new store, and the audit is whole',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const server = stack.use(await startPostgres());
    await server.run('CREATE DATABASE state');
    const origin = stack.use(await endlessOrigin(authority));
    const set = stack.use(
      await deploy({
        rules: [{ name: 'api', hosts: ['api.test'] }],
        authority,
        config: {
          listen: { address: '127.0.0.1', port: await freePort() },
          upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
        },
      }),
    );
    const agent = stack.use(await set.startAgent());
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const history = new AuditHistory();
    const open = async (path: string) => {
      const connection = await agentThrough({ relayPort: agent.relayPort, host: 'api.test', port: 443, ca });
      stack.defer(() => connection.destroy());
      const request = https.get({ agent: connection, host: 'api.test', port: 443, path });
      request.on('error', () => undefined);
      const [response] = await once(request, 'response');
      return { response, ended: () => connection.destroy() };
    };
    const get = (path: string): Promise<number> =>
      history.request(path, async () => {
        const { response, ended } = await open(path);
        await text(response);
        ended();
        return response.statusCode ?? 0;
      });
    assert.equal(await get('/before'), 200);
    const used = await set.issueToken();
    assert.equal((await runCommand(launcher, ['run', ...set.agentOptions(used), '--', 'true'])).code, 0);

    const to = join(set.directory, 'gateway-postgres.yaml');
    const written = parse(await readFile(set.configFile, 'utf8'));
    await writeFile(to, stringify({ ...written, store: server.url('state') }));
    const endless = await open('/endless');
    endless.response.on('error', () => undefined).resume();
    assert.match(
      await mustRunShared(['store', 'copy', set.configFile, to]),
      /^copied and compared: 2 sessions/,
    );
    assert.equal(
      await mustRunShared(['store', 'copy', set.configFile, to]),
      'an earlier call has copied it\n',
    );

    for (let number = 1; number <= 5; number += 1) assert.equal(await get(`/during/${number}`), 200);
    await waitUntil('it is said', async () => set.gateway.log().includes('the audit is kept here'));
    assert.match(set.gateway.log(), /the store is away: running sessions go on/);
    const refused = await runShared(['session', 'revoke', 'x', '--config', set.configFile]);
    assert.match(
      refused.stderr,
      /^upstreamproxy: The store [^\n]* was moved to postgres:[^\n]*\[store_unavailable\]\n$/,
    );
    // What was begun on the file ends here: its event is in the spool, its mark in the new store.
    endless.ended();
    await set.gateway.close();

    const next = stack.use(await startGatewayProcess(to));
    // The same session, upon the same token.
    await waitUntil(
      'the agent is back',
      async () => next.log() !== '' && (await get(`/back/${Math.random()}`).catch(() => 0)) === 200,
    );
    const sessions = await mustRunShared(['session', 'list', '--config', to, '--json']);
    assert.equal(sessions.trim().split('\n').length, 1, sessions);
    const events = (await mustRunShared(['audit', 'export', '--config', to]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    history.check(events.filter(({ path }) => path !== '/endless'));
    const cut = events.filter(({ path }) => path === '/endless');
    assert.equal(cut.length, 1, JSON.stringify(cut));
    assert.notEqual(cut[0].verdict, 'unknown');
    assert.deepEqual((await server.run('SELECT id FROM audit_open', 'state')).rows, []);
  },
);
