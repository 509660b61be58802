import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { KnownFacts, StartFacts } from '../../../src/gateway/changes/known-store.ts';
import { type AskedPeers, askFacts, askPeers } from '../../../src/gateway/peers/asked-peers.ts';
import type { KnownPeer } from '../../../src/gateway/peers/peer-directory.ts';
import { PeerIdentity, startProtocol } from '../../../src/gateway/peers/peer-identity.ts';
import { listenForPeers } from '../../../src/gateway/peers/peer-listener.ts';
import { PeerStarts } from '../../../src/gateway/peers/peer-starts.ts';
import { EndedSessions } from '../../../src/gateway/sessions/ended-sessions.ts';
import { createEphemeralAuthority } from '../../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { AccessRecord } from '../../../src/store/access-store.ts';
import type { ChangePlace } from '../../../src/store/change-store.ts';
import type { SealedIdentity } from '../../../src/store/gateway-store.ts';
import type { PolicyVersion } from '../../../src/store/policy-store.ts';
import { newPeer, peerAuthority } from './peer-scene.ts';

const keptMs = 3_600_000;
const timelineOne = '00000001 7000 5';
const timelineTwo = '00000002 7000 5';

const policy: PolicyVersion = {
  policy: 'main',
  number: 3,
  version: 'v3',
  hash: 'h3',
  isWithdrawn: false,
  binding: { team: 'web', admin: true },
  publishedMs: 1,
  publishedBy: 'anna',
};
const grant: AccessRecord = {
  id: 'g',
  sessionId: 's',
  principalId: 'p',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  path: '/a',
  reason: 'because',
  createdMs: 1,
  pendingUntilMs: 2,
  state: 'granted',
  terms: { scope: 'path', subject: 'session', endsMs: 5 },
};

const limited: AccessRecord = {
  ...grant,
  id: 'limited',
  terms: { scope: 'exact', subject: 'session', refs: ['refs/heads/agent/**'], endsMs: 5 },
};

interface Handing extends AsyncDisposable {
  readonly identity: PeerIdentity;
  readonly address: string;
  readonly port: number;
  readonly ended: EndedSessions;
  /** What it says of itself; the test changes it. */
  place: ChangePlace | undefined;
  awayMs: number | undefined;
  isPast: boolean;
  readonly policies: readonly PolicyVersion[] | undefined;
  readonly files: KnownFacts['files'];
  readonly grants: readonly AccessRecord[] | undefined;
  readonly sealed: SealedIdentity;
  readonly faults: string[];
}

async function handingPeer(
  changes: Partial<Handing> = {},
  peers: readonly KnownPeer[] = [],
): Promise<Handing> {
  const identity = changes.identity ?? newPeer();
  const ended = changes.ended ?? new EndedSessions(keptMs);
  const faults: string[] = [];
  const starts = new PeerStarts({
    facts: () => ({
      identity: peer.sealed,
      policies: peer.policies,
      files: peer.files,
      grants: peer.grants,
    }),
    place: () => peer.place,
    ended,
    keptMs,
    absence: {
      get sinceMs() {
        return peer.awayMs === undefined ? undefined : 1_000_000 - peer.awayMs;
      },
      untilMs: undefined,
      get isPast() {
        return peer.isPast;
      },
    },
    clock: () => 1_000_000,
    peers: () => peers,
    onFault: ({ message }) => faults.push(message),
  });
  const listener = await listenForPeers({
    identity,
    listen: { address: '127.0.0.1', port: 0 },
    limits: defaultLimits,
    clock: Date.now,
    take: ({ socket }) => socket.destroy(),
    follow: async (socket) => void socket.destroy(),
    start: (socket) => starts.serve(socket),
    proofs: async (socket) => void socket.destroy(),
    onFault: () => undefined,
  });
  const { port } = listener;
  const peer: Handing = {
    identity,
    address: `127.0.0.1:${port}`,
    port,
    ended,
    place: { history: timelineOne, number: 42 },
    awayMs: undefined,
    isPast: false,
    policies: [policy],
    files: new Map([['h3', [{ name: 'a.yaml', text: 'rules: [] # ä' }]]]),
    grants: [grant, limited],
    sealed: { version: 4, sealed: 'sealed' },
    faults,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
    ...changes,
  };
  return peer;
}

function end(peer: Handing, sessionId: string, sequence: number): void {
  peer.ended.add({ sessionId, sequence, state: 'revoked', reason: 'an operator revoked it' }, 1_000_000);
}

