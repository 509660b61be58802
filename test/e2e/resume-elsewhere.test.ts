// A connection that breaks again and again, and each time comes back to the other of two gateways: it is led to the one that has the tunnel.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https, { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import type { AgentProcess } from '../support/deployment.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { patternHash, patternPieces, patternStream } from '../support/pattern-bytes.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { isRunning, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const streams = Number(process.env['RESUME_STREAMS'] ?? 20);
const bodyBytes = Number(process.env['RESUME_BODY_BYTES'] ?? 1_000_000);
const cutBytes = Number(process.env['RESUME_CUT_BYTES'] ?? 4_000_000);

for (const workers of [1, 2])
  describe(`two gateways of ${workers} workers each`, { skip }, () => {
    const stack = new AsyncDisposableStack();
    let pair: GatewayPair;
    let agent: AgentProcess;
    let target: ProxyTarget;

    before(async () => {
      const authority = createTestAuthority();
      const origin = createServer(authority.issue('api.test'), (request, response) => {
        if (request.url === '/endless') return void response.write('begins');
        if (request.method === 'GET') {
          response.writeHead(200, { 'content-length': bodyBytes });
          return void patternStream(bodyBytes, 3).pipe(response);
        }
        const hash = createHash('sha256');
        request.on('data', (chunk: Buffer) => hash.update(chunk));
        request.on('end', () => response.end(hash.digest('hex')));
      });
      stack.defer(() => {
        origin.closeAllConnections();
        origin.close();
      });
      origin.listen(0, '127.0.0.1');
      await once(origin, 'listening');
      // A server that listens on a port has an AddressInfo.
      const { port } = origin.address() as AddressInfo;
      const rule = { name: 'api', hosts: ['api.test'], ports: [port], addresses: ['127.0.0.1/32'] };
      pair = stack.use(
        await gatewayPair({
          rules: [rule],
          hosts: { 'api.test': '127.0.0.1' },
          authority,
          config: { workers, peers: { listen: { address: '127.0.0.1', port: 0 } } },
        }),
      );
      agent = stack.use(await pair.set.startAgent({ gatewayUrl: pair.balancerUrl }));
      const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
      target = { relayPort: agent.relayPort, host: 'api.test', port, ca };
    });
    after(() => stack.disposeAsync());

    const download = async (client: https.Agent): Promise<void> => {
      const response = await requestThrough(client, target, { path: '/down' });
      const hash = createHash('sha256');
      for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
      client.destroy();
      assert.equal(hash.digest('hex'), patternHash(bodyBytes, 3));
    };
    const upload = async (client: https.Agent): Promise<void> => {
      const body = patternPieces(bodyBytes, 5) as unknown as AsyncIterable<Uint8Array>;
      const response = await requestThrough(client, target, { method: 'POST', path: '/up', body });
      assert.equal(await text(response), patternHash(bodyBytes, 5));
      client.destroy();
    };

    test(`${streams} streams lose nothing, wherever each connection comes back`, async () => {
      const { balancer, set, other } = pair;
      const [first, second] = [pair.portOf(set.gateway), pair.portOf(other)];
      balancer.leadTo(first, second);
      const before = { cuts: balancer.cuts, first: balancer.ledTo(first), second: balancer.ledTo(second) };
      const clients = await Promise.all(Array.from({ length: streams }, () => agentThrough(target)));
      balancer.cutEvery(cutBytes);
      await Promise.all(clients.map((client, i) => (i % 2 === 0 ? download(client) : upload(client))));
      balancer.cutEvery(0);
      assert.ok(balancer.cuts - before.cuts >= 3, `${balancer.cuts - before.cuts} cuts`);
      assert.ok(balancer.ledTo(first) > before.first && balancer.ledTo(second) > before.second);
      const events = (await set.audit()).filter(({ kind }) => kind === 'exchange');
      assert.deepEqual(
        events.filter(({ status, errorCode }) => status !== 200 || errorCode !== undefined),
        [],
      );
      assert.equal(events.length, streams);
      assert.equal((await set.audit()).filter(({ kind }) => kind === 'alarm').length, 0);
    });

    test('the streams of a gateway that is gone end soon, proven by its lease, and the session goes on', async () => {
      const { balancer, set, other } = pair;
      // All that is new is at the first gateway, and stays there until it is killed.
      pair.moveTo(set.gateway);
      const client = await agentThrough(target);
      const request = https.get({ agent: client, host: target.host, port: target.port, path: '/endless' });
      // A response that breaks is told of by both.
      request.on('error', () => undefined);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response, 'data');
      const broken = once(response, 'error');
      balancer.leadTo(pair.portOf(other));
      process.kill(set.gateway.pid, 'SIGKILL');
      await waitUntil('the gateway is gone', () => !isRunning(set.gateway.pid));
      // One that was opened before the agent noticed is lost with the gateway.
      await waitUntil('the session goes on', async () => {
        const next = await agentThrough(target).catch(() => undefined);
        if (next === undefined) return false;
        const { promise, resolve } = Promise.withResolvers<boolean>();
        const again = https.get({ agent: next, host: target.host, port: target.port, path: '/down' });
        again.on('error', () => resolve(false));
        again.on('response', (one) => resolve(one.resume().statusCode === 200));
        const isServed = await promise;
        again.destroy();
        next.destroy();
        return isServed;
      });
      await broken;
      client.destroy();
      assert.match(other.log(), /is gone/);
    });
  });
