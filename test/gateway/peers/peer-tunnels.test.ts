import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';

import type { PeerTunnels } from '../../../src/gateway/peers/peer-tunnels.ts';
import type { SessionUpgrade } from '../../../src/gateway/tunnels/tunnel-places.ts';
import type { SplicedUpgrade } from '../../../src/gateway/tunnels/tunnel-server.ts';
import { resumeNameOf } from '../../../src/net/resume-name.ts';
import { refuseUpgrade } from '../../../src/net/websocket-handshake.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sessionProblem } from '../../../src/protocol/session-messages.ts';
import { freePort } from '../../support/free-port.ts';
import { waitUntil } from '../../support/program.ts';
import { FakeGateways, listeningPeer, newPeer, peerTunnels, socketPair } from './peer-scene.ts';

function upgradeFor(incarnation: string, socket: Duplex, sessionId = 's'): SessionUpgrade {
  const tunnelId = new Uint8Array(Buffer.concat([Buffer.from(incarnation, 'hex'), randomBytes(16)]));
  const headers = {
    'upstreamproxy-resume': resumeNameOf({ tunnelId, epoch: 1 }),
    authorization: 'DPoP a-token',
    dpop: 'a-proof',
    upgrade: 'websocket',
  };
  return {
    // Of a session this is all that is looked at.
    session: { principal: { sessionId, id: 'p' } } as SessionUpgrade['session'],
    request: { method: 'GET', httpVersion: '1.1', headers },
    socket,
    head: Buffer.from('head'),
    exporter: new Uint8Array(32).fill(7),
  };
}

async function outcome(tunnels: PeerTunnels, incarnation: string): Promise<string> {
  const [agent, socket] = await socketPair();
  try {
    return (await tunnels.passOn(upgradeFor(incarnation, socket))) ? 'led on' : 'not led on';
  } catch (error) {
    return (error as ProxyError).code;
  } finally {
    agent.destroy();
    socket.destroy();
  }
}

test('an agent is led to the gateway that its tunnel names, without its token and its proof, and both ways', async () => {
  const { promise: came, resolve } = Promise.withResolvers<SplicedUpgrade>();
  await using holder = await listeningPeer(resolve);
  const gateways = new FakeGateways();
  gateways.put(holder.identity.incarnation, { peerAddress: holder.address });
  const { tunnels } = peerTunnels(gateways);
  const [agent, socket] = await socketPair();
  const upgrade = upgradeFor(holder.identity.incarnation, socket);
  assert.equal(await tunnels.passOn(upgrade), true);
  agent.write(' behind');
  const passed = await came;
  const { authorization: _, dpop: __, ...left } = upgrade.request.headers;
  assert.deepEqual(passed.request.headers, left);
  assert.deepEqual(passed.session, { sessionId: 's', id: 'p' });
  assert.deepEqual([...(passed.exporter ?? [])], [...(upgrade.exporter ?? [])]);
  // That of the agent was none: what it may do in TLS alone it may not here.
  assert.equal('encrypted' in passed.socket && passed.socket.encrypted, false);
  const got = [passed.head.toString()];
  passed.socket.on('data', (chunk: Buffer) => got.push(chunk.toString()));
  passed.socket.write('back');
  assert.equal(String((await once(agent, 'data'))[0]), 'back');
  await waitUntil('it came', () => got.join('') === 'head behind');
  agent.resetAndDestroy();
  await once(passed.socket, 'end');
});

test('what is no resume, and what is of this gateway or of a worker beside it, is not led on', async () => {
  const { tunnels, identity } = peerTunnels(new FakeGateways());
  assert.equal(await outcome(tunnels, identity.incarnation), 'not led on');
  assert.equal(await outcome(tunnels, identity.incarnation.slice(0, 16) + 'f'.repeat(16)), 'not led on');
  const [agent, socket] = await socketPair();
  const { request, ...rest } = upgradeFor(newPeer().incarnation, socket);
  const headers = { 'upstreamproxy-resume': 'agree' };
  assert.equal(await tunnels.passOn({ ...rest, request: { ...request, headers } }), false);
  agent.destroy();
  socket.destroy();
});

test('a tunnel is refused for good only where it is proven that its gateway is gone', async () => {
  const gateways = new FakeGateways();
  const { tunnels } = peerTunnels(gateways);
  const { incarnation } = newPeer();
  await using another = await listeningPeer(() => assert.fail('another gateway was asked'));
  const nobody = `127.0.0.1:${await freePort()}`;
  const becomes = async (changes: Parameters<FakeGateways['put']>[1]): Promise<string> => {
    gateways.put(incarnation, changes);
    // A gateway that remembers none of the addresses before.
    return await outcome(peerTunnels(gateways).tunnels, incarnation);
  };
  assert.equal(await outcome(tunnels, incarnation), 'resume_unknown', 'the store never heard of it');
  assert.equal(await becomes({ state: 'left', peerAddress: nobody }), 'resume_refused');
  assert.equal(await becomes({ peerAddress: nobody, isCurrent: false }), 'resume_refused');
  assert.equal(await becomes({ peerAddress: nobody }), 'peer_unreachable');
  assert.equal(await becomes({ peerAddress: another.address }), 'peer_unreachable');
  assert.equal(await becomes({ peerAddress: another.address, isCurrent: false }), 'resume_refused');
  assert.equal(await becomes({}), 'peer_unreachable', 'it has no port for others');
  assert.equal(await becomes({ isCurrent: false }), 'resume_unknown', 'another gateway may be it');
  gateways.isAway = true;
  assert.equal(await outcome(tunnels, incarnation), 'peer_unreachable');
});