function ask(
  addresses: readonly string[],
  {
    floor,
    identity = newPeer(),
    kept = keptMs,
  }: { floor?: ChangePlace; identity?: PeerIdentity; kept?: number } = {},
): Promise<AskedPeers> {
  return askPeers(addresses, { identity, floor, keptMs: kept });
}

function handed(asked: AskedPeers): StartFacts & { readonly awayMs: number; readonly address: string } {
  if (asked.kind === 'none') assert.fail(asked.reasons.join('; '));
  const { facts, awayMs, address } = asked.start;
  return { ...facts, awayMs, address };
}

function refusal(asked: AskedPeers): string {
  assert.equal(asked.kind, 'none');
  return asked.kind === 'none' ? asked.reasons.join('; ') : '';
}

test('who starts is handed keys, policies, grants and what ended, and up to which change that is all', async () => {
  const other = { incarnation: 'ab'.repeat(16), address: '10.0.0.3:8444' };
  await using peer = await handingPeer({ awayMs: 7000 }, [other]);
  end(peer, 'one', 41);
  end(peer, 'without a number', 0);
  const asked = await ask([peer.address]);
  const facts = handed(asked);
  assert.deepEqual(facts.place, { history: timelineOne, number: 42 });
  assert.deepEqual(facts.identity, { version: 4, sealed: 'sealed' });
  assert.deepEqual(facts.policies, [policy]);
  assert.deepEqual(facts.files.get('h3'), [{ name: 'a.yaml', text: 'rules: [] # ä' }]);
  assert.deepEqual(facts.grants, [grant, limited]);
  assert.deepEqual(
    facts.endings.map(({ sessionId, sequence, state }) => [sessionId, sequence, state]),
    [
      ['one', 41, 'revoked'],
      ['without a number', 0, 'revoked'],
    ],
  );
  assert.equal(facts.awayMs, 7000);
  assert.ok(asked.kind === 'handed');
  assert.deepEqual(asked.start.peers, [other]);
  assert.equal(asked.start.incarnation, peer.identity.incarnation);
});

test('one that is followed hands over what is in force alone, and no other in its place does', async () => {
  await using peer = await handingPeer();
  end(peer, 'one', 41);
  const { incarnation } = peer.identity;
  const options = { identity: newPeer() };
  const facts = await askFacts({ incarnation, address: peer.address }, options);
  assert.deepEqual(
    [facts.place.number, facts.policies, facts.grants, facts.endings],
    [42, [policy], [grant, limited], []],
  );
  // No ending is asked for, so how long those are kept does not matter.
  await using short = await sayingPeer([
    { history: timelineOne, number: 42, keptMs: 0, peers: [] },
    { identity: { version: 4, sealed: 'sealed' } },
    { end: { endings: 0, policies: 0, files: 0, grants: 0 } },
  ]);
  assert.equal((await askFacts(short, options)).place.number, 42);
  const another = { incarnation: 'ef'.repeat(16), address: peer.address };
  await assert.rejects(askFacts(another, options), { code: 'peer_unreachable' });
  const gone = AbortSignal.abort();
  await assert.rejects(askFacts({ incarnation, address: peer.address }, { ...options, signal: gone }), {
    code: 'peer_unreachable',
  });
});

test('of several the one is believed that has taken most, and of equal ones who had the store last', async () => {
  await using stack = new AsyncDisposableStack();
  const behind = stack.use(await handingPeer({ place: { history: timelineOne, number: 41 } }));
  const long = stack.use(await handingPeer({ awayMs: 60_000 }));
  const short = stack.use(await handingPeer({ awayMs: 2000 }));
  end(short, 'revoked meanwhile', 42);
  const facts = handed(await ask([behind.address, long.address, short.address]));
  assert.equal(facts.address, short.address);
  assert.deepEqual(
    facts.endings.map(({ sessionId }) => sessionId),
    ['revoked meanwhile'],
  );
});

test('where the keys of one cannot be opened the next one is asked, and all of them wait for the store if there is none', async () => {
  await using stack = new AsyncDisposableStack();
  const closed = stack.use(await handingPeer({ sealed: { version: 5, sealed: 'for another key' } }));
  const open = stack.use(await handingPeer({ awayMs: 2000 }));
  const looked: number[] = [];
  const options = {
    identity: newPeer(),
    floor: undefined,
    keptMs,
    check: async ({ identity }: StartFacts) => {
      looked.push(identity?.version ?? 0);
      if (identity?.version === 5) throw new ProxyError('identity_unusable', 'it is sealed for another key');
    },
  };
  assert.equal(handed(await askPeers([closed.address, open.address], options)).address, open.address);
  // Who had the store last comes first.
  assert.deepEqual(looked, [5, 4]);
  assert.match(
    refusal(await askPeers([closed.address], options)),
    new RegExp(`^${closed.address}: it is sealed for another key$`),
  );
});

