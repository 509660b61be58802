// A thousand uploads of one session that no origin reads: what the gateway holds of them is bounded, and a neighbour is served.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
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

async function openFlood(target: ProxyTarget): Promise<Flood> {
  const body = Buffer.alloc(uploadBytes);
  const statuses = new Map<number, number>();
  const problems = new Set<string>();
  const sessions: ClientHttp2Session[] = [];
  for (let i = 0; i < connections; i += 1) {
    const socket = await connectThrough(target);
    const tls = connectTls({ socket, servername: target.host, ca: target.ca, ALPNProtocols: ['h2'] });
    await once(tls, 'secureConnect');
    const session = connectHttp2(`https://${target.host}:${target.port}`, {
      createConnection: () => tls,
      // Of this client, which keeps all that it has to send; with less it takes no response.
      maxSessionMemory: 2 * uploadsPerConnection,
    });
    session.on('error', () => undefined);
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
    refused: () => [...statuses.values()].reduce((sum, count) => sum + count, 0),
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
    const flood = ends.adopt(await openFlood(await targetOf(attacker, origin.port)), (one) => one.close());
    // The neighbour is served all the while, and once more when all that is to be refused was.
    const deadline = performance.now() + 100_000;
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
