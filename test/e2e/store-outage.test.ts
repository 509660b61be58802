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
import { gatewayPair } from '../support/gateway-pair.ts';
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

/** One request on a connection of its own; gives its status when the response is whole. */
async function getThrough(relayPort: number, ca: string, path: string): Promise<number> {
  const connection = await agentThrough({ relayPort, host: 'api.test', port: 443, ca });
  try {
    const request = https.get({ agent: connection, host: 'api.test', port: 443, path });
    const [response] = await once(request, 'response');
    await text(response);
    return response.statusCode ?? 0;
  } finally {
    connection.destroy();
  }
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
    await history.request(path, () => getThrough(agent.relayPort, ca, path));
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

/** `npm run test:cluster` takes longer. */
const outageSeconds = Number(process.env['UPSTREAMPROXY_OUTAGE_SECONDS'] ?? 4);
const clients = 6;

/** As kill -9 does to the server; its other processes see that it is gone. */
async function killServer(server: PostgresServer): Promise<void> {
  const { pid } = server;
  process.kill(pid, 'SIGKILL');
  await waitUntil('the database is gone', () => !isRunning(pid));
}

/** What the killed one has left may still end. */
async function startServer(server: PostgresServer): Promise<void> {
  await waitUntil('the database starts', () =>
    server.start().then(
      () => true,
      () => false,
    ),
  );
}

test(
  'scenario d: a database that is killed in a transaction, stays away, and is killed again while it gets what it missed: no request of a running session fails at any of two gateways',
  { skip },
  async (context) => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const origin = stack.use(await endlessOrigin(authority));
    const pair = stack.use(
      await gatewayPair({
        rules: [{ name: 'api', hosts: ['api.test'] }],
        authority,
        config: { upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } } },
      }),
    );
    const { database: server } = pair;
    const agent = stack.use(await pair.set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const history = new AuditHistory(({ path }) => String(path).split('/')[1] ?? '');
    let made = 0;
    /** Every client asks again and again, by way of that gateway, until it is over. */
    const load = async (gateway: 'first' | 'other', until: () => Promise<unknown>): Promise<void> => {
      const over = new AbortController();
      const all = Array.from({ length: clients }, async () => {
        while (!over.signal.aborted) {
          const path = `/${gateway}/${(made += 1)}`;
          assert.equal(await history.request(path, () => getThrough(agent.relayPort, ca, path)), 200);
        }
      });
      await until();
      over.abort();
      await Promise.all(all);
    };
    const rows = async (sql: string) => (await server.run(sql, 'state')).rows;
    const pass = (seconds: number) => async () => {
      const untilMs = performance.now() + seconds * 1000;
      await waitUntil(
        'the time of the outage is over',
        () => performance.now() > untilMs,
        (seconds + 60) * 1000,
      );
    };
    const ended = new Set<Promise<unknown>>();

    await load('first', async () => {
      await waitUntil(
        'events are delivered',
        async () => (await rows('SELECT 1 FROM audit_spool')).length > 0,
      );
      ended.add(
        server
          .run('BEGIN; LOCK TABLE audit_total IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)', 'state')
          .catch(() => undefined),
      );
      await waitUntil('a delivery is in the middle of its transaction', async () => {
        const waiting = await rows(
          `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%audit_total%'`,
        );
        return waiting.length > 0;
      });
      await killServer(server);
    });
    const awaySinceMs = performance.now();
    await load('first', pass(outageSeconds / 2));
    // To a gateway that never saw the session.
    pair.moveTo(pair.other);
    await load('other', pass(outageSeconds / 2));
    const awayMs = performance.now() - awaySinceMs;
    const waiting = (await readdir(join(pair.set.directory, 'state/spool'))).length;
    assert.ok(waiting > 0);
    await load('other', async () => {
      await startServer(server);
      await waitUntil(
        'it gets what it missed',
        async () => (await rows(`SELECT 1 FROM audit WHERE event LIKE '%"/other/%'`)).length > 0,
      );
      await killServer(server);
      await startServer(server);
    });
    pair.moveTo(pair.set.gateway);
    await load('first', pass(1));
    await Promise.all(ended);

    const exchanges = `SELECT event FROM audit WHERE kind = 'exchange' ORDER BY sequence`;
    await waitUntil('all is delivered', async () => (await rows(exchanges)).length >= made);
    const events = (await rows('SELECT event FROM audit ORDER BY sequence')).map(
      (row) =>
        // An event as JSON.
        JSON.parse(String(row['event'])) as Readonly<Record<string, unknown>>,
    );
    history.check(events);
    assert.deepEqual(history.counts, { requests: made, failed: 0 });
    context.diagnostic(
      `${made} requests of ${clients} clients, ${history.counts.failed} failed; database away for ${(awayMs / 1000).toFixed(1)} s, killed twice; ${events.length} events, each once and in order`,
    );
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
    // The spool tries the store again within some seconds; what it has is delivered in order.
    await waitUntil('its audit is delivered', async () =>
      (await set.audit()).some(({ path }) => path === `/again/${count}`),
    );
    history.check(await set.audit());
  },
);

test(
  'a database that says nothing any more costs a reconnect some seconds, and no request, at gateways of several processes',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const origin = stack.use(await endlessOrigin(authority));
    const pair = stack.use(
      await gatewayPair({
        rules: [{ name: 'api', hosts: ['api.test'] }],
        authority,
        config: { workers: 2, upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } } },
      }),
    );
    const { database: server } = pair;
    const agent = stack.use(await pair.set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const history = new AuditHistory(({ path }) => String(path).split('/')[1] ?? '');
    const get = async (path: string): Promise<void> =>
      assert.equal(await history.request(path, () => getThrough(agent.relayPort, ca, path)), 200);
    await get('/first/before');
    const backends = (await server.run('SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()'))
      .rows;
    const frozen = [server.pid, ...backends.map(({ pid }) => Number(pid))];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      await get('/first/during');
      pair.moveTo(pair.other);
      await get('/other/during');
      pair.moveTo(pair.set.gateway);
      await get('/first/again');
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
    }
    await get('/first/after');
    const exchanges = `SELECT event FROM audit WHERE kind = 'exchange' ORDER BY sequence`;
    const events = async () =>
      (await server.run(exchanges, 'state')).rows.map(
        // An event as JSON.
        (row) => JSON.parse(String(row['event'])) as Readonly<Record<string, unknown>>,
      );
    await waitUntil('all is delivered', async () => (await events()).length >= 5);
    assert.equal((await events()).length, 5);
    assert.deepEqual(history.counts, { requests: 5, failed: 0 });
  },
);