test('who knows less than this gateway knew hands nothing over', async () => {
  await using peer = await handingPeer();
  const floor = { history: timelineOne, number: 43 };
  assert.match(refusal(await ask([peer.address], { floor })), /it is at change 42, and 43 is known/);
  peer.place = floor;
  assert.equal(handed(await ask([peer.address], { floor })).place.number, 43);
});

test('a later timeline of the same database is later whatever its number, an earlier one and another database are not', async () => {
  await using peer = await handingPeer({ place: { history: timelineTwo, number: 3 } });
  assert.equal(
    handed(await ask([peer.address], { floor: { history: timelineOne, number: 42 } })).place.number,
    3,
  );
  for (const history of ['00000003 7000 5', '00000001 7001 5', ''])
    assert.match(refusal(await ask([peer.address], { floor: { history, number: 1 } })), /another history/);
});

test('of gateways on different databases none is believed where it is not known which is meant', async () => {
  await using stack = new AsyncDisposableStack();
  const one = stack.use(await handingPeer());
  const other = stack.use(await handingPeer({ place: { history: '00000001 8000 5', number: 99 } }));
  const both = [one.address, other.address];
  assert.match(refusal(await ask(both)), /another history/);
  const asked = await ask(both);
  assert.ok(asked.kind === 'none' && asked.floor === undefined);
  const floor = { history: timelineOne, number: 1 };
  assert.equal(handed(await ask(both, { floor })).address, one.address);
});

test('what a peer that is gone by now was known to have is not undercut by one that is behind', async () => {
  await using stack = new AsyncDisposableStack();
  const behind = stack.use(await handingPeer({ place: { history: timelineOne, number: 41 } }));
  // It says where it is, and breaks when all is asked of it.
  const first = stack.use(await sayingPeer([{ history: timelineOne, number: 42, keptMs, peers: [] }]));
  const asked = await ask([behind.address, first.address]);
  assert.match(refusal(asked), /it ended in the middle/);
  assert.ok(asked.kind === 'none');
  assert.deepEqual(asked.floor, { history: timelineOne, number: 42 });
  assert.ok(asked.floor !== undefined);
  assert.match(refusal(await ask([behind.address], { floor: asked.floor })), /42 is known/);
});

test('nobody hands over what it does not know whole', async () => {
  await using peer = await handingPeer();
  peer.place = undefined;
  assert.match(refusal(await ask([peer.address])), /its store goes back/);
  peer.place = { history: timelineOne, number: 42 };
  peer.isPast = true;
  assert.match(refusal(await ask([peer.address])), /away for too long/);
  peer.isPast = false;
  assert.match(refusal(await ask([peer.address], { kept: keptMs + 1 })), /for less long/);
  assert.match(refusal(await ask([peer.address], { identity: peer.identity })), /it is this gateway/);
  await using full = await handingPeer({ ended: new EndedSessions(keptMs, 1) });
  end(full, 'one', 1);
  end(full, 'two', 2);
  assert.match(refusal(await ask([full.address])), /too many sessions ended lately/);
});

