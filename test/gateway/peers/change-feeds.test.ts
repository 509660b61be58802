import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { ChangeFeeds } from '../../../src/gateway/peers/change-feeds.ts';
import { FollowedPeers } from '../../../src/gateway/peers/followed-peers.ts';
import { PeerDirectory } from '../../../src/gateway/peers/peer-directory.ts';
import { changesProtocol } from '../../../src/gateway/peers/peer-identity.ts';
import { listenForPeers } from '../../../src/gateway/peers/peer-listener.ts';
import { EndedSessions } from '../../../src/gateway/sessions/ended-sessions.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { ChangePlace } from '../../../src/store/change-store.ts';
import type { NumberedEnding } from '../../../src/store/store.ts';
import { FakeGateways, newPeer, peerAuthority } from './peer-scene.ts';

function ending(sessionId: string, sequence: number): NumberedEnding {
  return { sessionId, sequence, state: 'revoked', reason: 'an operator revoked it' };
}

/** What a gateway knows of ended sessions, and its port by which others follow it. */
async function tellingPeer(incarnation = newIncarnation(newGatewayName())) {
  const ended = new EndedSessions(60_000);
  const listeners = new Set<(sessionId: string, reason: string) => void>();
  const vouched: object[] = [];
  const place = { history: 'h', taken: 0, identity: 7 };
  const heardOf: (string | undefined)[] = [];
  const faults: string[] = [];
  const news: (() => void)[] = [];
  const identity = newPeer(incarnation);
  const feeds = new ChangeFeeds({
    watch: {
      ended,
      onEnded: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    history: () => place.history,
    taken: () => place.taken,
    identity: () => place.identity,
    store: {
      vouch: async (gateway) => {
        vouched.push(gateway);
        for (const tell of news) tell();
      },
    },
    onFault: ({ message }) => {
      faults.push(message);
      for (const tell of news) tell();
    },
  });
  const listener = await listenForPeers({
    identity,
    listen: { address: '127.0.0.1', port: 0 },
    limits: defaultLimits,
    clock: Date.now,
    take: ({ socket }) => socket.destroy(),
    follow: (socket, name) => feeds.serve(socket, name),
    start: async (socket) => void socket.destroy(),
    proofs: async (socket) => void socket.destroy(),
    onFault: () => undefined,
  });
  const hear = (one: NumberedEnding): void => {
    if (ended.has(one.sessionId)) return;
    ended.add(one, Date.now());
    for (const tell of listeners) tell(one.sessionId, one.reason);
    for (const tell of news) tell();
  };
  /** Once this is so; looked at with each thing that happens. */
  const until = async (isSo: () => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => void (isSo() && resolve());
    news.push(look);
    look();
    await promise;
  };
  return {
    place,
    heardOf,
    identity,
    ended,
    hear,
    vouched,
    look: (): void => {
      for (const tell of news) tell();
    },
    faults,
    until,
    listener,
    listeners,
    port: listener.port,
    feeds,
    takenOf: [] as ChangePlace[],
    identityOf: [] as number[],
  };
}

type Telling = Awaited<ReturnType<typeof tellingPeer>>;

async function following(own: Telling, others: readonly Telling[], unsaid?: number): Promise<FollowedPeers> {
  const gateways = new FakeGateways();
  for (const { identity, port } of [own, ...others])
    gateways.put(identity.incarnation, { peerAddress: `127.0.0.1:${port}` });
  const directory = new PeerDirectory(gateways);
  await directory.learn();
  // From here on the store says nothing.
  gateways.isAway = true;
  return new FollowedPeers({
    identity: own.identity,
    directory,
    sequence: () => 5,
    history: () => own.place.history,
    hear: (endings, history) => {
      own.heardOf.push(history);
      endings.forEach(own.hear);
    },
    unsaid: () => unsaid,
    onTaken: (_, one) => {
      own.takenOf.push(one);
      own.look();
    },
    onIdentity: (_, version) => {
      own.identityOf.push(version);
      own.look();
    },
    onFault: ({ message }) => assert.fail(message),
  });
}

/** Tells and follows nothing any more when it is disposed. */
async function scene(count: number) {
  const stack = new AsyncDisposableStack();
  const peers: Telling[] = [];
  for (let i = 0; i < count; i += 1) {
    const peer = await tellingPeer();
    stack.use(peer.listener);
    peers.push(peer);
  }
  return { stack, peers };
}

test('who follows hears what ended above its number, and what ends from then on, each once', async () => {
  const { stack, peers } = await scene(2);
  await using _ = stack;
  const [one, other] = peers as [Telling, Telling];
  one.hear(ending('read already', 5));
  one.hear(ending('before', 6));
  stack.use(await following(other, [one]));
  await other.until(() => other.ended.has('before'));
  one.hear(ending('later', 7));
  await other.until(() => other.ended.has('later'));
  assert.equal(other.ended.has('read already'), false);
  assert.equal(other.ended.heard, 2);
});

test('who follows hears up to which change all is taken, at once, and the endings up to there before', async () => {
  const { stack, peers } = await scene(2);
  await using _ = stack;
  const [one, other] = peers as [Telling, Telling];
  stack.use(await following(other, [one]));
  await other.until(() => other.takenOf.length > 0);
  assert.deepEqual(other.takenOf[0], { history: 'h', number: 0 });
  await other.until(() => other.identityOf.length > 0);
  assert.equal(other.identityOf[0], 7);
  one.ended.add(ending('before it', 8), Date.now());
  one.place.taken = 9;
  one.feeds.changed();
  await other.until(() => other.takenOf.at(-1)?.number === 9);
  assert.ok(other.ended.has('before it'));
});

test('what is taken and could not be said in the store is said by who is followed', async () => {
  const { stack, peers } = await scene(2);
  await using _ = stack;
  const [one, other] = peers as [Telling, Telling];
  stack.use(await following(other, [one], 42));
  await one.until(() => one.vouched.length > 0);
  assert.deepEqual(one.vouched[0], { incarnation: other.identity.incarnation, changeSeen: 42 });
});

test('numbers of another history neither keep an ending back, nor say what was taken', async () => {
  const { stack, peers } = await scene(2);
  await using _ = stack;
  const [one, other] = peers as [Telling, Telling];
  other.place.history = 'before';
  one.hear(ending('numbered low in the later history', 3));
  stack.use(await following(other, [one], 40));
  await other.until(() => other.ended.has('numbered low in the later history'));
  assert.deepEqual(other.heardOf, ['h']);
  // The first of the two is read before the second one.
  const socket = await dial(one);
  socket.write('{"above":0,"history":"h"}\n{"taken":41,"history":"before"}\n{"taken":42,"history":"h"}\n');
  await one.until(() => one.vouched.length > 0);
  assert.deepEqual(
    one.vouched.map((said) => 'changeSeen' in said && said.changeSeen),
    [42],
  );
  socket.destroy();
});

test('what one knows goes around all of them, also where they follow fewer than there are', async () => {
  const { stack, peers } = await scene(6);
  await using _ = stack;
  for (const own of peers)
    stack.use(
      await following(
        own,
        peers.filter((one) => one !== own),
      ),
    );
  peers[3]?.hear(ending('a', 9));
  await Promise.all(peers.map((peer) => peer.until(() => peer.ended.has('a'))));
  for (const { listeners } of peers) assert.ok(listeners.size <= defaultLimits.peerFeedsMax);
});

test('where nobody listens the next one is followed', async () => {
  const { stack, peers } = await scene(6);
  await using _ = stack;
  const [own, ...others] = peers as [Telling, ...Telling[]];
  const sorted = others.toSorted((a, b) => (a.identity.incarnation < b.identity.incarnation ? -1 : 1));
  const gone = sorted.slice(0, 4);
  for (const { listener } of gone) await listener[Symbol.asyncDispose]();
  stack.use(await following(own, others));
  sorted[4]?.hear(ending('a', 9));
  await own.until(() => own.ended.has('a'));
});

async function dial(peer: Telling, options: object = newPeer().secureOptions()): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: peer.port,
    servername: 'peer.test',
    ca: peerAuthority.certificatesPem,
    ALPNProtocols: [changesProtocol],
    checkServerIdentity: () => undefined,
    ...options,
  });
  socket.on('error', () => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('secureConnect', resolve).once('close', () => resolve());
  await promise;
  return socket;
}

