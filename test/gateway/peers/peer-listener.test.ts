import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { join } from 'node:path';
import { test } from 'node:test';

import { FollowedAuthority } from '../../../src/gateway/followed-authority.ts';
import { PeerIdentity, peerNameOf, peerProtocol } from '../../../src/gateway/peers/peer-identity.ts';
import { encodePassedStart } from '../../../src/gateway/tunnels/passed-start.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import { openCertificateAuthority, readCertificateAuthority } from '../../../src/pki/authority-folder.ts';
import {
  makeNextAuthority,
  retireAuthorities,
  switchAuthority,
} from '../../../src/pki/authority-rotation.ts';
import {
  type CertificateAuthority,
  createEphemeralAuthority,
} from '../../../src/pki/certificate-authority.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { responseOf, listeningPeer, newPeer, peerAuthority } from './peer-scene.ts';

const facts = {
  session: { sessionId: 's', id: 'p' },
  method: 'GET',
  httpVersion: '1.1',
  headers: { upgrade: 'websocket' },
  isEncrypted: true,
};
const start = encodePassedStart(new Uint8Array(), facts, Buffer.from('head'));
const ofPeers = { ca: peerAuthority.certificatesPem, ALPNProtocols: [peerProtocol] };
/** For the tests alone: who the listener is was looked at elsewhere. */
const anyName = { checkServerIdentity: () => undefined };

function leafOf(name: string, use: 'server' | 'peer', authority = peerAuthority) {
  const { certificatePem: cert, privateKey } = authority.issueFor([name], Date.now(), use);
  return { cert, key: String(privateKey) };
}

test('who has a certificate of the peers is heard, with what was behind its first octets', async () => {
  const { promise, resolve } = Promise.withResolvers<readonly unknown[]>();
  await using peer = await listeningPeer(({ session, request, socket, head, exporter }) => {
    resolve([session, request.headers, head.toString(), exporter]);
    socket.end('welcome');
  });
  const response = responseOf(peer.port, { ...newPeer().secureOptions(), ...anyName, ...ofPeers }, start);
  assert.deepEqual(await promise, [facts.session, facts.headers, 'head', undefined]);
  assert.equal(await response, 'welcome');
});

test('while the authority of the peers is rotated, who has a certificate of either is heard, at once and on', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = join(stack.use(await temporaryDirectory()).path, 'peers');
  const folder = { directory, name: 'peer-ca', commonName: 'upstreamproxy peers' };
  const read = (nowMs: number) => readCertificateAuthority(directory, { nowMs, ...folder });
  const nowMs = Date.now();
  const first = await openCertificateAuthority(directory, { nowMs, ...folder });
  const place = { label: 'peers', open: read, read };
  const followed = stack.use(await FollowedAuthority.open({ place, clock: Date.now, log: () => undefined }));
  const identity = new PeerIdentity(newIncarnation(newGatewayName()), followed, Date.now);
  const peer = stack.use(await listeningPeer(({ socket }) => socket.end('welcome'), {}, { identity }));
  /** As a gateway that has taken the step already, and one that has not. */
  const heard = async (authority: CertificateAuthority, trusted: CertificateAuthority): Promise<string> => {
    const leaf = leafOf(peerNameOf('a'.repeat(32)), 'peer', authority);
    const ca = trusted.certificatesPem;
    return await responseOf(peer.port, { ...leaf, ...anyName, ...ofPeers, ca }, start);
  };
  await makeNextAuthority(folder, nowMs);
  const published = await read(nowMs);
  const next = await readCertificateAuthority(directory, { nowMs, name: 'next-peer-ca' });
  assert.deepEqual([await heard(first, first), await heard(next, published)], ['welcome', '']);
  await followed.look();
  assert.deepEqual([await heard(first, first), await heard(next, published)], ['welcome', 'welcome']);
  await switchAuthority(folder, { nowMs, atOnce: true });
  await followed.look();
  assert.deepEqual([await heard(first, published), await heard(next, published)], ['welcome', 'welcome']);
  await retireAuthorities(folder);
  await followed.look();
  const alone = await read(nowMs);
  assert.deepEqual([await heard(first, alone), await heard(alone, alone)], ['', 'welcome']);
});

const foreign = createEphemeralAuthority(Date.now(), 'upstreamproxy CA');
const strangers = {
  'no certificate': {},
  'a certificate of the authority that intercepts': leafOf(peerNameOf('a'.repeat(32)), 'peer', foreign),
  'a certificate of the peers for a server alone': leafOf(peerNameOf('a'.repeat(32)), 'server'),
  'a certificate of the peers for something else than a gateway': leafOf('api.test', 'peer'),
  'a peer that speaks another protocol': { ...newPeer().secureOptions(), ALPNProtocols: ['http/1.1'] },
  'a peer that speaks none': { ...newPeer().secureOptions(), ALPNProtocols: [] },
  'a peer that speaks TLS 1.2': {
    ...newPeer().secureOptions(),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  },
} as const;

for (const [what, options] of Object.entries(strangers))
  test(`is not heard: ${what}`, async () => {
    let taken = 0;
    await using peer = await listeningPeer(({ socket }) => {
      taken += 1;
      socket.end('welcome');
    });
    assert.equal(await responseOf(peer.port, { ...ofPeers, ...anyName, ...options }, start), '');
    assert.equal(taken, 0);
  });

for (const [what, sent] of [
  ['facts that are none', encodePassedStart(new Uint8Array(), { ...facts, more: 1 }, Buffer.alloc(0))],
  [
    'facts with a field of the request that is not for the other gateway',
    encodePassedStart(
      new Uint8Array(),
      { ...facts, headers: { authorization: 'DPoP stolen' } },
      Buffer.alloc(0),
    ),
  ],
  ['more facts than there can be', Buffer.from('ffffffff', 'hex')],
] as const)
  test(`a peer that sends ${what} is cut off`, async () => {
    await using peer = await listeningPeer(() => assert.fail('it was taken'));
    assert.equal(
      await responseOf(peer.port, { ...newPeer().secureOptions(), ...anyName, ...ofPeers }, sent),
      '',
    );
  });

test('a peer that says nothing is cut off in time', async () => {
  await using peer = await listeningPeer(() => assert.fail('it was taken'));
  assert.equal(
    await responseOf(peer.port, { ...newPeer().secureOptions(), ...anyName, ...ofPeers }, Buffer.alloc(0)),
    '',
  );
});

test('connections have a bound', async () => {
  await using peer = await listeningPeer(() => undefined, { peerConnectionsMax: 1 });
  const options = {
    host: '127.0.0.1',
    port: peer.port,
    ...newPeer().secureOptions(),
    ...anyName,
    ...ofPeers,
  };
  const first = connect(options);
  first.on('error', () => undefined);
  await once(first, 'secureConnect');
  const second = connect(options);
  second.on('error', () => undefined);
  second.on('secureConnect', () => assert.fail('it was let in'));
  await new Promise((resolve) => second.once('close', resolve));
  first.destroy();
});