/** A peer of the authority that sends these lines and ends. */
async function sayingPeer(
  lines: readonly object[],
  identity = newPeer(),
): Promise<AsyncDisposable & KnownPeer> {
  const server = createServer({
    ...identity.secureOptions(),
    requestCert: true,
    ALPNProtocols: [startProtocol],
  });
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const address = server.address() as { readonly port: number };
  return {
    address: `127.0.0.1:${address.port}`,
    incarnation: identity.incarnation,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const place = { history: timelineOne, number: 42, keptMs, peers: [] };
const identityLine = { identity: { version: 4, sealed: 'sealed' } };
const noCounts = { endings: 0, policies: 0, files: 0, grants: 0 };

test('what is cut off, lacks something or is none of it is not taken', async () => {
  const whole = [
    place,
    identityLine,
    { endings: [[1, 'a', 'ended', 'x']] },
    { end: { ...noCounts, endings: 1 } },
  ];
  await using good = await sayingPeer(whole);
  assert.equal(handed(await ask([good.address])).endings.length, 1);
  for (let kept = 1; kept < whole.length; kept += 1) {
    await using peer = await sayingPeer(whole.slice(0, kept));
    assert.match(refusal(await ask([peer.address])), /it ended in the middle/, `${kept} lines`);
  }
  for (const wrong of [
    [place, identityLine, { end: { ...noCounts, endings: 1 } }],
    [place, { end: noCounts }],
    [place, identityLine, { endings: [[1, 'a', 'alive', 'x']] }, { end: { ...noCounts, endings: 1 } }],
    [place, identityLine, { endings: [[-1, 'a', 'ended', 'x']] }, { end: { ...noCounts, endings: 1 } }],
    [place, identityLine, { policy: { ...policy, number: 'three' } }, { end: { ...noCounts, policies: 1 } }],
    [{ ...place, number: 4.5 }],
    [{ ...place, history: 7 }],
    [],
  ]) {
    await using peer = await sayingPeer(wrong);
    refusal(await ask([peer.address]));
  }
});

test('members that a later version adds are passed over', async () => {
  await using peer = await sayingPeer([
    { ...place, later: 1 },
    { ...identityLine, later: 1 },
    { policy: { ...policy, later: 1 }, later: 1 },
    { end: { ...noCounts, policies: 1, hasPolicies: true, later: 1 } },
  ]);
  assert.deepEqual(handed(await ask([peer.address])).policies, [policy]);
});

test('a line without an end takes no more memory than a line may', async () => {
  await using peer = await sayingPeer([place, { identity: { version: 1, sealed: 'x'.repeat(5_000_000) } }]);
  assert.match(refusal(await ask([peer.address])), /it ended in the middle/);
});

test('who is none of the gateways is neither asked nor told', async () => {
  const stranger = createEphemeralAuthority(Date.now(), 'upstreamproxy peers');
  await using peer = await handingPeer();
  const outside = new PeerIdentity('cd'.repeat(16), stranger, Date.now);
  refusal(await ask([peer.address], { identity: outside }));
  await using false_ = await sayingPeer([place, identityLine, { end: noCounts }], outside);
  refusal(await ask([false_.address]));
});

async function connected(peer: Handing): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: peer.port,
    servername: 'peer.test',
    ALPNProtocols: [startProtocol],
    checkServerIdentity: () => undefined,
    ...newPeer().secureOptions(),
    ca: peerAuthority.certificatesPem,
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** Asks for all of it, and reads no further than its first line. */
async function slowOne(peer: Handing): Promise<TLSSocket> {
  const socket = await connected(peer);
  socket.write('{"want":"all"}\n');
  await once(socket, 'data');
  socket.pause();
  return socket;
}

/** More than the way to one that does not read holds. */
const muchText = Array.from({ length: 24 }, (_, i) => ({ name: `${i}.yaml`, text: 'x'.repeat(1_000_000) }));

test('a published file that is longer than a line arrives whole, among short and empty ones, in their order', async () => {
  const files = [
    { name: 'short.yaml', text: 'rules: [] # ä' },
    { name: 'empty.yaml', text: '' },
    // Of three octets each: no piece ends where a character does.
    { name: 'long.yaml', text: '€'.repeat(1_500_000) },
    { name: 'behind.yaml', text: 'rules: []' },
  ];
  await using peer = await handingPeer({
    files: new Map([
      ['h3', files],
      ['h4', files.slice(0, 1)],
    ]),
  });
  const arrived = handed(await ask([peer.address])).files;
  assert.deepEqual([...arrived.keys()], ['h3', 'h4']);
  assert.deepEqual(
    arrived.get('h3')?.map(({ name }) => name),
    files.map(({ name }) => name),
  );
  assert.ok(files.every(({ text }, i) => arrived.get('h3')?.[i]?.text === text));
  assert.deepEqual(arrived.get('h4'), files.slice(0, 1));
});

test('a file of which a piece is missing is not taken', async () => {
  const piece = { file: { hash: 'h3', name: 'a.yaml', data: Buffer.from('rules').toString('base64') } };
  await using peer = await sayingPeer([place, identityLine, piece, { end: { ...noCounts, files: 2 } }]);
  assert.match(refusal(await ask([peer.address])), /it ended in the middle/);
});

test('only so many are handed it at once, and who waits hears how far it is: one that knows less is not believed', async () => {
  await using stack = new AsyncDisposableStack();
  const peer = stack.use(await handingPeer({ files: new Map([['h3', muchText]]) }));
  const stale = stack.use(await handingPeer({ place: { history: timelineOne, number: 30 } }));
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < defaultLimits.peerStartsServedMax; i += 1) sockets.push(await slowOne(peer));
  const asked = await ask([peer.address, stale.address]);
  assert.match(refusal(asked), /it hands others what they ask for/);
  assert.match(refusal(asked), /it is at change 30, and 42 is known/);
  for (const socket of sockets) socket.destroy();
  // One that has gone makes room.
  for (;;) {
    const again = await ask([peer.address, stale.address]);
    if (again.kind === 'handed') {
      assert.equal(again.start.address, peer.address);
      break;
    }
    assert.match(refusal(again), /it hands others what they ask for/);
  }
});

test('one that asks for nothing holds nobody up, and is cut off', async () => {
  await using peer = await handingPeer();
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < defaultLimits.peerStartsServedMax; i += 1) {
    const socket = await connected(peer);
    // Its line has no end.
    socket.write('{');
    socket.resume();
    sockets.push(socket);
  }
  const closed = sockets.map((socket) => once(socket, 'close'));
  assert.equal(handed(await ask([peer.address])).place.number, 42);
  await Promise.all(closed);
});

