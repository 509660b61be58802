// Sessions and access as an operator sees them: real gateway and agent processes, and commands beside them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { json, text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { endlessOrigin, type EndlessOrigin } from '../support/endless-origin.ts';
import { patienceMs } from '../support/patience.ts';
import { waitUntil } from '../support/program.ts';
import { agentThrough, tlsThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

let origin: EndlessOrigin;
let set: Deployment;
let agent: AgentProcess;
const connections: https.Agent[] = [];

before(async () => {
  const authority = createTestAuthority();
  origin = await endlessOrigin(authority);
  set = await deploy({
    rules: [
      { name: 'open', hosts: ['open.test'] },
      { name: 'never', hosts: ['asked.test'], paths: ['/admin'], deny: 'The administration is closed.' },
    ],
    authority,
    config: { upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } } },
  });
  agent = await set.startAgent();
});
after(async () => {
  for (const connection of connections) connection.destroy();
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
});

/** A client of the session: the root of another one is not its root where TLS of clients ends in the agent. */
const targetOf = async (host: string, of: AgentProcess = agent): Promise<ProxyTarget> => ({
  relayPort: of.relayPort,
  host,
  port: 443,
  ca: await readFile(of.env['SSL_CERT_FILE'] ?? '', 'utf8'),
});

async function get(host: string, path: string, of = agent): Promise<IncomingMessage> {
  const target = await targetOf(host, of);
  const connection = await agentThrough(target);
  connections.push(connection);
  const request = https.get({ agent: connection, host, port: target.port, path });
  // Of a response that breaks off the end is what counts.
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** A running download: resolves when it breaks off. Gives the time of it. */
async function download(host: string, of = agent): Promise<{ readonly ended: Promise<number> }> {
  const response = await get(host, '/endless', of);
  assert.equal(response.statusCode, 200);
  await once(response, 'data');
  response.resume();
  return { ended: endOf(response) };
}

async function webSocket(host: string, of = agent): Promise<{ readonly ended: Promise<number> }> {
  const socket: TLSSocket = await tlsThrough(await targetOf(host, of));
  socket.write(
    `GET /endless HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 /);
  socket.resume();
  return { ended: endOf(socket) };
}

function endOf(stream: IncomingMessage | TLSSocket): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  stream.on('error', () => undefined);
  stream.once('close', () => resolve(performance.now()));
  return promise;
}

const control = (...args: readonly string[]): Promise<string> =>
  mustRunShared([...args, '--config', set.configFile]);

/** A request to the gateway's own name, as plain HTTP through the relay. */
async function ask(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number | undefined; readonly response: Record<string, unknown> }> {
  const url = path.startsWith('http') ? path : `http://upstreamproxy.invalid${path}`;
  const request = http.request({
    host: '127.0.0.1',
    port: agent.relayPort,
    method,
    path: url,
    headers: { host: 'upstreamproxy.invalid', accept: 'application/json' },
  });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode, response: (await json(response)) as Record<string, unknown> };
}

/** The moment at which a stream ended that has no end of its own. */
async function momentOf(ended: Promise<number>): Promise<number> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('it goes on')), patienceMs);
  try {
    return await Promise.race([ended, promise]);
  } finally {
    clearTimeout(timer);
  }
}

test('a revoked session is listed with its tunnel, and loses its download and its WebSocket', async (context) => {
  await using doomed = await set.startAgent();
  const streams = await Promise.all([download('open.test', doomed), webSocket('open.test', doomed)]);
  let row: Record<string, unknown> = {};
  await waitUntil('the new session has a tunnel in the list', async () => {
    const [first = '{}'] = (await control('session', 'list', '--json')).split('\n');
    row = JSON.parse(first) as Record<string, unknown>;
    return row['tunnels'] === 1;
  });
  assert.match(String(row['principal']), /\|test$/);
  assert.equal(row['state'], 'committed');
  assert.match(String(row['policy']), /^[0-9a-f]{12}$/);
  for (const time of ['created', 'lastSeen', 'expires']) assert.ok(Date.parse(String(row[time])) > 0, time);
  const id = String(row['id']);
  const table = await control('session', 'list');
  assert.match(table, new RegExp(`^id +principal .*\n${id} `));

  const revoking = control('session', 'revoke', id, '--reason', 'it was stolen').then(() =>
    performance.now(),
  );
  const ends = await Promise.all(streams.map(({ ended }) => momentOf(ended)));
  const revokedMs = await revoking;
  // How soon is a matter of `watchIntervalMs` and of the machine.
  for (const endMs of ends)
    context.diagnostic(`a stream ended ${Math.round(endMs - revokedMs)} ms after the command`);
  await waitUntil('the agent says that it was revoked', () => /session_revoked/.test(doomed.said()));
  assert.match(doomed.said(), /it was stolen/);
  assert.doesNotMatch(doomed.said(), /connecting again/, 'it was told, and did not have to ask');
  const events = (await set.audit()).filter((event) => event['action'] === 'revoked');
  assert.equal(events.length, 1);
  assert.equal(events[0]?.['sessionId'], id);
  assert.match(String(events[0]?.['message']), /it was stolen/);
  // The other session of the same gateway is as it was.
  assert.equal(await text(await get('open.test', '/')), 'hello\n');
  const again = await runShared(['session', 'revoke', id, '--config', set.configFile]);
  assert.equal(again.code, 77);
  assert.match(again.stderr, /the session is over: it was stolen/);
});

