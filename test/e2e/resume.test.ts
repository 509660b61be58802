// A connection between agent and gateway that breaks again and again ends no stream: real processes, a relay between them that cuts.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import { WebSocket, WebSocketServer } from 'ws';

import { cuttingRelay, type CuttingRelay } from '../support/cutting-relay.ts';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { patternHash, patternPieces, patternStream } from '../support/pattern-bytes.ts';
import { agentThrough, requestThrough, tlsThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const bodyBytes = Number(process.env['RESUME_BODY_BYTES'] ?? 2_000_000);
const cutBytes = Number(process.env['RESUME_CUT_BYTES'] ?? 900_000);
const words = 12;
/** Connections that find nobody, one after another. */
const turnedAway = Number(process.env['RESUME_TURNED_AWAY'] ?? 3);
const halfway = new EventEmitter();

let relay: CuttingRelay;
let set: Deployment;
let origin: TestOrigin;

interface TestOrigin extends AsyncDisposable {
  readonly port: number;
  /** Lets the next event of each event stream go. */
  next(): void;
}

/** `/down`: a pattern; `/up`: its hash; `/events`: an event with each `next`; WebSocket: an echo. */
async function testOrigin(authority: ReturnType<typeof createTestAuthority>): Promise<TestOrigin> {
  const streams = new Set<() => void>();
  const server = createServer({ ...authority.issue('api.test') }, (request, response) => {
    if (request.url === '/down') {
      response.writeHead(200, { 'content-length': bodyBytes });
      return void patternStream(bodyBytes, 3).pipe(response);
    }
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let left = words;
      streams.add(() => {
        if (left === 0) return;
        left -= 1;
        response.write('data: word\n\n');
        if (left === 0) response.end();
      });
      return void response.write(': begins\n\n');
    }
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    next: () => {
      for (const next of streams) next();
    },
    [Symbol.asyncDispose]: async () => {
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

before(async () => {
  const authority = createTestAuthority();
  origin = await testOrigin(authority);
  relay = await cuttingRelay();
  const rule = { name: 'api', hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  set = await deploy({
    rules: [rule],
    hosts: { 'api.test': '127.0.0.1' },
    authority,
    // Half of the connections come in at the worker that does not have the session, and go through the passage to the one that does.
    config: { workers: 2, publicOrigins: [`https://127.0.0.1:${relay.port}`] },
  });
  relay.leadTo(Number(new URL(set.gateway.url).port));
});
after(async () => {
  await set?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
});

async function download(target: ProxyTarget): Promise<void> {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path: '/down' });
  const hash = createHash('sha256');
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
  client.destroy();
  assert.equal(hash.digest('hex'), patternHash(bodyBytes, 3));
}

async function upload(target: ProxyTarget): Promise<void> {
  const client = await agentThrough(target);
  const body = patternPieces(bodyBytes, 5) as unknown as AsyncIterable<Uint8Array>;
  const response = await requestThrough(client, target, { method: 'POST', path: '/up', body });
  assert.equal(await textOf(response), patternHash(bodyBytes, 5));
  client.destroy();
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString('latin1');
  return text;
}

/** Word by word, so that there is a conversation whenever the connection breaks. */
async function talk(target: ProxyTarget): Promise<void> {
  const socket = await tlsThrough(target);
  const client = new WebSocket('ws://api.test/', { createConnection: () => socket });
  client.on('error', () => undefined);
  await once(client, 'open');
  for (let word = 0; word < words; word += 1) {
    client.send(`word ${word}`);
    const [data] = (await once(client, 'message')) as [Buffer];
    assert.equal(data.toString(), `word ${word}`);
  }
  client.close();
  await once(client, 'close');
}

async function listen(target: ProxyTarget): Promise<void> {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path: '/events' });
  let events = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    events += chunk.toString('latin1').split('data: word').length - 1;
    if (events === words / 2) halfway.emit('event');
    origin.next();
  }
  client.destroy();
  assert.equal(events, words);
}

