import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { FollowedPeers } from '../../../src/gateway/peers/followed-peers.ts';
import { PeerDirectory } from '../../../src/gateway/peers/peer-directory.ts';
import { UnreachedPeers } from '../../../src/gateway/peers/unreached-peers.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { FakeGateways, listeningPeer, newPeer } from './peer-scene.ts';

const peer = { incarnation: 'a'.repeat(32), address: 'gateway-2:9443' };
const passingMs = defaultLimits.gatewayLeaseMs + defaultLimits.gatewayNoteMs;

test('one that serves and cannot be reached is told once, and once more after it was', () => {
  const told: string[] = [];
  let nowMs = 0;
  const unreached = new UnreachedPeers(
    ({ code, message }) => told.push(`${code} ${message}`),
    () => nowMs,
  );
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  const failAt = (atMs: number): number => {
    nowMs = atMs;
    unreached.failed(peer, refused);
    return told.length;
  };
  assert.deepEqual([failAt(0), failAt(passingMs)], [0, 0]);
  assert.deepEqual([failAt(passingMs + 1), failAt(10 * passingMs)], [1, 1]);
  assert.match(
    told[0] ?? '',
    /^peer_unreachable the gateway a{32} cannot be reached by this one at gateway-2:9443, though it serves: nothing listens there; compare [^\n]+$/,
  );
  unreached.reached(peer);
  assert.deepEqual([failAt(20 * passingMs), failAt(21 * passingMs + 1)], [1, 2]);
});

test('one that ends meanwhile, or is replaced, is not told', () => {
  const told: ProxyError[] = [];
  let nowMs = 0;
  const unreached = new UnreachedPeers(
    (error) => told.push(error),
    () => nowMs,
  );
  for (const atMs of [0, 2 * passingMs]) {
    nowMs = atMs;
    unreached.failed(peer, new Error('gone'));
    unreached.keep([{ ...peer, incarnation: 'b'.repeat(32) }]);
  }
  assert.deepEqual(told, []);
});

test('a gateway looks for others again and again, and tells of one in whose place nobody or another one is', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  await using another = await listeningPeer(() => undefined);
  const gateways = new FakeGateways();
  for (const peerAddress of [`127.0.0.1:${port}`, another.address])
    gateways.put(newIncarnation(newGatewayName()), { peerAddress });
  const directory = new PeerDirectory(gateways);
  await directory.learn();
  const told: string[] = [];
  const both = Promise.withResolvers<void>();
  let nowMs = 0;
  await using _following = new FollowedPeers({
    identity: newPeer(),
    directory,
    sequence: () => 0,
    hear: () => undefined,
    history: () => undefined,
    unsaid: () => undefined,
    onFault: ({ message }) => {
      told.push(message);
      if (told.length === 2) both.resolve();
    },
    // Whoever failed is asked again with each look.
    ticks: () => (nowMs += passingMs),
  });
  await both.promise;
  assert.match(told.toSorted().join('\n'), /no gateway, or another one, responds/);
});
