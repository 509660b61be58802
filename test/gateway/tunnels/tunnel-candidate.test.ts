// Fresh tunnels of agents that are challenged, over plain HTTP: what a copy of their start is worth, and what else comes before they have shown
// whose they are.

import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';

import { identifyLink } from '../../../src/agent/uplink/tunnel-identity.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import { TunnelServer } from '../../../src/gateway/tunnels/tunnel-server.ts';
import { MessageFrames } from '../../../src/net/message-frames.ts';
import { TunnelLink } from '../../../src/net/tunnel-link.ts';
import type { WebSocketConnection } from '../../../src/net/websocket-connection.ts';
import { connectWebSocket } from '../../../src/net/websocket-handshake.ts';
import { WebSocketRefusedError } from '../../../src/net/websocket-refusal.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { errorCodeOfWire } from '../../../src/protocol/error-table.ts';
import {
  chunkSubprotocol,
  type Frame,
  type ResumableFrame,
  tunnelSubprotocol,
} from '../../../src/protocol/frame.ts';
import { encodeFrame } from '../../../src/protocol/frame-codec.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import type { Challenge } from '../../../src/protocol/link-proof.ts';
import { sessionCommitPath, sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import { identify } from '../../../src/protocol/tunnel-identity.ts';
import { askedStore, type StoreAbsence, StoreOutage } from '../../../src/store/store-outage.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { waitUntil } from '../../support/program.ts';
import {
  type AgentKey,
  createAgentKey,
  openTestSessions,
  origin,
  proofOf,
  startMs,
  type TestSessions,
} from '../session-fixture.ts';

type Fields = readonly (readonly [string, string])[];

interface Agent {
  readonly sessionId: string;
  readonly key: AgentKey;
  readonly accessToken: string;
}

/** A connection of whoever has the fields of an upgrade. */
interface Caller {
  readonly webSocket: WebSocketConnection;
  /** The frames of the next message. Undefined where the connection ended. */
  next(): Promise<readonly Frame[] | undefined>;
  send(...frames: readonly Frame[]): void;
}

interface Gateway {
  readonly sessions: TestSessions;
  readonly tunnels: TunnelServer;
  readonly port: number;
  /** Of streams that were taken up. */
  readonly opened: string[];
  /** Alarms: what was refused, of which session. */
  readonly refused: (readonly [message: string, sessionId: string])[];
}

interface Scene extends AsyncDisposable {
  /** With one store. Each remembers for itself what it has seen. */
  readonly gateways: readonly [Gateway, Gateway];
  readonly agent: Agent;
}

async function openGateway(
  stack: AsyncDisposableStack,
  sessions: TestSessions,
  limits: Limits,
): Promise<Gateway> {
  const opened: string[] = [];
  const refused: (readonly [string, string])[] = [];
  const parts = {
    limits,
    held: new HeldOctets(limits),
    unread: new HeldOctets(limits, unreadBounds),
    clock: () => sessions.nowMs(),
    // Every stream is refused, once it was looked at.
    budgets: {
      admitStream: (sessionId: string) => {
        opened.push(sessionId);
        throw new ProxyError('limit_exceeded', 'no streams here');
      },
      takeRefusedStreams: () => undefined,
    },
  } as unknown as StreamParts;
  const tunnels = new TunnelServer({
    sessions: sessions.service,
    parts,
    publicOrigins: [origin],
    incarnation: newIncarnation(newGatewayName()),
    signingKey: createSigningKey(),
    onResumeRefused: (error, { sessionId }) => refused.push([error.message, sessionId]),
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => void tunnels.handleUpgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  stack.defer(() => tunnels.destroy());
  return { sessions, tunnels, port: (server.address() as AddressInfo).port, opened, refused };
}

interface SceneOptions {
  readonly store?: Store;
  readonly limits?: Partial<Limits>;
  readonly absence?: StoreAbsence;
}

async function openScene({ absence, ...options }: SceneOptions = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const limits = { ...defaultLimits, ...options.limits };
  const store = options.store ?? (await openStore('sqlite::memory:'));
  const signingKey = createSigningKey();
  const away = absence === undefined ? {} : { absence };
  const mine = stack.use(await openTestSessions({ store, signingKey, limits, ...away }));
  const shared = { ...store, close: async () => undefined };
  const theirs = stack.use(await openTestSessions({ store: shared, signingKey, limits, ...away }));
  const gateways = [
    await openGateway(stack, mine, limits),
    await openGateway(stack, theirs, limits),
  ] as const;
  const agent = await enrolled(mine);
  const owned = stack.move();
  return { gateways, agent, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function enrolled(sessions: TestSessions): Promise<Agent> {
  const { sessionId, key, request } = await sessions.enrol(sessions.token());
  const { access_token: accessToken } = await sessions.service.commit(request('POST', sessionCommitPath));
  return { sessionId, key, accessToken };
}

function upgradeOf({ key, accessToken }: Agent, nowMs: number, claims: object = { challenge: true }): Fields {
  const url = `${origin}${tunnelPath}`;
  const proof = proofOf(key, { method: 'GET', url, nowMs, accessToken, claims: { ...claims } });
  return [
    ['authorization', `DPoP ${accessToken}`],
    ['dpop', proof],
  ];
}

async function call(
  port: number,
  headers: Fields,
  options: { readonly subprotocol?: string; readonly resume?: string } = {},
): Promise<Caller> {
  const { subprotocol = tunnelSubprotocol, ...rest } = options;
  const webSocket = await connectWebSocket({
    socket: connect(port, '127.0.0.1'),
    host: new URL(origin).host,
    path: tunnelPath,
    subprotocols: [subprotocol],
    headers,
    limits: defaultLimits,
    ...rest,
  });
  const messages: (readonly Frame[])[] = [];
  const waiting: ((frames: readonly Frame[] | undefined) => void)[] = [];
  let isOver = false;
  const frames = new MessageFrames(defaultLimits);
  let isStarted = false;
  const start = (): void => {
    if (isStarted) return;
    isStarted = true;
    webSocket.start({
      onData: (part) => frames.push(part),
      onMessageEnd: () => {
        // What comes here has no frames of data.
        const message = frames.take() as readonly Frame[];
        const next = waiting.shift();
        if (next === undefined) messages.push(message);
        else next(message);
      },
      onClose: () => {
        isOver = true;
        for (const next of waiting) next(undefined);
      },
    });
  };
  return {
    webSocket,
    next: async () => {
      start();
      const message = messages.shift();
      if (message !== undefined || isOver) return message;
      return await new Promise((resolve) => void waiting.push(resolve));
    },
    send: (...sent) => void webSocket.sendBinary(sent.map((frame) => encodeFrame(frame))),
  };
}

/** The status that an upgrade was refused with. */
async function statusOf(calling: Promise<unknown>): Promise<number> {
  try {
    await calling;
  } catch (error) {
    if (error instanceof WebSocketRefusedError) return error.status;
    throw error;
  }
  return 101;
}

async function challengeOf(caller: Caller): Promise<Challenge> {
  const [frame, ...rest] = (await caller.next()) ?? [];
  assert.ok(frame?.type === 'challenge' && rest.length === 0, JSON.stringify(frame));
  return frame;
}

const agentOf = ({ key }: Pick<Agent, 'key'>, dialled = origin) => ({
  origin: dialled,
  exporter: undefined,
  modes: [],
  sign: async (text: Uint8Array) => new Uint8Array(sign(null, text, key.privateKey)),
});

/** Why the gateway ends it; nothing else comes before. */
async function endOf(caller: Caller): Promise<string> {
  const [frame, ...rest] = (await caller.next()) ?? [];
  assert.ok(frame?.type === 'goaway' && rest.length === 0, JSON.stringify(frame));
  assert.equal(frame.lastStreamId, 0);
  assert.equal(await caller.next(), undefined);
  return errorCodeOfWire(frame.code);
}

/** The agent's own code, to the tunnel that comes of it. */
async function openTunnel(
  { port, sessions }: Gateway,
  agent: Agent,
): Promise<{ readonly link: TunnelLink; readonly ticket: Promise<ResumableFrame> }> {
  const { webSocket } = await call(port, upgradeOf(agent, sessions.nowMs()), { resume: 'agree' });
  assert.equal(webSocket.isChallenged, true);
  const limits = defaultLimits;
  const { begin } = await identifyLink({ webSocket, agent: agentOf(agent), limits, signal: undefined });
  const told = Promise.withResolvers<ResumableFrame>();
  const link = new TunnelLink({
    webSocket,
    begin,
    role: 'agent',
    limits,
    isResumable: true,
    onResumable: (frame) => told.resolve(frame),
  });
  return { link, ticket: told.promise };
}

const open: Frame = { type: 'open', streamId: 1, fields: { authority: 'a.test:443', mode: 'raw' } };

test('an agent that shows whose it is has a tunnel, and what it asks for right behind is looked at', async () => {
  await using scene = await openScene();
  const { agent } = scene;
  const [gateway] = scene.gateways;
  const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
  const challenge = await challengeOf(caller);
  assert.equal(gateway.tunnels.tunnelCount, 0);
  // In one write, before the gateway has said anything.
  caller.send(await identify(challenge, agentOf(agent)));
  caller.send(open);
  const types: string[] = [];
  while (!types.includes('refuse'))
    types.push(...((await caller.next()) ?? assert.fail(types.join(' '))).map(({ type }) => type));
  assert.deepEqual(gateway.opened, [agent.sessionId]);
  assert.equal(gateway.tunnels.tunnelCount, 1);
  const { link, ticket } = await openTunnel(gateway, agent);
  assert.equal((await ticket).windowMs, defaultLimits.resumeWindowMs);
  assert.ok((await link.roundTrip()) >= 0);
  assert.equal(gateway.tunnels.tunnelCount, 2);
  link.destroy();
  caller.webSocket.destroy();
  assert.deepEqual(gateway.refused, []);
});

test('before the agent has shown whose it is nothing else is taken, and nothing is served', async () => {
  await using scene = await openScene();
  const [gateway] = scene.gateways;
  const { agent } = scene;
  for (const first of [
    async () => [open],
    async () => [{ type: 'ping', nonce: 1 } satisfies Frame],
    async (challenge: Challenge) => [await identify(challenge, agentOf(agent)), open],
    async (challenge: Challenge) => [open, await identify(challenge, agentOf(agent))],
    async (challenge: Challenge) => [challenge],
    async () => [],
  ]) {
    const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
    const challenge = await challengeOf(caller);
    caller.send(...(await first(challenge)));
    assert.equal(await endOf(caller), 'frame_unexpected');
  }
  assert.equal(gateway.tunnels.tunnelCount, 0);
  assert.deepEqual(gateway.opened, []);
});

test('whose it is can be said once', async () => {
  await using scene = await openScene();
  const [gateway] = scene.gateways;
  const caller = await call(gateway.port, upgradeOf(scene.agent, gateway.sessions.nowMs()));
  const identity = await identify(await challengeOf(caller), agentOf(scene.agent));
  caller.send(identity);
  caller.send(identity);
  assert.equal(await endOf(caller), 'frame_unexpected');
});

async function copiedUpgrade({ gateways: [one, other], agent }: Scene): Promise<void> {
  const upgrade = upgradeOf(agent, one.sessions.nowMs());
  const first = await call(one.port, upgrade);
  const identity = await identify(await challengeOf(first), agentOf(agent));
  first.send(identity);
  await waitUntil('the tunnel is there', () => one.tunnels.tunnelCount === 1);
  assert.equal(await statusOf(call(one.port, upgrade)), 401);
  // The other one is also what a gateway is after a restart: it remembers nothing of before.
  const copy = await call(other.port, upgrade);
  const challenge = await challengeOf(copy);
  copy.send(identity);
  assert.equal(await endOf(copy), 'proof_invalid');
  assert.deepEqual(other.refused, [
    [
      'The proof of the tunnel is not acceptable: it is not signed by the key of the session for this challenge.',
      agent.sessionId,
    ],
  ]);
  assert.equal(await statusOf(call(other.port, upgrade)), 401);
  const again = await call(other.port, upgradeOf(agent, other.sessions.nowMs()));
  await challengeOf(again);
  again.send(await identify(challenge, agentOf(agent)));
  assert.equal(await endOf(again), 'proof_invalid');
  assert.equal(other.tunnels.tunnelCount, 0);
  // The agent itself is served there all the time.
  const { link } = await openTunnel(other, agent);
  assert.ok((await link.roundTrip()) >= 0);
  assert.equal(other.tunnels.tunnelCount, 1);
  link.destroy();
  assert.equal(one.tunnels.tunnelCount, 1);
  first.webSocket.destroy();
}

test('a copied upgrade is refused where it was seen, and gets a challenge and nothing else elsewhere', async () => {
  await using scene = await openScene();
  await copiedUpgrade(scene);
});

test('a copied upgrade is worth no more while the store is away', async () => {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore('sqlite::memory:'));
  let isAway = false;
  const away = new ProxyError('store_unavailable', 'away');
  const outage = stack.use(
    new StoreOutage({
      probe: async () => {
        if (isAway) throw away;
      },
      outageMs: 3_600_000,
      clock: () => startMs,
      ticks: () => 0,
    }),
  );
  const asked = { ...askedStore(store, outage), close: async () => undefined };
  const scene = stack.use(await openScene({ store: asked, absence: outage }));
  isAway = true;
  await outage.ask(async () => undefined);
  await outage.confirm();
  assert.notEqual(outage.sinceMs, undefined);
  await copiedUpgrade(scene);
});

test('whoever has the upgrade without the key gets nothing, nor does an agent that dialled another gateway', async () => {
  await using scene = await openScene();
  const [gateway] = scene.gateways;
  const { agent } = scene;
  const stranger = { key: createAgentKey() };
  for (const [who, dialled] of [
    [stranger, origin],
    [agent, 'https://other.test'],
    [agent, `${origin}/`],
    [agent, 'http://gateway.test:8443'],
  ] as const) {
    const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
    caller.send(await identify(await challengeOf(caller), agentOf(who, dialled)));
    assert.equal(await endOf(caller), 'proof_invalid');
  }
  assert.equal(gateway.refused.length, 4);
  assert.equal(gateway.tunnels.tunnelCount, 0);
});

test('an upgrade that is for a challenge opens no connection of the chunk protocol, and is no request of another kind', async () => {
  await using scene = await openScene();
  const [gateway, other] = scene.gateways;
  const { agent } = scene;
  for (const { port } of scene.gateways) {
    const upgrade = upgradeOf(agent, gateway.sessions.nowMs());
    assert.equal(await statusOf(call(port, upgrade, { subprotocol: chunkSubprotocol })), 400);
  }
  // Both are offered: it is the tunnel, with its challenge.
  const both = await call(other.port, upgradeOf(agent, other.sessions.nowMs()), {
    subprotocol: `${chunkSubprotocol}, ${tunnelSubprotocol}`,
  }).catch((error: unknown) => error);
  assert.equal((both as ProxyError).code, 'gateway_protocol');
  assert.equal(other.tunnels.tunnelCount, 0);
  const { service } = gateway.sessions;
  const nowMs = gateway.sessions.nowMs();
  const url = `${origin}${sessionPath}`;
  const request = (challenge: unknown) => ({
    authorization: `DPoP ${agent.accessToken}`,
    proof: proofOf(agent.key, { url, nowMs, accessToken: agent.accessToken, claims: { challenge } }),
    method: 'POST',
    url,
    nowMs,
  });
  for (const challenge of [true, false, null])
    await assert.rejects(service.renew(request(challenge)), { code: 'proof_invalid' });
  for (const challenge of [false, null, 1, 'true', {}])
    assert.equal(await statusOf(call(gateway.port, upgradeOf(agent, nowMs, { challenge }))), 401);
});

test('a tunnel that is challenged asks nothing of the store', async () => {
  const store = await openStore('sqlite::memory:');
  const asked: string[] = [];
  const counted = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          asked.push(String(name));
          return Reflect.apply(value, target, args);
        };
      },
    });
  const parts = { sessions: counted(store.sessions), proofs: counted(store.proofs) };
  await using scene = await openScene({ store: { ...store, ...parts } });
  for (const gateway of scene.gateways) {
    asked.length = 0;
    const { link } = await openTunnel(gateway, scene.agent);
    assert.ok((await link.roundTrip()) >= 0);
    assert.deepEqual(
      asked.filter((name) => name !== 'endingsSince'),
      [],
    );
    link.destroy();
  }
});

