// A thousand uploads of one session that no origin reads: what the gateway holds of them is bounded, and a neighbour is served.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  connect as connectHttp2,
  createSecureServer as createHttp2Server,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { defaultLimits } from '../../src/protocol/limits.ts';
import { deploy, type AgentProcess } from '../support/deployment.ts';
import { residentBytes } from '../support/program.ts';
import { agentThrough, connectThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const connections = 10;
const uploadsPerConnection = 100;
const uploadBytes = 1024 ** 2;
/** What the session may have held, and as much again for 1,000 requests, their TLS, and the garbage between two collections. */
const growthBytesMax = 3 * 128 * 1024 ** 2;
const uploads = connections * uploadsPerConnection;
const { heldOctetsPerSessionMax, http2WindowBytes, requestBodyAheadBytes } = defaultLimits;
/** The others have no room. */
const admitted = Math.floor(heldOctetsPerSessionMax / (http2WindowBytes + requestBodyAheadBytes));
/** For what is to be refused of the connections so far. */
const floodTimeoutMs = 100_000;
/** Responses to a neighbour behind the last refusal, in which what is still on its way comes. */
const quietResponses = 20;

/** Responds to GET at once; of a POST it reads nothing. */
async function unreadingOrigin(authority: ReturnType<typeof createTestAuthority>): Promise<{
  readonly port: number;
  readonly close: () => void;
}> {
  const server = createServer(authority.issue('held.test'), (request, response) => {
    if (request.method === 'GET') response.end('hello\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A TCP server's address is an object.
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface Flood {
  /** Uploads that have a response. */
  refused(): number;
  readonly statuses: ReadonlyMap<number, number>;
  readonly problems: ReadonlySet<string>;
  close(): void;
}

async function http2Through(target: ProxyTarget): Promise<ClientHttp2Session> {
  const socket = await connectThrough(target);
  const tls = connectTls({ socket, servername: target.host, ca: target.ca, ALPNProtocols: ['h2'] });
  await once(tls, 'secureConnect');
  const session = connectHttp2(`https://${target.host}:${target.port}`, {
    createConnection: () => tls,
    // Of this client, which keeps all that it has to send; with less it takes no response.
    maxSessionMemory: 2 * uploadsPerConnection,
  });
  return session.on('error', () => undefined);
}

/** `isServed`: asks for a neighbour, which has to be served while this fills up. */
async function openFlood(target: ProxyTarget, isServed: () => Promise<void>): Promise<Flood> {
  const body = Buffer.alloc(uploadBytes);
  const statuses = new Map<number, number>();
  const problems = new Set<string>();
  const sessions: ClientHttp2Session[] = [];
  const refused = (): number => [...statuses.values()].reduce((sum, count) => sum + count, 0);
  for (let i = 0; i < connections; i += 1) {
    // What is kept of refusals until the agent has acknowledged it takes room of the same budget, beyond a tunnel's own part: with those of
    // all connections at once it would be chance whether the last upload that has room gets it.
    const deadline = performance.now() + floodTimeoutMs;
    while (refused() < i * uploadsPerConnection - admitted) {
      assert.ok(performance.now() < deadline, `${refused()} refused of ${i * uploadsPerConnection}`);
      await isServed();
    }
    const session = await http2Through(target);
    sessions.push(session);
    for (let n = 0; n < uploadsPerConnection; n += 1) {
      const stream: ClientHttp2Stream = session.request({ ':method': 'POST', ':path': '/held' });
      stream.on('error', () => undefined);
      stream.on('response', (head) => {
        const status = Number(head[':status']);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        void text(stream).then(
          (said) => problems.add(/\((\w+Max)\)/.exec(said)?.[1] ?? said),
          () => undefined,
        );
      });
      stream.write(body);
    }
  }
  return {
    refused,
    statuses,
    problems,
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

async function targetOf(agent: AgentProcess, port: number): Promise<ProxyTarget> {
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  return { relayPort: agent.relayPort, host: 'held.test', port, ca };
}

test(
  'a thousand uploads over HTTP/2 that no origin reads are held within the budget of their session, and a neighbour is served',
  { timeout: 170_000 },
  async () => {
    const authority = createTestAuthority();
    const origin = await unreadingOrigin(authority);
    using _ = { [Symbol.dispose]: origin.close };
    const rule = { name: 'held', hosts: ['held.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
    await using set = await deploy({ rules: [rule], hosts: { 'held.test': '127.0.0.1' }, authority });
    await using attacker = await set.startAgent();
    await using neighbour = await set.startAgent();
    const beside = await targetOf(neighbour, origin.port);
    await using ends = new AsyncDisposableStack();
    const client = ends.adopt(await agentThrough(beside), (one) => one.destroy());
    const isServed = async (): Promise<void> =>
      assert.equal(await text(await requestThrough(client, beside, { path: '/hello' })), 'hello\n');
    await isServed();
    const before = await residentBytes(set.gateway.pid);
    const flood = ends.adopt(await openFlood(await targetOf(attacker, origin.port), isServed), (one) =>
      one.close(),
    );
    // The neighbour is served all the while, and once more when all that is to be refused was.
    const deadline = performance.now() + floodTimeoutMs;
    while (flood.refused() < uploads - admitted && performance.now() < deadline) await isServed();
    for (let i = 0; i < quietResponses; i += 1) await isServed();
    const growth = (await residentBytes(set.gateway.pid)).peak - before.now;
    const facts = `gateway +${Math.round(growth / 1024 ** 2)} MiB, statuses ${JSON.stringify([...flood.statuses])}`;
    console.log(facts);
    assert.ok(growth < growthBytesMax, facts);
    assert.deepEqual([...flood.statuses], [[429, uploads - admitted]], facts);
    assert.deepEqual([...flood.problems], ['heldOctetsPerSessionMax']);
  },
);

const downloads = 400;
/** Half of what the session may have held for wide windows, 64 KiB more for each response, and as much again. */
const downloadGrowthBytesMax = 256 * 1024 ** 2;

test(
  'responses over HTTP/2 that no client reads are held within the budget of their session, and a neighbour is served',
  { timeout: 170_000 },
  async () => {
    const authority = createTestAuthority();
    await using ends = new AsyncDisposableStack();
    let sentBytes = 0;
    const piece = Buffer.alloc(64 * 1024);
    const server = createHttp2Server(authority.issue('held.test'), (request, response) => {
      if (request.url === '/hello') response.end('hello\n');
      else {
        const send = (): void => {
          while (!response.destroyed) {
            sentBytes += piece.length;
            if (!response.write(piece)) return;
          }
        };
        response.on('drain', send);
        send();
      }
    });
    server.listen(0, '127.0.0.1');
    ends.defer(() => void server.close());
    await once(server, 'listening');
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo;
    const rule = { name: 'held', hosts: ['held.test'], ports: [port], addresses: ['127.0.0.1/32'] };
    const set = ends.use(await deploy({ rules: [rule], hosts: { 'held.test': '127.0.0.1' }, authority }));
    const attacker = await targetOf(ends.use(await set.startAgent()), port);
    const beside = await targetOf(ends.use(await set.startAgent()), port);
    const neighbour = ends.adopt(await http2Through(beside), (one) => one.destroy());
    const isServed = async (): Promise<void> =>
      assert.equal(await text(neighbour.request({ ':path': '/hello' })), 'hello\n');
    await isServed();
    const before = await residentBytes(set.gateway.pid);
    let heads = 0;
    for (let i = 0; i < downloads / uploadsPerConnection; i += 1) {
      const session = ends.adopt(await http2Through(attacker), (one) => one.destroy());
      for (let n = 0; n < uploadsPerConnection; n += 1)
        session
          .request({ ':path': '/endless' })
          .on('error', () => undefined)
          .on('response', () => (heads += 1));
    }
    const deadline = performance.now() + 100_000;
    let last = -1;
    for (let quiet = 0; quiet < quietResponses && performance.now() < deadline; quiet += 1) {
      await isServed();
      if (sentBytes !== last || heads < downloads) quiet = 0;
      last = sentBytes;
    }
    const growth = (await residentBytes(set.gateway.pid)).peak - before.now;
    const facts = `gateway +${Math.round(growth / 1024 ** 2)} MiB, the origin sent ${Math.round(sentBytes / 1024 ** 2)} MiB for ${heads} responses`;
    console.log(facts);
    assert.equal(heads, downloads, facts);
    assert.ok(growth < downloadGrowthBytesMax, facts);
  },
);