test('without a floor nobody is believed while one cannot say yet how far it is', async () => {
  await using stack = new AsyncDisposableStack();
  const fresh = stack.use(await handingPeer());
  fresh.place = undefined;
  const stale = stack.use(await handingPeer({ place: { history: timelineOne, number: 30 } }));
  const both = [fresh.address, stale.address];
  const asked = await ask(both);
  assert.match(refusal(asked), /its store goes back/);
  // The next round holds to that too.
  assert.ok(asked.kind === 'none' && asked.floor === undefined);
  const floor = { history: timelineOne, number: 30 };
  assert.equal(handed(await ask(both, { floor })).address, stale.address);
});

test('one that may not hand it over says how far it is, and who knows less is not believed', async () => {
  await using stack = new AsyncDisposableStack();
  const past = stack.use(await handingPeer());
  past.isPast = true;
  const stale = stack.use(await handingPeer({ place: { history: timelineOne, number: 30 } }));
  const equal = stack.use(await handingPeer());
  assert.match(refusal(await ask([past.address, stale.address])), /it is at change 30, and 42 is known/);
  const found = handed(await ask([past.address, stale.address, equal.address]));
  assert.equal(found.address, equal.address);
});

test('what a peer does not know is not told as none, and a start that needs it is refused', async () => {
  await using without = await handingPeer({ policies: undefined, grants: undefined });
  const address = without.address;
  const { policies, grants } = handed(await ask([address]));
  assert.deepEqual([policies, grants], [undefined, undefined]);
  const options = { identity: newPeer(), floor: undefined, keptMs };
  const needed = { policies: true, grants: true };
  assert.match(refusal(await askPeers([address], { ...options, needed })), /policies are published/);
  const grantsOnly = { policies: false, grants: true };
  assert.match(refusal(await askPeers([address], { ...options, needed: grantsOnly })), /what was granted/);
  await using none = await handingPeer({ policies: [], grants: [] });
  const facts = handed(await askPeers([none.address], { ...options, needed }));
  assert.deepEqual([facts.policies, facts.grants], [[], []]);
});

/** The files of a policy; told when they are handed over. */
function filesThat(then: () => void): KnownFacts['files'] {
  const files = new Map([['h3', [{ name: 'a.yaml', text: 'rules: []' }]]]);
  files[Symbol.iterator] = () => {
    then();
    return files.entries();
  };
  return files;
}

test('the time that it takes to hand it over is time without the store', async () => {
  let nowMs = 1_000_000;
  await using peer = await handingPeer({ awayMs: 7000, files: filesThat(() => (nowMs += 50_000)) });
  const options = { identity: newPeer(), floor: undefined, keptMs, ticks: () => nowMs };
  const asked = await askPeers([peer.address], options);
  assert.ok(asked.kind === 'handed');
  assert.deepEqual([asked.start.seenMs, nowMs], [993_000, 1_050_000]);
});

test('what is not whole any more by its end, or is of another history by then, is not handed over', async () => {
  await using full = await handingPeer({
    ended: new EndedSessions(keptMs, 1),
    files: filesThat(() => {
      end(full, 'one', 1);
      end(full, 'two', 2);
    }),
  });
  assert.match(refusal(await ask([full.address])), /it ended in the middle/);
  await using back = await handingPeer({
    files: filesThat(() => (back.place = { history: timelineTwo, number: 42 })),
  });
  assert.match(refusal(await ask([back.address])), /it ended in the middle/);
});
