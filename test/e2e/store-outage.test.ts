// A gateway whose database is killed and stays away: what runs notices nothing, what comes waits, and nothing of the audit is lost.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { PostgresServer } from '../support/postgres-server.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { endlessOrigin } from '../support/endless-origin.ts';
import { isRunning, launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { AuditHistory } from '../support/audit-history.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

async function readyz(set: Deployment): Promise<string> {
  const ca = await readFile(set.gatewayCaFile, 'utf8');
  const request = https.get(`${set.gateway.url}/readyz`, { ca, agent: false });
  const [response] = await once(request, 'response');
  return `${response.statusCode} ${await text(response)}`;
}

/** What is in the files of the gateway's spool. */
async function spooled({ directory }: Deployment): Promise<string> {
  const folder = join(directory, 'state/spool');
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.spool'));
  return (await Promise.all(files.map((name) => readFile(join(folder, name), 'latin1')))).join('');
}

async function scene(stack: AsyncDisposableStack, limits: Readonly<Record<string, number>> = {}) {
  const authority = createTestAuthority();
  const server: PostgresServer = stack.use(await startPostgres());
  await server.run('CREATE DATABASE state');
  const origin = stack.use(await endlessOrigin(authority));
  const set = stack.use(
    await deploy({
      rules: [{ name: 'api', hosts: ['api.test'] }],
      authority,
      config: {
        upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
        store: server.url('state'),
        limits,
      },
    }),
  );
  const agent = stack.use(await set.startAgent());
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const history = new AuditHistory();
  const get = async (path: string): Promise<number> =>
    await history.request(path, async () => {
      const connection = await agentThrough({ relayPort: agent.relayPort, host: 'api.test', port: 443, ca });
      try {
        const request = https.get({ agent: connection, host: 'api.test', port: 443, path });
        const [response] = await once(request, 'response');
        await text(response);
        return response.statusCode ?? 0;
      } finally {
        connection.destroy();
      }
    });
  const rows = async (sql: string) => (await server.run(sql, 'state')).rows;
  return { server, set, agent, get, history, rows, origin };
}

test(
  'a database that is killed and comes back later: no request of a running session fails, and its audit is whole, in order and nothing twice',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { server, set, get, history, rows } = await scene(stack);
    assert.equal(await get('/before'), 200);
    assert.equal(await readyz(set), '200 ready\n');
    process.kill(server.pid, 'SIGKILL');
    await waitUntil('the database is gone', () => !isRunning(server.pid));
    let count = 0;
    const during = async (): Promise<void> => {
      assert.equal(await get(`/during/${(count += 1)}`), 200);
    };
    await during();
    await waitUntil('it is noticed', async () => {
      await during();
      return (await readyz(set)) === '200 ready, degraded: the store is away\n';
    });
    // A new session waits for the store, and begins when it is there.
    const token = await set.issueToken();
    const late = spawn(launcher, ['run', ...set.agentOptions(token), '--', 'echo', 'begun'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lateOutput = text(late.stdout);
    await during();
    await waitUntil('the enrolment was refused', () => set.gateway.log().includes('the store is away'));
    // Renewed by the key while nobody can be asked: a tunnel that is cut comes back.
    for (let more = 0; more < 20; more += 1) await during();
    await server.start();
    await waitUntil('it is back', async () => {
      await during();
      return (await readyz(set)) === '200 ready\n';
    });
    assert.equal(await lateOutput, 'begun\n');
    assert.equal(await get('/after'), 200);
    await waitUntil(
      'all is delivered',
      async () => (await rows(`SELECT 1 FROM audit WHERE event LIKE '%"/after"%'`)).length > 0,
    );
    history.check(await set.audit());
    const log = set.gateway.log();
    assert.equal(log.match(/the store is away/g)?.length, 1, log);
    assert.equal(log.match(/the store is back after/g)?.length, 1, log);
    assert.equal(log.match(/cannot be (?:read|written)/g)?.length, 1, log);
    assert.doesNotMatch(log, /uncaught/i);
  },
);

test(
  'a gateway that is killed while the database is away leaves nothing unsaid: its next start delivers what it had',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { server, set, get, history } = await scene(stack);
    assert.equal(await get('/before'), 200);
    await server.stop();
    for (let count = 0; count < 10; count += 1) assert.equal(await get(`/during/${count}`), 200);
    await waitUntil('the spool has them', async () => (await spooled(set)).includes('"/during/9"'));
    process.kill(set.gateway.pid, 'SIGKILL');
    await waitUntil('the gateway is gone', () => !isRunning(set.gateway.pid));
    await assert.rejects(startGatewayProcess(set.configFile), /store_unavailable/);
    await server.start();
    stack.use(await startGatewayProcess(set.configFile));
    history.check(await set.audit());
  },
);

test(
  'beyond its time a gateway without a store forwards nothing, says so, and serves again when the store is back',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { server, set, get, history, origin } = await scene(stack, { storeOutageMs: 1500 });
    assert.equal(await get('/before'), 200);
    await server.stop();
    await waitUntil('it is past', async () => (await readyz(set)).startsWith('503'));
    await waitUntil('it is told', () => set.gateway.log().includes('nothing is forwarded'));
    // The agent has no tunnel and gets none.
    assert.notEqual(await get('/past').catch(() => 0), 200);
    assert.ok(origin.requests.every((one) => !one.endsWith('/past')));
    await server.start();
    let count = 0;
    await waitUntil(
      'it serves again',
      async () => (await get(`/again/${(count += 1)}`).catch(() => 0)) === 200,
    );
    history.check(await set.audit());
  },
);