async function endOf(socket: TLSSocket): Promise<string> {
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.closed) resolve();
  else socket.once('close', () => resolve());
  await promise;
  return got;
}

test('who has no certificate of the peers is told nothing', async () => {
  const { stack, peers } = await scene(1);
  await using _ = stack;
  const [peer] = peers as [Telling];
  peer.hear(ending('a', 1));
  const socket = await dial(peer, {});
  socket.write('{"above":0}\n');
  assert.equal(await endOf(socket), '');
});

for (const [what, sent] of [
  ['no JSON', 'above\n'],
  ['another member', '{"below":1}\n'],
  ['a number that is none', '{"above":-1}\n'],
  ['something else later', '{"above":0}\n{"taken":"all"}\n'],
] as const)
  test(`a peer that says ${what} is cut off, and it is told here`, async () => {
    const { stack, peers } = await scene(1);
    await using _ = stack;
    const [peer] = peers as [Telling];
    const socket = await dial(peer);
    socket.write(sent);
    await endOf(socket);
    await peer.until(() => peer.faults.length > 0);
    assert.match(peer.faults.join(), /something else than changes/);
  });

test('a peer that sends a line without an end is cut off at its bound', async () => {
  const { stack, peers } = await scene(1);
  await using _ = stack;
  const [peer] = peers as [Telling];
  const socket = await dial(peer);
  socket.write(Buffer.alloc(defaultLimits.peerLineBytesMax + 1, 'a'));
  assert.equal(await endOf(socket), '');
});

test('no more are served than there may be', async () => {
  const { stack, peers } = await scene(1);
  await using _ = stack;
  const [peer] = peers as [Telling];
  const secure = newPeer().secureOptions();
  for (let i = 0; i < defaultLimits.peerFeedsServedMax; i += 1) {
    const socket = await dial(peer, secure);
    stack.defer(() => void socket.destroy());
    socket.write('{"above":0}\n');
    await once(socket, 'data');
  }
  const more = await dial(peer, secure);
  assert.equal(await endOf(more), '');
});