test('a denial names the way to ask; a grant opens that one request and nothing beside it, and ends', async () => {
  const denied = await get('asked.test', '/hello');
  assert.equal(denied.statusCode, 403);
  const told = await text(denied);
  const [, url = '', body = '{}'] = /^ask: POST (\S+) (\{.*\})$/m.exec(told) ?? [];
  const { status, response } = await ask('POST', url, {
    ...(JSON.parse(body) as object),
    reason: 'the build reads this file',
  });
  assert.equal(status, 202, JSON.stringify(response));
  assert.equal(response['status'], 'pending');
  assert.match(String(response['message']), /stays refused until/);
  const id = String(response['id']);
  assert.equal((await get('asked.test', '/hello')).statusCode, 403);

  assert.match(
    await control('access', 'list'),
    new RegExp(`^${id} +pending .*GET https://asked.test/hello .*the build`, 'm'),
  );
  assert.match(await control('access', 'grant', id, '--for', '15m', '--note', 'fine'), /^granted/);
  await waitUntil(
    'the grant opens the request',
    async () => (await get('asked.test', '/hello')).statusCode === 200,
  );
  for (const path of ['/other', '/hello/more', '/admin'])
    assert.equal((await get('asked.test', path)).statusCode, 403, path);
  const state = await ask('GET', `/access/${id}`);
  assert.equal(state.response['status'], 'granted');
  assert.equal(state.response['note'], 'fine');

  await control('access', 'revoke', id);
  // A request that runs at the moment in which the grant ends is cut off with it.
  const statusNow = (): Promise<number | undefined> =>
    get('asked.test', '/hello').then(
      ({ statusCode }) => statusCode,
      () => undefined,
    );
  await waitUntil('the grant is gone', async () => (await statusNow()) === 403);
  const events = await set.audit();
  const used = events.find((event) => event['rule'] === `access-grant:${id}`);
  assert.equal(used?.['verdict'], 'allow');
  const actions = new Set(events.map((event) => event['action']));
  for (const action of ['access_requested', 'access_granted', 'access_revoked'])
    assert.ok(actions.has(action), action);
});

test('a download and a WebSocket that live on a grant end with it, and not before', async (context) => {
  const asked = await ask('POST', '/access', { host: 'live.test', reason: 'a long test' });
  const id = String(asked.response['id']);
  // Long enough for a busy machine to start two commands in.
  await control('access', 'grant', id, '--for', '15s', '--scope', 'host');
  const record = JSON.parse((await control('access', 'list', '--json')).split('\n')[0] ?? '{}') as {
    terms: { endsMs: number };
  };
  await waitUntil('the grant opens the host', async () => (await get('live.test', '/')).statusCode === 200);
  const streams = await Promise.all([download('live.test'), webSocket('live.test')]);
  const ends = await Promise.all(streams.map(({ ended }) => momentOf(ended)));
  for (const endMs of ends) {
    const afterMs = performance.timeOrigin + endMs - record.terms.endsMs;
    context.diagnostic(`a stream ended ${Math.round(afterMs)} ms after the grant`);
    assert.ok(afterMs > -50, String(afterMs));
  }
  await waitUntil('the end of the grant is in the audit', async () =>
    (await set.audit()).some(
      (event) => event['action'] === 'access_ended' && event['sessionId'] !== undefined,
    ),
  );
});

test('what a rule refuses, and what is open already, is said at once and not left with anybody', async () => {
  const refused = await ask('POST', '/access', {
    url: 'https://asked.test/admin',
    method: 'GET',
    reason: 'x',
  });
  assert.equal(refused.status, 403);
  assert.equal(refused.response['status'], 'refused');
  const open = await ask('POST', '/access', { url: 'https://open.test/', method: 'GET', reason: 'x' });
  assert.equal(open.response['status'], 'allowed');
  assert.doesNotMatch(await control('access', 'list', '--all'), /open\.test|\/admin/);
});

test('the gateway responds to its own name over https too, and dials nothing for it', async () => {
  const before = origin.requests.length;
  const response = await get('upstreamproxy.invalid', '/');
  assert.equal(response.statusCode, 200);
  assert.match(await text(response), /To ask for access/);
  assert.equal(origin.requests.length, before);
});

test('commands refuse what they cannot do, and say why', async () => {
  const asked = await ask('POST', '/access', { host: 'other.test', reason: 'x' });
  const id = String(asked.response['id']);
  const refusals: readonly [args: readonly string[], message: RegExp][] = [
    [['access', 'grant', id], /for how long/],
    [['access', 'grant', id, '--for', 'soon'], /takes a duration/],
    [['access', 'grant', id, '--for', '2d'], /at most 86400s/],
    [['access', 'grant', id, '--for', '1m', '--scope', 'path'], /asks for all of other\.test/],
    [['access', 'grant', 'unknown', '--for', '1m'], /there is no request/],
    [['access', 'revoke', id], /is pending and cannot be revoked/],
    [['access'], /what about access/],
    [['session', 'revoke', 'unknown'], /there is no such session/],
    [['session', 'stop'], /what about sessions/],
  ];
  await Promise.all(
    refusals.map(async ([args, message]) => {
      const { code, stderr } = await runShared([...args, '--config', set.configFile]);
      assert.notEqual(code, 0, args.join(' '));
      assert.match(stderr, message);
    }),
  );
  assert.match(await control('access', 'deny', id, '--note', 'not today'), /^denied/);
  const { response } = await ask('GET', `/access/${id}`);
  assert.deepEqual([response['status'], response['note']], ['denied', 'not today']);
});
