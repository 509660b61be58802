// A gateway of two workers behind one port: real processes, one gateway to everybody who comes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { stringify } from 'yaml';

import type { OutputOf } from '../../src/api/admin/routes.ts';
import type { TunnelLink } from '../../src/net/tunnel-link.ts';
import type { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared } from '../support/command-process.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { askOn, GatewaySession } from '../support/gateway-session.ts';
import { httpOrigin, type Origin } from '../support/origin.ts';
import { isRunning, launcher, waitUntil } from '../support/program.ts';
import { workersOf } from '../support/worker-processes.ts';

const secret = 'canary-of-the-workers';
const tunnelsMax = 4;

let origin: Origin;
/** It takes requests, and never responds. */
let silent: Server;
let set: Deployment;
let metricsUrl: string;
const links: TunnelLink[] = [];

const ruleOf = (name: string, more: object = {}): Readonly<Record<string, unknown>> => ({
  name,
  hosts: [`${name}.test`],
  scheme: 'http',
  ports: [origin.port],
  addresses: ['127.0.0.1/32'],
  ...more,
});

before(async () => {
  origin = await httpOrigin();
  silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  set = await deploy({
    rules: [
      ruleOf('api'),
      ruleOf('few', { limits: { requestsPerSession: 6 } }),
      ruleOf('silent', { ports: silentPort() }),
    ],
    hosts: Object.fromEntries(['api', 'few', 'later', 'silent'].map((name) => [`${name}.test`, '127.0.0.1'])),
    credentials: { unused: { kind: 'bearer', source: { env: 'WORKERS_SECRET' } } },
    environment: { WORKERS_SECRET: secret },
    config: {
      workers: 2,
      metrics: { port },
      audit: { file: 'audit.jsonl' },
      admin: { socketRoles: { [String(process.getuid?.())]: 'operator' } },
    },
  });
});
after(async () => {
  for (const link of links) link.destroy();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  silent?.close();
  silent?.closeAllConnections();
});

// A TCP server's address is an object.
const silentPort = (): number => (silent.address() as AddressInfo).port;

/** What the store has of exchanges that run. */
function openExchanges(): number {
  using database = new DatabaseSync(join(set.directory, 'state/state.db'), { readOnly: true });
  return Number(database.prepare('SELECT count(*) AS count FROM audit_open').get()?.['count']);
}

async function tunnelOf(session: GatewaySession): Promise<TunnelLink> {
  const link = await session.openTunnel();
  links.push(link);
  return link;
}

/** Sessions of a tunnel each, of which each worker has one or more: whichever got the last connections, it has more of them soon. */
async function sessionsAtBoth(): Promise<{
  readonly sessions: readonly GatewaySession[];
  readonly tunnels: readonly TunnelLink[];
}> {
  for (const link of links.splice(0)) link.destroy();
  await waitUntil('what was open is closed', async () => (await metric('tunnels')) === 0);
  const sessions: GatewaySession[] = [];
  for (let i = 0; i < 4; i += 1) sessions.push(await GatewaySession.enrol(set));
  const tunnels: TunnelLink[] = [];
  for (const session of sessions) tunnels.push(await tunnelOf(session));
  return { sessions, tunnels };
}

const urlOf = (name: string): string => `http://${name}.test:${origin.port}/hello`;
const statusOn = async (link: TunnelLink, name: string): Promise<number> =>
  (await askOn(link, urlOf(name))).status;

