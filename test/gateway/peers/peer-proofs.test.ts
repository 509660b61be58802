import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import type { KnownPeer } from '../../../src/gateway/peers/peer-directory.ts';
import { proofsProtocol } from '../../../src/gateway/peers/peer-identity.ts';
import { listenForPeers } from '../../../src/gateway/peers/peer-listener.ts';
import { PeerProofs, serveProofs } from '../../../src/gateway/peers/peer-proofs.ts';
import { type NonceProof, NonceProofs } from '../../../src/gateway/sessions/nonce-proofs.ts';
import { ProofMemory } from '../../../src/gateway/sessions/proof-memory.ts';
import { newNonceGiver } from '../../../src/gateway/sessions/proof-nonces.ts';
import { gatewayNameOf, newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { listeningPeer, newPeer, peerAuthority } from './peer-scene.ts';

const nowMs = 1_000_000;

interface Giving extends AsyncDisposable {
  readonly gatewayName: string;
  readonly proofs: NonceProofs;
  readonly peers: readonly KnownPeer[];
  readonly ports: readonly number[];
  readonly connections: TLSSocket[];
  readonly faults: string[];
}

/** A gateway whose processes give nonces and say to others whether proofs with them are new. */
async function giving(processes = 1, takeOwn?: (proof: NonceProof) => Promise<'new'>): Promise<Giving> {
  await using stack = new AsyncDisposableStack();
  const gatewayName = newGatewayName();
  const proofs = new NonceProofs({
    giver: newNonceGiver(gatewayName),
    memory: new ProofMemory(),
    limits: { ...defaultLimits, proofsPerKeyMax: 3 },
  });
  const [connections, faults]: [TLSSocket[], string[]] = [[], []];
  const peers: KnownPeer[] = [];
  const ports: number[] = [];
  for (let i = 0; i < processes; i += 1) {
    const identity = newPeer(newIncarnation(gatewayName));
    const listener = stack.use(
      await listenForPeers({
        identity,
        listen: { address: '127.0.0.1', port: 0 },
        limits: defaultLimits,
        clock: Date.now,
        take: ({ socket }) => socket.destroy(),
        follow: async (socket) => void socket.destroy(),
        start: async (socket) => void socket.destroy(),
        proofs: (socket) => {
          connections.push(socket);
          const take = takeOwn ?? ((proof: NonceProof) => proofs.takeOwn(proof, nowMs));
          return serveProofs(socket, { takeOwn: take }, ({ message }) => faults.push(message));
        },
        onFault: () => undefined,
      }),
    );
    ports.push(listener.port);
    peers.push({ incarnation: identity.incarnation, address: `127.0.0.1:${listener.port}` });
  }
  const owned = stack.move();
  return {
    gatewayName,
    proofs,
    peers,
    ports,
    connections,
    faults,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function proof(nonce: string, jti: string): NonceProof {
  return { nonce, sessionId: 's', keyThumbprint: 'k', jti };
}

test('who gave the nonce says whether a proof is new, whoever asks and however many ask at once', async () => {
  await using other = await giving();
  const { gatewayName, proofs } = other;
  const known = (): readonly KnownPeer[] => other.peers;
  await using one = new PeerProofs({ identity: newPeer(), known });
  await using two = new PeerProofs({ identity: newPeer(), known });
  const nonce = proofs.give('s', nowMs);
  const told = await Promise.all(
    [one, two, one, two].map((asking) => asking.ask(gatewayName, proof(nonce, 'same'))),
  );
  assert.deepEqual(told.toSorted(), ['new', 'seen', 'seen', 'seen']);
  assert.equal(await proofs.takeOwn(proof(nonce, 'same'), nowMs), 'seen');
  assert.equal(await one.ask(gatewayName, proof(nonce, 'two')), 'new');
  assert.equal(await one.ask(gatewayName, proof(nonce, 'three')), 'new');
  assert.equal(await two.ask(gatewayName, proof(nonce, 'four')), 'full');
  assert.equal(await one.ask(gatewayName, { ...proof(nonce, 'five'), sessionId: 'other' }), 'unknown');
  // Nobody is asked of one that is not known.
  assert.equal(await one.ask('0'.repeat(16), proof(nonce, 'six')), 'unknown');
  assert.equal(other.connections.length, 2);
});

test('any process of a gateway is asked, and one that is gone is passed over', async () => {
  await using other = await giving(2);
  await using gone = await listeningPeer(
    () => undefined,
    {},
    { incarnation: newIncarnation(other.gatewayName) },
  );
  const [, second] = other.peers;
  assert.ok(second !== undefined);
  // Another process listens where it was.
  const left = { incarnation: newIncarnation(other.gatewayName), address: gone.address };
  await using asking = new PeerProofs({ identity: newPeer(), known: () => [left, second] });
  const told = await asking.ask(other.gatewayName, proof(other.proofs.give('s', nowMs), 'one'));
  assert.equal(told, 'new');
});

test('one that does not respond, or not with what is asked for, is asked once, and its nonces are not known', async (t) => {
  await t.test('nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A server that listens on a port has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const incarnation = newIncarnation(newGatewayName());
    const known = (): readonly KnownPeer[] => [{ incarnation, address: `127.0.0.1:${port}` }];
    await using asking = new PeerProofs({ identity: newPeer(), known });
    assert.equal(await asking.ask(gatewayNameOf(incarnation), proof('n', 'one')), 'unknown');
  });
  await t.test('it is silent', async (context) => {
    const asked = Promise.withResolvers<void>();
    await using other = await giving(1, () => {
      asked.resolve();
      return new Promise(() => undefined);
    });
    await using asking = new PeerProofs({ identity: newPeer(), known: () => other.peers });
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const told = asking.ask(other.gatewayName, proof('n', 'one'));
    await asked.promise;
    context.mock.timers.tick(defaultLimits.peerProofTimeoutMs);
    assert.equal(await told, 'unknown');
    assert.equal(await asking.ask(other.gatewayName, proof('n', 'two')), 'unknown');
    assert.equal(other.connections.length, 1);
  });
  await t.test('it ends', async () => {
    await using other = await giving(1, () => {
      for (const socket of other.connections) socket.destroy();
      return Promise.reject(new Error('it ends'));
    });
    await using asking = new PeerProofs({ identity: newPeer(), known: () => other.peers });
    const both = ['one', 'two'].map((jti) => asking.ask(other.gatewayName, proof('n', jti)));
    assert.deepEqual(await Promise.all(both), ['unknown', 'unknown']);
  });
});

test('what is no question ends the connection, and is told', async () => {
  await using other = await giving();
  const [port] = other.ports;
  for (const line of ['{}', 'no JSON', JSON.stringify({ n: 1, ...proof('n', 'x'.repeat(257)) })]) {
    const socket = connect({
      host: '127.0.0.1',
      port: port ?? 0,
      ...newPeer().secureOptions(),
      ca: peerAuthority.certificatesPem,
      ALPNProtocols: [proofsProtocol],
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.resume().write(`${line}\n`);
    await once(socket, 'close');
  }
  assert.equal(other.faults.length, 3);
});
