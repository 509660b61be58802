// Upgrades of sessions as an agent asks for them, over plain HTTP: what is asked here is who gets a tunnel and who keeps it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { WebSocket } from 'ws';

import { LearnedIds } from '../../../src/gateway/exchange/learned-ids.ts';
import { ListedTools } from '../../../src/gateway/exchange/listed-tools.ts';
import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import { LoopWatch } from '../../../src/gateway/tunnels/loop-watch.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import { TunnelServer } from '../../../src/gateway/tunnels/tunnel-server.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits, type LimitName, type Limits } from '../../../src/protocol/limits.ts';
import { chunkSubprotocol, tunnelSubprotocol } from '../../../src/protocol/frame.ts';
import { tunnelPath } from '../../../src/protocol/session-messages.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { SessionRecord, Store } from '../../../src/store/store.ts';
import { waitUntil } from '../../support/program.ts';
import { openTestSessions, origin, type TestAgent, type TestSessions } from '../session-fixture.ts';

interface Scene extends AsyncDisposable {
  readonly sessions: TestSessions;
  readonly tunnels: TunnelServer;
  readonly reached: readonly LimitName[];
  /** Sessions whose bytes the loop worked on. */
  readonly held: ReadonlySet<string>;
  /** A WebSocket of the agent: open, or what it was refused with. */
  open(agent: TestAgent, subprotocol: string): Promise<WebSocket | number>;
}

async function openScene(options: { store?: Store; limits?: Partial<Limits> } = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const limits = { ...defaultLimits, ...options.limits };
  const sessions = stack.use(
    await openTestSessions({ ...(options.store === undefined ? {} : { store: options.store }), limits }),
  );
  const reached: LimitName[] = [];
  const held = new Set<string>();
  // No stream is opened here, so of its parts nothing else is used.
  const parts = {
    limits,
    budgets: new SessionBudgets(memoryBudgets(), { limits }),
    tools: new ListedTools(),
    ids: new LearnedIds(new HeldOctets(limits)),
    held: new HeldOctets(limits),
    unread: new HeldOctets(limits, unreadBounds),
    clock: () => sessions.nowMs(),
    onLimit: (limit: LimitName) => reached.push(limit),
    // Every turn counts as a stall.
    loopWatch: new LoopWatch({ stallMs: 0, onStall: ({ sessionId }) => held.add(sessionId) }),
  } as unknown as StreamParts;
  const signingKey = createSigningKey();
  const tunnels = new TunnelServer({
    sessions: sessions.service,
    parts,
    publicOrigins: [origin],
    incarnation: newIncarnation(newGatewayName()),
    signingKey,
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => void tunnels.handleUpgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  stack.defer(() => tunnels.destroy());
  const { port } = server.address() as AddressInfo;
  const owned = stack.move();
  return {
    sessions,
    tunnels,
    reached,
    held,
    open: async (agent, subprotocol) => {
      const { authorization, proof } = agent.request('GET', tunnelPath);
      const headers = { host: new URL(origin).host, authorization: authorization!, dpop: proof! };
      const socket = new WebSocket(`ws://127.0.0.1:${port}${tunnelPath}`, subprotocol, { headers });
      const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
      socket.on('open', () => resolve(socket));
      socket.on('unexpected-response', (request, response) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
      socket.on('error', () => undefined);
      return await promise;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A store in which somebody else, such as a command, revokes a session right after it was found alive. */
async function revokingStore(): Promise<Store & { arm(): void }> {
  const store = await openStore('sqlite::memory:');
  let armed = false;
  const find = async (id: string): Promise<SessionRecord | undefined> => {
    const found = await store.sessions.find(id);
    if (armed) {
      armed = false;
      await store.sessions.end(id, { state: 'revoked', reason: 'stolen' }, Date.now());
    }
    return found;
  };
  const sessions = new Proxy(store.sessions, {
    // Methods of the real store, but for one.
    get: (target, name) =>
      name === 'find' ? find : (Reflect.get(target, name) as () => unknown).bind(target),
  });
  return { ...store, sessions, arm: () => void (armed = true) };
}

for (const subprotocol of ['upstreamproxy.v1', 'upstreamproxy.chunk']) {
  test(`a session that is revoked while its tunnel opens does not keep the tunnel (${subprotocol})`, async () => {
    const store = await revokingStore();
    // Nothing else ends it.
    const limits = { pingTimeoutMs: 600_000, headTimeoutMs: 600_000 };
    await using scene = await openScene({ store, limits });
    const agent = await scene.sessions.enrol(scene.sessions.token());
    store.arm();
    const socket = await scene.open(agent, subprotocol);
    assert.ok(socket instanceof WebSocket);
    await waitUntil('the tunnel is gone', () => scene.tunnels.tunnelCount === 0);
    if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close');
    assert.equal(await scene.open(agent, subprotocol), 403);
  });
}

test('a session has no more connections of the seed protocol than streams, and others still get theirs', async () => {
  await using scene = await openScene({ limits: { streamsMax: 3 } });
  const agent = await scene.sessions.enrol(scene.sessions.token());
  const other = await scene.sessions.enrol(scene.sessions.token());
  for (let count = 0; count < 3; count++)
    assert.ok((await scene.open(agent, 'upstreamproxy.chunk')) instanceof WebSocket);
  assert.equal(await scene.open(agent, 'upstreamproxy.chunk'), 429);
  assert.deepEqual(scene.reached, ['streamsMax']);
  assert.ok((await scene.open(other, 'upstreamproxy.chunk')) instanceof WebSocket);
});

for (const protocol of [tunnelSubprotocol, chunkSubprotocol]) {
  test(`what arrives by ${protocol} is work of its session`, async () => {
    await using scene = await openScene();
    const agent = await scene.sessions.enrol(scene.sessions.token());
    const socket = await scene.open(agent, protocol);
    assert.ok(socket instanceof WebSocket);
    // No frame and no chunk, which is all the same here.
    socket.send(Buffer.from([0xff, 0xff, 0xff]));
    await waitUntil('the loop worked on it', () => Promise.resolve(scene.held.has(agent.sessionId)));
    socket.terminate();
  });
}
