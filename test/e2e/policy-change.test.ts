// A policy that changes under a running gateway, and one on trial: real processes, real clients.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import https from 'node:https';
import http, { type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { stringify } from 'yaml';

import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { endlessOrigin, type EndlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { waitUntil } from '../support/program.ts';
import { agentThrough, tlsThrough } from '../support/proxy-client.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';

const kept = { name: 'kept', hosts: ['kept.test'] };

let authority: TestAuthority;
let origin: EndlessOrigin;
let set: Deployment;
let agent: AgentProcess;
let ca: string;
let metricsUrl: string;
const connections: { destroy(): void }[] = [];

before(async () => {
  authority = createTestAuthority();
  origin = await endlessOrigin(authority);
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  set = await deploy({
    rules: [kept],
    authority,
    config: {
      upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
      metrics: { address: '127.0.0.1', port },
      log: { level: 'info' },
    },
  });
  agent = await set.startAgent();
  ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
});
after(async () => {
  for (const connection of connections) connection.destroy();
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
});

/** Whole or not at all: between the two steps of a plain write the gateway would read an empty file. */
async function writePolicy(policy: unknown): Promise<void> {
  const text = typeof policy === 'string' ? policy : stringify(policy, { aliasDuplicateObjects: false });
  await writeFile(join(set.directory, 'next-policy.yaml'), text);
  await rename(join(set.directory, 'next-policy.yaml'), join(set.directory, 'policy.yaml'));
}

async function request(host: string, path: string, method = 'GET'): Promise<IncomingMessage> {
  const connection = await agentThrough({ relayPort: agent.relayPort, host, port: 443, ca });
  connections.push(connection);
  const sent = https.request({ agent: connection, host, port: 443, path, method });
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function statusOf(host: string, path = '/', method = 'GET'): Promise<number | undefined> {
  const response = await request(host, path, method);
  await text(response);
  return response.statusCode;
}

/** As plain HTTP through the relay. */
async function plainStatusOf(url: string): Promise<number | undefined> {
  const sent = http.get({
    host: '127.0.0.1',
    port: agent.relayPort,
    path: url,
    headers: { host: new URL(url).host },
  });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await text(response);
  return response.statusCode;
}

interface Running {
  readonly ended: Promise<number>;
  readonly bytes: () => number;
}

function watch(stream: IncomingMessage | TLSSocket): Running {
  const { promise, resolve } = Promise.withResolvers<number>();
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  stream.on('error', () => undefined);
  stream.once('close', () => resolve(performance.now()));
  return { ended: promise, bytes: () => bytes };
}

async function download(host: string): Promise<Running> {
  const response = await request(host, '/endless');
  assert.equal(response.statusCode, 200);
  return watch(response);
}

/** `own`: the gateway does not open TLS there, so it is the origin's. */
async function socketTo(host: string, head: string, own: string): Promise<Running> {
  const socket = await tlsThrough({ relayPort: agent.relayPort, host, port: 443, ca: own });
  connections.push(socket);
  const running = watch(socket);
  socket.write(`GET /endless HTTP/1.1\r\nHost: ${host}\r\n${head}\r\n`);
  await waitUntil(`${host} responses`, () => running.bytes() > 0);
  return running;
}

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

async function metric(name: string): Promise<number> {
  const exposition = await (await fetch(metricsUrl)).text();
  return Number(new RegExp(`^upstreamproxy_${name} (.*)$`, 'm').exec(exposition)?.[1]);
}

/** The policy is in force once the gateway says so. */
async function change(policy: unknown): Promise<void> {
  const lines = (): number => set.gateway.log().split('is in force').length;
  const before = lines();
  await writePolicy(policy);
  await waitUntil('the policy is in force', () => lines() > before);
}

test('what a changed policy no longer allows ends: a download, a WebSocket, raw TCP, passthrough', async (context) => {
  await change({
    rules: [
      kept,
      { name: 'gone', hosts: ['gone.test'] },
      { name: 'raw', hosts: ['raw.test'], scheme: 'tcp', ports: 443 },
      { name: 'closed', hosts: ['closed.test'], tls: 'passthrough' },
    ],
  });
  const stays = await download('kept.test');
  const ending = {
    download: await download('gone.test'),
    webSocket: await socketTo('gone.test', upgrade, ca),
    raw: await socketTo('raw.test', '', authority.caPem),
    passthrough: await socketTo('closed.test', '', authority.caPem),
  };
  const changedMs = performance.now();
  await writePolicy({ rules: [kept] });
  for (const [name, { ended }] of Object.entries(ending)) {
    const took = Math.round((await ended) - changedMs);
    context.diagnostic(`${name} ended ${took} ms after the file was written`);
  }
  assert.equal(await statusOf('gone.test'), 403);
  const seen = stays.bytes();
  await waitUntil('the download that is still allowed goes on', () => stays.bytes() > seen);
  const events = (await set.audit()).filter(({ errorCode }) => errorCode === 'policy_denied');
  assert.ok(events.some(({ message }) => /policy changed/.test(String(message))));
});

test('a download by a rule that expires ends with it, though no file changes', async () => {
  const expires = new Date(Date.now() + 4000).toISOString();
  await change({ rules: [kept, { name: 'gone', hosts: ['gone.test'], expires }] });
  const { ended } = await download('gone.test');
  await ended;
  assert.equal(await statusOf('gone.test'), 403);
  const [event] = (await set.audit()).filter(({ errorCode }) => errorCode === 'policy_denied').slice(-2);
  assert.deepEqual([event?.['path'], event?.['rule']], ['/endless', 'gone']);
});

test('a policy that cannot be taken leaves the last good one, and its age is told', async () => {
  await change({ rules: [kept, { name: 'more', hosts: ['more.test'] }] });
  assert.equal(await metric('policy_stale_seconds'), 0);
  await writePolicy('rules: [{ name: kept, hosts: kept.test, metods: GET }]\n');
  await waitUntil('the gateway says what stays in force', () =>
    /policy\.yaml:1:\d+: error: .*metods[^]*policy [0-9a-f]{12}, \d+ s old, stays in force/.test(
      set.gateway.log(),
    ),
  );
  assert.ok((await metric('policy_stale_seconds')) > 0);
  assert.ok((await metric('policy_age_seconds')) > 0);
  assert.equal(await statusOf('more.test'), 200);
  await change({ rules: [kept] });
  assert.equal(await metric('policy_stale_seconds'), 0);
  assert.equal(await statusOf('more.test'), 403);
});

test('a file on trial lets through what it would deny and records it; the address guard stays on', async () => {
  await change({
    mode: 'observe',
    rules: [kept, { name: 'no-delete', hosts: ['kept.test'], methods: ['DELETE'], deny: true }],
  });
  assert.equal(await statusOf('other.test', '/unlisted'), 200);
  assert.equal(await statusOf('kept.test', '/by-rule', 'DELETE'), 200);
  assert.equal(await plainStatusOf('http://127.0.0.1/guarded'), 403);
  const events = await set.audit();
  const of = (path: string) => events.find((event) => event['path'] === path) ?? {};
  assert.deepEqual(
    [of('/unlisted')['verdict'], of('/unlisted')['rule'], of('/unlisted')['observed']],
    ['allow', 'observe', 'default-deny'],
  );
  assert.deepEqual(
    [of('/by-rule')['verdict'], of('/by-rule')['rule'], of('/by-rule')['observed']],
    ['allow', 'kept', 'no-delete'],
  );
  assert.deepEqual([of('/guarded')['verdict'], of('/guarded')['errorCode']], ['deny', 'address_denied']);
});

test('a rule on trial lets through for its hosts alone what only its methods and paths keep out', async () => {
  await change({
    rules: [
      { name: 'trial', hosts: ['trial.test'], methods: ['GET'], paths: ['/listed'], mode: 'observe' },
      { name: 'firm', hosts: ['firm.test'], methods: ['GET'] },
      { name: 'no-put', hosts: ['firm.test'], paths: ['/sensitive'], deny: true, mode: 'observe' },
    ],
  });
  assert.equal(await statusOf('trial.test', '/trial-post', 'POST'), 200);
  assert.equal(await statusOf('firm.test', '/firm-post', 'POST'), 403);
  assert.equal(await statusOf('firm.test', '/sensitive'), 200);
  assert.equal(await statusOf('other.test', '/elsewhere'), 403);
  const events = await set.audit();
  const observed = (path: string): unknown => events.find((event) => event['path'] === path)?.['observed'];
  assert.deepEqual(['/trial-post', '/firm-post', '/sensitive', '/elsewhere'].map(observed), [
    'default-deny',
    undefined,
    'no-put',
    undefined,
  ]);
});
