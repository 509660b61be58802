// A gateway with an admin API: real traffic is seen and steered, and a workload of the same user gets nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { OutputOf } from '../../src/api/admin/routes.ts';
import { auditEventSchema } from '../../src/api/audit-event.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared } from '../support/command-process.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';

let set: Deployment;
let agent: AgentProcess;
let connection: https.Agent;
let socket: string;
let token: string;

before(async () => {
  set = await deploy({ rules: [{ name: 'nothing', hosts: ['never.test'] }], config: { admin: {} } });
  socket = join(set.directory, 'state', 'admin', 'admin.sock');
  agent = await set.startAgent();
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  connection = await agentThrough({ relayPort: agent.relayPort, host: 'asked.test', port: 443, ca });
  token = await operator('token', '--name', 'ada', '--role', 'operator', '--for', '1h');
});
after(async () => {
  connection?.destroy();
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
});

async function operator(...args: readonly string[]): Promise<string> {
  return (await mustRunShared(['operator', ...args, '--config', set.configFile])).trim();
}

function ask(method: string, path: string, body?: object, by: string | undefined = token) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const asked = request({
    socketPath: socket,
    method,
    path,
    agent: false,
    headers: {
      ...(by === undefined ? {} : { authorization: `Bearer ${by}` }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
  });
  asked.end(text);
  return once(asked, 'response') as Promise<[IncomingMessage]>;
}

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const [response] = await ask(method, path, body);
  const value = await json(response);
  assert.ok((response.statusCode ?? 500) < 300, JSON.stringify(value));
  // As the schema of the operation says, which other tests hold.
  return value as T;
}

async function denied(path: string): Promise<IncomingMessage> {
  const asked = https.get({ agent: connection, host: 'asked.test', path });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 403);
  return response;
}

test('what a container is refused is seen, followed, explained and granted', async () => {
  const [stream] = await ask('GET', '/v1/exchanges/follow?verdict=deny');
  let followed = '';
  stream.setEncoding('utf8').on('data', (piece: string) => (followed += piece));
  await waitUntil('the stream', () => followed.startsWith(': follows'));
  await denied('/guide');
  await waitUntil('an event', () => followed.includes('\ndata: '));
  const event = auditEventSchema.parse(JSON.parse(/^data: (.*)$/m.exec(followed)?.[1] ?? ''));
  assert.deepEqual([event.verdict, event.host, event.path], ['deny', 'asked.test', '/guide']);
  stream.destroy();

  const page = await call<OutputOf<'exchanges'>>('GET', `/v1/exchanges?trace=${event.traceId}`);
  assert.deepEqual(
    page.items.map(({ id }) => id),
    [event.id],
  );
  const explained = await call<OutputOf<'explainPolicy'>>('POST', '/v1/policy/explain', {
    method: 'GET',
    url: 'https://asked.test/guide',
    session: event.sessionId,
  });
  assert.deepEqual([explained.effect, explained.rule], [event.verdict, event.rule]);

  const wish = { url: 'https://asked.test/guide', method: 'GET', reason: 'a test' };
  const asked = request({
    port: agent.relayPort,
    method: 'POST',
    path: 'http://upstreamproxy.invalid/access',
    headers: { host: 'upstreamproxy.invalid', 'content-type': 'application/json' },
  });
  asked.end(JSON.stringify(wish));
  const [filed] = (await once(asked, 'response')) as [IncomingMessage];
  filed.resume();
  const { items } = await call<OutputOf<'accessRequests'>>('GET', '/v1/access?state=pending');
  assert.equal(items.length, 1);
  const [one] = items;
  assert.equal(one?.reason, 'a test');
  const granted = await call<OutputOf<'grantAccess'>>('POST', `/v1/access/${one?.id}/grant`, { seconds: 60 });
  assert.equal(granted.state, 'granted');
  // In force within a look at the store: then the name is asked for, which there is not.
  let status = 403;
  await waitUntil('the grant', async () => {
    const again = https.get({ agent: connection, host: 'asked.test', path: '/guide' });
    const [response] = (await once(again, 'response')) as [IncomingMessage];
    response.resume();
    status = response.statusCode ?? 0;
    return status !== 403;
  });
  assert.equal(status, 502);
  const events = await set.audit();
  const act = events.find(({ action }) => action === 'access_granted');
  assert.match(JSON.stringify(act?.['details']), /"operator":"ada \(token /);
});

test('a workload of the same user reaches the socket and is told nothing', async () => {
  const program = `
    const http = require('node:http');
    const tries = ['/v1/who', '/v1/exchanges', '/v1/openapi.json', '/v1/tokens'];
    for (const path of tries) http.get({ socketPath: ${JSON.stringify(socket)}, path }, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece));
      response.on('end', () => console.log(path, response.statusCode, /asked\\.test|viewer/.test(text)));
    }).on('error', ({ code }) => console.log(path, code, false));`;
  const options = set.agentOptions(await set.issueToken());
  const run = await runCommand(launcher, ['run', ...options, '--', process.execPath, '-e', program]);
  const lines = run.stdout.trim().split('\n').toSorted();
  assert.equal(lines.length, 4, run.stderr);
  for (const line of lines) assert.match(line, / (?:401|ENOENT|EACCES|ECONNREFUSED|EPERM) false$/);
});

test('a session that is revoked there ends, and a token that is revoked opens nothing', async () => {
  const { items } = await call<OutputOf<'sessions'>>('GET', '/v1/sessions');
  const mine = items.find(({ tunnels }) => tunnels > 0) ?? items[0];
  const revoked = await call<OutputOf<'revokeSession'>>('POST', `/v1/sessions/${mine?.id}/revoke`, {
    reason: 'a test',
  });
  assert.deepEqual([revoked.state, revoked.reason], ['revoked', 'a test']);
  const listed = JSON.parse((await operator('list', '--json')).split('\n')[0] ?? '') as { id: string };
  await operator('revoke', listed.id);
  const [response] = await ask('GET', '/v1/who');
  response.resume();
  assert.equal(response.statusCode, 401);
});

test('without admin in the configuration there is none', async () => {
  await using other = await deploy({ rules: [] });
  socket = join(other.directory, 'state', 'admin', 'admin.sock');
  await assert.rejects(ask('GET', '/v1/who'), { code: 'ENOENT' });
});