test('a gateway that is silent is waited for no longer than its time, and never taken for gone', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const gateways = new FakeGateways();
  const { incarnation } = newPeer();
  // A server that listens on a port has an AddressInfo.
  const { port } = silent.address() as AddressInfo;
  gateways.put(incarnation, { peerAddress: `127.0.0.1:${port}`, isCurrent: false });
  assert.equal(await outcome(peerTunnels(gateways).tunnels, incarnation), 'peer_unreachable');
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('while the store is away, those that were known are reached', async () => {
  await using holder = await listeningPeer(({ socket }) => void socket.on('error', () => undefined));
  const gateways = new FakeGateways();
  gateways.put(holder.identity.incarnation, { peerAddress: holder.address });
  const { tunnels, directory } = peerTunnels(gateways);
  await directory.learn();
  gateways.isAway = true;
  assert.equal(await outcome(tunnels, holder.identity.incarnation), 'led on');
});

test('what is led to others has a bound, for all and for one session, and room is free again', async () => {
  const taken: Duplex[] = [];
  await using holder = await listeningPeer(({ socket }) => {
    taken.push(socket.on('error', () => undefined));
    socket.resume();
  });
  const gateways = new FakeGateways();
  const { incarnation } = holder.identity;
  gateways.put(incarnation, { peerAddress: holder.address });
  const { tunnels } = peerTunnels(gateways, { tunnelsPerSessionMax: 2, peerSplicesMax: 3 });
  const agents: Socket[] = [];
  const open = async (sessionId: string): Promise<string> => {
    const [agent, socket] = await socketPair();
    agents.push(agent.on('error', () => undefined));
    socket.on('error', () => undefined);
    try {
      await tunnels.passOn(upgradeFor(incarnation, socket, sessionId));
      return 'led on';
    } catch (error) {
      return String((error as ProxyError).limit);
    }
  };
  const outcomes = [];
  for (const session of ['a', 'a', 'a', 'b', 'c']) outcomes.push(await open(session));
  assert.deepEqual(outcomes, ['led on', 'led on', 'tunnelsPerSessionMax', 'led on', 'peerSplicesMax']);
  for (const agent of agents) agent.resetAndDestroy();
  await tunnels.drain(10_000);
  assert.equal(await open('a'), 'led on');
  for (const socket of [...agents, ...taken]) socket.destroy();
});

test('a gateway that takes nothing holds its agent up, and nothing is kept for it', async () => {
  const { promise: came, resolve } = Promise.withResolvers<SplicedUpgrade>();
  await using holder = await listeningPeer(resolve);
  const gateways = new FakeGateways();
  gateways.put(holder.identity.incarnation, { peerAddress: holder.address });
  const { tunnels } = peerTunnels(gateways);
  const [agent, socket] = await socketPair();
  for (const one of [agent, socket]) one.on('error', () => undefined);
  await tunnels.passOn(upgradeFor(holder.identity.incarnation, socket));
  const { socket: far } = await came;
  far.on('error', () => undefined);
  const chunk = Buffer.alloc(64 * 1024);
  let taken = 0;
  // Until nothing was taken in a second: what is on the way is in buffers of the kernel.
  for (;;) {
    const isTaken = await Promise.race([
      new Promise<boolean>((done) => agent.write(chunk, () => done(true))),
      new Promise<boolean>((done) => setTimeout(done, 1_000, false)),
    ]);
    if (!isTaken) break;
    taken += chunk.length;
    assert.ok(taken < 64 * 1024 * 1024, 'it takes without an end');
  }
  assert.ok(socket.readableLength <= 256 * 1024, `${socket.readableLength} octets wait`);
  let read = 0;
  far.on('data', (part: Buffer) => (read += part.length));
  await waitUntil('all of it arrives', () => read >= taken);
  agent.destroy();
});

test('a client that goes on to send after its resume was refused gives its place back', async (context) => {
  await using holder = await listeningPeer(({ socket }) =>
    refuseUpgrade(socket, 410, sessionProblem('resume_unknown', 'it is not here')),
  );
  const gateways = new FakeGateways();
  const { incarnation } = holder.identity;
  gateways.put(incarnation, { peerAddress: holder.address });
  const { tunnels } = peerTunnels(gateways, { ...defaultLimits, tunnelsPerSessionMax: 1 });
  const [agent, socket] = await socketPair();
  agent.on('error', () => undefined).resume();
  assert.equal(await tunnels.passOn(upgradeFor(incarnation, socket)), true);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  await once(agent, 'end');
  agent.write('for nobody');
  assert.equal(await outcome(tunnels, incarnation), 'limit_exceeded');
  context.mock.timers.tick(defaultLimits.closeTimeoutMs);
  context.mock.timers.reset();
  assert.equal(socket.destroyed, true);
  await waitUntil('there is a place', async () => (await outcome(tunnels, incarnation)) === 'led on');
});

test('a gateway that said that it leaves is gone also where nothing responds at the address that is known', async () => {
  const silent = createServer((one) => void one.on('error', () => undefined));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  // A server that listens on a port has an AddressInfo.
  const peerAddress = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const { incarnation } = newPeer();
  const gateways = new FakeGateways();
  gateways.put(incarnation, { peerAddress });
  const { tunnels, directory } = peerTunnels(gateways);
  await directory.learn();
  gateways.put(incarnation, { peerAddress, state: 'left' });
  assert.equal(await outcome(tunnels, incarnation), 'resume_refused');
  gateways.put(incarnation, { peerAddress });
  assert.equal(await outcome(tunnels, incarnation), 'peer_unreachable');
  silent.close();
});