async function metric(name: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  return Number(
    new RegExp(`^upstreamproxy_${name.replaceAll(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1],
  );
}

/** What the admin API responds to a user with the role of an operator. */
async function admin<T>(method: string, path: string): Promise<T> {
  const asked = request({
    socketPath: join(set.directory, 'state', 'admin', 'admin.sock'),
    method,
    path,
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  asked.end(method === 'POST' ? '{}' : undefined);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const value = await json(response);
  assert.equal(response.statusCode, 200, JSON.stringify(value));
  // As the schema of the operation says, which other tests hold.
  return value as T;
}

/** Those of a session in the audit. */
async function eventsOf(sessionId: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await set.audit()).filter((event) => event['sessionId'] === sessionId);
}

test('sessions are spread over the workers, and each tunnel of a session is served, wherever it comes in', async () => {
  const sessions = [await GatewaySession.enrol(set), await GatewaySession.enrol(set)];
  for (const session of sessions) {
    const tunnels = [await tunnelOf(session), await tunnelOf(session), await tunnelOf(session)];
    for (const link of tunnels) assert.equal(await statusOn(link, 'api'), 200);
  }
  assert.equal(await metric('workers'), 2);
  assert.equal(await metric('tunnels'), 6);
  const counted = 'events_total{kind="exchange",verdict="allow",code="",action=""}';
  assert.equal(await metric(counted), 6);
  for (const { id } of sessions) {
    const exchanges = (await eventsOf(id)).filter(({ kind }) => kind === 'exchange');
    assert.equal(exchanges.length, 3);
  }
});

test('a session has its tunnels once, not once a worker; and so it has its budget', async () => {
  const session = await GatewaySession.enrol(set);
  const tunnels: TunnelLink[] = [];
  for (let i = 0; i < tunnelsMax; i += 1) tunnels.push(await tunnelOf(session));
  // Twice, so that it comes in at each worker.
  for (let i = 0; i < 2; i += 1)
    await assert.rejects(session.openTunnel(), ({ message }: ProxyError) =>
      message.includes('limit_exceeded'),
    );
  const statuses = await Promise.all(
    Array.from({ length: 20 }, (_, i) => statusOn(tunnels[i % tunnelsMax]!, 'few')),
  );
  assert.equal(statuses.filter((status) => status === 200).length, 6, statuses.join(' '));
  assert.equal(statuses.filter((status) => status === 429).length, 14, statuses.join(' '));
});

test('two who start with one token at once are one committed session and one alarm', async () => {
  const tokenFile = await set.issueToken();
  const first = await GatewaySession.enrol(set, { tokenFile, commits: false });
  const second = await GatewaySession.enrol(set, { tokenFile, commits: false });
  const commits = await Promise.allSettled([first.session.commit(), second.session.commit()]);
  assert.deepEqual(commits.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const racing = Array.from({ length: 4 }, () => GatewaySession.enrol(set, { tokenFile, commits: false }));
  for (const outcome of await Promise.allSettled(racing)) assert.equal(outcome.status, 'rejected');
  const events = [...(await eventsOf(first.id)), ...(await eventsOf(second.id))];
  assert.equal(events.filter(({ action }) => action === 'committed').length, 1);
  assert.equal(events.filter(({ action }) => action === 'token_reused').length, 4);
});

test('a revocation and another policy reach every worker within 2 s', async () => {
  const sessions = [await GatewaySession.enrol(set), await GatewaySession.enrol(set)];
  const tunnels: TunnelLink[] = [];
  // Two of each, so that one of each is passed on.
  for (const session of [...sessions, ...sessions]) tunnels.push(await tunnelOf(session));
  const rules = [ruleOf('api'), ruleOf('few'), ruleOf('later'), ruleOf('silent', { ports: silentPort() })];
  for (const link of tunnels) assert.equal(await statusOn(link, 'later'), 403);
  await writeFile(join(set.directory, 'policy.yaml'), stringify({ rules }, { aliasDuplicateObjects: false }));
  for (const link of tunnels)
    await waitUntil('the policy is there', async () => (await statusOn(link, 'later')) === 200);
  await mustRunShared(['session', 'revoke', sessions[0]!.id, '--config', set.configFile]);
  await Promise.all([tunnels[0]!.closed, tunnels[2]!.closed]);
  assert.equal(await statusOn(tunnels[1]!, 'api'), 200);
  assert.equal(await statusOn(tunnels[3]!, 'api'), 200);
});

test('the admin API is that of the whole gateway, whichever worker serves what is asked for', async () => {
  const { sessions, tunnels } = await sessionsAtBoth();
  for (const link of tunnels) assert.equal(await statusOn(link, 'api'), 200);
  const now = await admin<OutputOf<'health'>>('GET', '/v1/health');
  assert.deepEqual([now.ready, now.audit], [true, 'written']);
  assert.equal(now.tunnels, tunnels.length);
  const { items } = await admin<OutputOf<'limits'>>('GET', '/v1/limits');
  // Not the share of a worker.
  const { heldOctetsMax } = defaultLimits;
  assert.equal(items.find(({ name }) => name === 'heldOctetsMax')?.value, heldOctetsMax);
  // Some are at another worker than the API is.
  for (const [i, { id }] of sessions.entries()) {
    const { state } = await admin<OutputOf<'revokeSession'>>('POST', `/v1/sessions/${id}/revoke`);
    assert.equal(state, 'revoked');
    await tunnels[i]!.closed;
    const page = await admin<OutputOf<'exchanges'>>('GET', `/v1/exchanges?session=${id}`);
    const exchanges = page.items.filter(({ kind }) => kind === 'exchange');
    assert.deepEqual(
      exchanges.map(({ host, verdict }) => [host, verdict]),
      [['api.test', 'allow']],
    );
  }
});

test('a signal that all processes get is the supervisor’s, and costs no worker its tunnels', async () => {
  const { tunnels } = await sessionsAtBoth();
  const workers = workersOf(set.gateway.pid);
  for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGINT', 'SIGTERM', 'SIGTERM'] as const)
    for (const pid of workers) process.kill(pid, signal);
  for (const link of tunnels) {
    assert.equal(await statusOn(link, 'api'), 200);
    // By a stream that is opened after the first.
    assert.equal(await statusOn(link, 'api'), 200);
  }
  assert.deepEqual(workersOf(set.gateway.pid), workers);
});

test('neither arguments nor environment of a worker have a secret', async () => {
  for (const pid of [set.gateway.pid, ...workersOf(set.gateway.pid)]) {
    const [cmdline, status] = [readFileSync(`/proc/${pid}/cmdline`), readFileSync(`/proc/${pid}/stat`)];
    assert.ok(cmdline.length > 0 && status.length > 0);
    assert.equal(cmdline.includes(secret), false);
    // The supervisor's own start had it, as that of a gateway of one process has.
    if (pid !== set.gateway.pid) assert.equal(readFileSync(`/proc/${pid}/environ`).includes(secret), false);
  }
  const log = await readFile(join(set.directory, 'audit.jsonl'), 'utf8');
  assert.equal(log.includes(secret), false);
});

test('a worker that is killed costs its own sessions their streams alone, and comes back; what it left open is in the audit', async () => {
  const { sessions, tunnels } = await sessionsAtBoth();
  for (const link of tunnels) assert.equal(await statusOn(link, 'api'), 200);
  const before = await metric('response_bytes_total');
  const { started } = await admin<OutputOf<'health'>>('GET', '/v1/health');
  for (const link of tunnels) void askOn(link, `http://silent.test:${silentPort()}/`);
  await waitUntil('all exchanges are known to the store', () => openExchanges() === tunnels.length);
  const [victim] = workersOf(set.gateway.pid);
  process.kill(victim!, 'SIGKILL');
  await Promise.race(tunnels.map((link) => link.closed));
  const lost: number[] = [];
  for (const [i, link] of tunnels.entries())
    if ((await statusOn(link, 'api').catch(() => 0)) !== 200) lost.push(i);
  assert.ok(lost.length > 0 && lost.length < tunnels.length, lost.join(' '));
  await waitUntil('it serves again', async () => (await metric('worker_restarts_total')) === 1);
  assert.equal(await metric('workers'), 2);
  assert.ok((await metric('response_bytes_total')) >= before && before > 0);
  const unfinished = async (i: number): Promise<number> =>
    (await eventsOf(sessions[i]!.id)).filter(({ host }) => host === 'silent.test').length;
  const [first] = lost;
  await waitUntil('the event of what broke off is there', async () => (await unfinished(first!)) === 1);
  for (const i of tunnels.keys()) assert.equal(await unfinished(i), lost.includes(i) ? 1 : 0);
  const again = await tunnelOf(sessions[first!]!);
  assert.equal(await statusOn(again, 'api'), 200);
  for (const [i, link] of tunnels.entries())
    if (!lost.includes(i)) assert.equal(await statusOn(link, 'api'), 200);
  // The oldest has the admin API too; the gateway began before the one that has it now.
  assert.equal((await admin<OutputOf<'health'>>('GET', '/v1/health')).started, started);
});

test('what keeps a worker from serving is said once, and ends the gateway with its code', async () => {
  const configFile = join(set.directory, 'broken.yaml');
  await writeFile(
    join(set.directory, 'broken-policy.yaml'),
    'rules: [{ name: one, hosts: [a.test], colour: red }]\n',
  );
  const config = { listen: { port: 0 }, stateDirectory: 'broken', policy: 'broken-policy.yaml', workers: 3 };
  await writeFile(configFile, stringify(config));
  const { code, stderr } = await runCommand(launcher, ['gateway', '--config', configFile]);
  assert.equal(code, 78, stderr);
  assert.equal(stderr.split('\n').filter((line) => line.includes('colour')).length, 1, stderr);
});

test('connections that a worker never took end with it', async () => {
  const workers = workersOf(set.gateway.pid);
  for (const pid of workers) process.kill(pid, 'SIGSTOP');
  const { hostname, port } = new URL(set.gateway.url);
  const clients = Array.from({ length: 8 }, () => connect(Number(port), hostname));
  for (const client of clients) client.on('error', () => undefined).resume();
  await Promise.all(clients.map((client) => once(client, 'connect')));
  // Once the supervisor responds, it has taken what came before.
  assert.equal(await metric('workers'), 2);
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  await waitUntil('all are closed', () => clients.every(({ closed }) => closed));
});

test('workers end with a supervisor that is killed, and what ran is in the audit, on tunnels that were passed on too', async () => {
  await waitUntil('both serve again', async () => (await metric('workers')) === 2);
  const { sessions, tunnels } = await sessionsAtBoth();
  // One of two comes in at the worker that the session is not at: each worker waits for what it passed on to the other.
  const all = [...tunnels];
  for (const session of sessions) all.push(await tunnelOf(session), await tunnelOf(session));
  for (const link of all) void askOn(link, `http://silent.test:${silentPort()}/`);
  await waitUntil('all exchanges are known to the store', () => openExchanges() === all.length);
  const workers = workersOf(set.gateway.pid);
  process.kill(set.gateway.pid, 'SIGKILL');
  await waitUntil('they are gone', () => !workers.some(isRunning));
  // One that ends because it takes too long leaves them open for the next start.
  assert.equal(openExchanges(), 0);
});