test('a session that ends before its agent has shown whose it is has no tunnel', async () => {
  await using scene = await openScene();
  const [gateway] = scene.gateways;
  const { agent } = scene;
  const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
  await challengeOf(caller);
  await gateway.sessions.service.revoke(agent.sessionId, 'stolen');
  assert.equal(await endOf(caller), 'session_revoked');
  assert.equal(gateway.tunnels.tunnelCount, 0);
  assert.equal(await statusOf(call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()))), 403);
});

test('those that have not shown whose they are are bounded for each session, and take nothing of its tunnels', async () => {
  await using scene = await openScene({ limits: { tunnelsPerSessionMax: 2 } });
  const [gateway] = scene.gateways;
  const { agent } = scene;
  const upgrade = (): Fields => upgradeOf(agent, gateway.sessions.nowMs());
  // One of two that waits for another connection.
  const idle = await openTunnel(gateway, agent);
  await idle.ticket;
  await idle.link.roundTrip();
  const used = await openTunnel(gateway, agent);
  idle.link.detach();
  await waitUntil('one waits', () => gateway.tunnels.waitingCount === 1);
  const pending = [await call(gateway.port, upgrade()), await call(gateway.port, upgrade())];
  const challenges = [];
  for (const caller of pending) challenges.push(await challengeOf(caller));
  assert.equal(await statusOf(call(gateway.port, upgrade())), 429);
  const other = await enrolled(gateway.sessions);
  const theirs = await openTunnel(gateway, other);
  // The one that waits is there as before, until somebody has shown that it may take its place.
  assert.equal(gateway.tunnels.waitingCount, 1);
  for (const [at, challenge] of challenges.entries())
    pending[at]?.send(await identify(challenge, agentOf(agent)));
  await waitUntil('it made room', () => gateway.tunnels.waitingCount === 0);
  // For one of the two.
  assert.equal(await endOf(pending[1] as Caller), 'limit_exceeded');
  assert.equal(gateway.tunnels.tunnelCount, 3);
  for (const { link } of [used, theirs]) link.destroy();
  for (const { webSocket } of pending) webSocket.destroy();
});