async function targetOf(agent: AgentProcess): Promise<ProxyTarget> {
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  return { relayPort: agent.relayPort, host: 'api.test', port: origin.port, ca };
}

for (const runtime of ['node', 'bun'] as const) {
  describe(`an agent under ${runtime} whose connection breaks`, () => {
    let agent: AgentProcess;
    let target: ProxyTarget;

    before(async () => {
      agent = await set.startAgent({ runtime, gatewayUrl: `https://127.0.0.1:${relay.port}` });
      target = await targetOf(agent);
    });
    after(async () => {
      relay.cutEvery(0);
      await agent?.[Symbol.asyncDispose]();
    });

    test('loses nothing of uploads, downloads, events and WebSockets, however often, and not while the gateway is away', async () => {
      const before = relay.cuts;
      relay.cutEvery(cutBytes);
      const away = once(halfway, 'event').then(() => relay.cut(turnedAway));
      await Promise.all([download(target), upload(target), talk(target), listen(target), away]);
      assert.ok(relay.cuts - before >= 3, `${relay.cuts - before} cuts`);
      assert.equal(relay.turnedAway, 0);
    });
  });
}

test('each exchange has one event, and none failed', async () => {
  const events = (await set.audit()).filter(({ kind }) => kind === 'exchange');
  const failed = events.filter(({ errorCode, status }) => errorCode !== undefined || Number(status) >= 400);
  assert.deepEqual(failed, []);
  for (const asked of ['/up', '/down', '/events', '/'])
    assert.equal(events.filter(({ path }) => path === asked).length, 2, asked);
  assert.equal((await set.audit()).filter(({ kind }) => kind === 'alarm').length, 0);
});

test('the clocks of what comes through a tunnel stand while it has no connection', async () => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const far = stack.use(await testOrigin(authority));
  const between = stack.use(await cuttingRelay());
  const limitMs = 2000;
  const deployed = stack.use(
    await deploy({
      rules: [{ name: 'api', hosts: ['api.test'], ports: [far.port], addresses: ['127.0.0.1/32'] }],
      hosts: { 'api.test': '127.0.0.1' },
      authority,
      config: {
        publicOrigins: [`https://127.0.0.1:${between.port}`],
        limits: { headTimeoutMs: limitMs, idleTimeoutMs: limitMs, webSocketIdleTimeoutMs: limitMs },
      },
    }),
  );
  between.leadTo(Number(new URL(deployed.gateway.url).port));
  const agent = stack.use(await deployed.startAgent({ gatewayUrl: `https://127.0.0.1:${between.port}` }));
  const target = { ...(await targetOf(agent)), port: far.port };
  const [late, lateBody] = [await tlsThrough(target), await tlsThrough(target)];
  const talking = await tlsThrough(target);
  const webSocket = new WebSocket('ws://api.test/', { createConnection: () => talking });
  webSocket.on('error', () => undefined);
  await once(webSocket, 'open');
  const head = `POST /up HTTP/1.1\r\nHost: api.test:${far.port}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`;
  late.write(head.slice(0, 20));
  lateBody.write(`${head}hal`);
  webSocket.send('before');
  assert.equal(String((await once(webSocket, 'message'))[0]), 'before');
  between.cut(Number.POSITIVE_INFINITY);
  const untilMs = performance.now() + 1.5 * limitMs;
  await waitUntil('all would be late', () => performance.now() > untilMs);
  between.cut(0);
  webSocket.send('behind');
  const ended = once(webSocket, 'close').then(() => assert.fail('the WebSocket ended'));
  assert.equal(String((await Promise.race([once(webSocket, 'message'), ended]))[0]), 'behind');
  // The test closes it, too.
  ended.catch(() => undefined);
  late.write(`${head.slice(20)}half`);
  lateBody.write('f');
  for (const socket of [late, lateBody]) {
    const said = await text(socket);
    assert.match(said, /^HTTP\/1\.1 200 /);
  }
  webSocket.close();
  const failed = (await deployed.audit()).filter(({ errorCode }) => errorCode !== undefined);
  assert.deepEqual(failed, []);
});