test('an agent that does not show whose it is in time is gone', async () => {
  await using scene = await openScene({ limits: { handshakeTimeoutMs: 50 } });
  const [gateway] = scene.gateways;
  const caller = await call(gateway.port, upgradeOf(scene.agent, gateway.sessions.nowMs()));
  await challengeOf(caller);
  assert.equal(await endOf(caller), 'timeout');
});

test('a tunnel of which the gateway knows only once it drains is served, and goes elsewhere', async () => {
  await using scene = await openScene();
  const [gateway] = scene.gateways;
  const { agent } = scene;
  const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
  const challenge = await challengeOf(caller);
  const drained = gateway.tunnels.drain(60_000);
  caller.send(await identify(challenge, agentOf(agent)));
  caller.send(open);
  const types: string[] = [];
  while (!types.includes('goaway') || !types.includes('refuse'))
    types.push(...((await caller.next()) ?? assert.fail(types.join(' '))).map(({ type }) => type));
  assert.deepEqual(gateway.opened, [agent.sessionId]);
  caller.webSocket.destroy();
  await drained;
  assert.equal(await statusOf(call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()))), 503);
});

test('one that shows whose it is while others are told one after the other goes elsewhere too', async () => {
  // The second one is told a second after the first.
  await using scene = await openScene({ limits: { drainedTunnelsPerSecond: 1 } });
  const [gateway] = scene.gateways;
  const { agent } = scene;
  const told = [await openTunnel(gateway, agent), await openTunnel(gateway, agent)];
  for (const { ticket } of told) await ticket;
  const caller = await call(gateway.port, upgradeOf(agent, gateway.sessions.nowMs()));
  const challenge = await challengeOf(caller);
  const drained = gateway.tunnels.drain(60_000);
  caller.send(await identify(challenge, agentOf(agent)));
  const [frame] = (await caller.next()) ?? [];
  assert.equal(frame?.type, 'goaway');
  caller.webSocket.destroy();
  for (const { link } of told) await link[Symbol.asyncDispose]();
  await drained;
});

test('an agent of the version before has its tunnel at once, and its proof counts once at all gateways', async () => {
  await using scene = await openScene();
  const [one, other] = scene.gateways;
  const upgrade = upgradeOf(scene.agent, one.sessions.nowMs(), {});
  const caller = await call(one.port, upgrade);
  assert.equal(caller.webSocket.isChallenged, false);
  await waitUntil('the tunnel is there', () => one.tunnels.tunnelCount === 1);
  for (const { port } of [one, other]) assert.equal(await statusOf(call(port, upgrade)), 401);
  caller.webSocket.destroy();
});
