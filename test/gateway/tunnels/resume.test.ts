// Who may go on with a tunnel, over plain HTTP: agents with their own code, and others who know a part of what it takes.

import assert from 'node:assert/strict';
import { randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Duplex, Transform } from 'node:stream';
import { test } from 'node:test';

import type { AgentSession } from '../../../src/agent/uplink/enrol.ts';
import { openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { TunnelClient } from '../../../src/agent/uplink/tunnel-client.ts';
import { resumeTunnel } from '../../../src/agent/uplink/tunnel-resume.ts';
import { peerProtocol } from '../../../src/gateway/peers/peer-identity.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { encodePassedStart } from '../../../src/gateway/tunnels/passed-start.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import { newGatewayName, newIncarnation } from '../../../src/gateway/tunnels/incarnation.ts';
import type { TunnelPlaces } from '../../../src/gateway/tunnels/tunnel-places.ts';
import { type SplicedUpgrade, TunnelServer } from '../../../src/gateway/tunnels/tunnel-server.ts';
import { resumeNameOf } from '../../../src/net/resume-name.ts';
import { TunnelLink } from '../../../src/net/tunnel-link.ts';
import { connectWebSocket } from '../../../src/net/websocket-handshake.ts';
import type { WebSocketRefusedError } from '../../../src/net/websocket-refusal.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { type ResumableFrame, tunnelSubprotocol } from '../../../src/protocol/frame.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import { MemoryLogger, quickLimits } from '../../agent/support/enrolled.ts';
import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import {
  responseOf,
  FakeGateways,
  listeningPeer,
  type ListeningPeer,
  newPeer,
  peerTunnels,
} from '../peers/peer-scene.ts';
import { openTestSessions, origin, type TestAgent, type TestSessions } from '../session-fixture.ts';

interface AgentTunnel {
  readonly link: TunnelLink;
  readonly ticket: ResumableFrame;
}

interface Scene extends AsyncDisposable {
  readonly sessions: TestSessions;
  readonly tunnels: TunnelServer;
  readonly held: HeldOctets;
  /** What was refused, of which session. */
  readonly refused: readonly (readonly [message: string, sessionId: string])[];
  /** What became of the attempts. */
  readonly outcomes: readonly string[];
  enrol(): Promise<TestAgent>;
  open(agent: TestAgent): Promise<AgentTunnel>;
  /** The whole of an agent's tunnels. */
  client(agent: TestAgent, logger: MemoryLogger, random?: () => number): Promise<TunnelClient>;
  /** Where an attempt to go on with a tunnel is led, and when. */
  route: () => Promise<TunnelServer>;
  /** A gateway with the same sessions and other tunnels. */
  otherGateway(places?: TunnelPlaces): TunnelServer;
  /** Of the gateway that has the tunnels. */
  readonly incarnation: string;
  /** Breaks all connections without a word. */
  cut(): void;
  /** An attempt of the agent's own code with these facts. Gives the code of the error, or `goes on`. */
  resume(
    agent: TestAgent,
    tunnel: AgentTunnel,
    changes: { readonly epoch: number; readonly signer?: TestAgent },
  ): Promise<string>;
}

const signerOf =
  (agent: TestAgent) =>
  (text: Uint8Array): Promise<Uint8Array> =>
    Promise.resolve(new Uint8Array(sign(null, text, agent.key.privateKey)));

async function openScene(changes: Partial<Limits> = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const limits = { ...defaultLimits, ...changes };
  const sessions = stack.use(await openTestSessions({ limits }));
  const refused: (readonly [string, string])[] = [];
  const outcomes: string[] = [];
  const held = new HeldOctets(limits);
  // Every stream is refused, which is an end like any other.
  const parts = {
    limits,
    held,
    unread: new HeldOctets(limits, unreadBounds),
    clock: () => sessions.nowMs(),
    budgets: {
      admitStream: () => {
        throw new ProxyError('limit_exceeded', 'no streams here');
      },
      takeRefusedStreams: () => undefined,
    },
  } as unknown as StreamParts;
  const newName = (): string => newIncarnation(newGatewayName());
  const otherGateway = (places?: TunnelPlaces, incarnation = newName()): TunnelServer =>
    new TunnelServer({
      ...(places === undefined ? {} : { places }),
      sessions: sessions.service,
      parts,
      publicOrigins: [origin],
      incarnation,
      signingKey: createSigningKey(),
      onResume: (outcome) => outcomes.push(outcome),
      onResumeRefused: (error, { sessionId }) => refused.push([error.message, sessionId]),
    });
  const incarnation = newName();
  const tunnels = otherGateway(undefined, incarnation);
  const server = createServer();
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const goesOn = request.headers['upstreamproxy-resume'] !== 'agree';
    const at = goesOn ? scene.route() : Promise.resolve(tunnels);
    void at.then((gateway) => gateway.handleUpgrade(request, socket, head));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  stack.defer(() => tunnels.destroy());
  const { port } = server.address() as AddressInfo;
  const plain = openGateway(`http://127.0.0.1:${port}`, { ca: '', dangerouslyAllowPlainGateway: true });
  const gateway = { ...plain, address: { ...plain.address, hostField: new URL(origin).host } };
  const headersOf = (agent: TestAgent): readonly (readonly [string, string])[] => {
    const { authorization = '', proof = '' } = agent.request('GET', tunnelPath);
    return [
      ['authorization', authorization],
      ['dpop', proof],
    ];
  };
  const links = new Set<TunnelLink>();
  stack.defer(() => {
    for (const link of links) link.destroy();
  });
  const owned = stack.move();
  const scene: Scene = {
    sessions,
    tunnels,
    held,
    refused,
    outcomes,
    route: () => Promise.resolve(tunnels),
    otherGateway,
    incarnation,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    client: async (agent, logger, random = Math.random) => {
      const session = {
        gateway,
        authorize: () => Promise.resolve(headersOf(agent)),
        signText: signerOf(agent),
      } as unknown as AgentSession;
      const client = await TunnelClient.open({
        session,
        logger,
        limits: { ...quickLimits, ...changes },
        random,
      });
      owned.use(client);
      return client;
    },
    enrol: () => sessions.enrol(sessions.token()),
    open: async (agent) => {
      const webSocket = await connectWebSocket({
        socket: connect(port, '127.0.0.1'),
        host: gateway.address.hostField,
        path: tunnelPath,
        subprotocols: [tunnelSubprotocol],
        headers: headersOf(agent),
        resume: 'agree',
        limits,
      });
      assert.ok(webSocket.isResumable);
      const told = Promise.withResolvers<ResumableFrame>();
      const link = new TunnelLink({
        webSocket,
        role: 'agent',
        limits,
        isResumable: true,
        onResumable: (frame) => told.resolve(frame),
      });
      links.add(link);
      return { link, ticket: await told.promise };
    },
    resume: async (agent, { link, ticket }, { epoch, signer = agent }) => {
      // Of what an agent's session can do, this is what an attempt uses.
      const session = {
        gateway,
        authorize: () => Promise.resolve(headersOf(agent)),
        signText: signerOf(signer),
      } as unknown as AgentSession;
      try {
        await resumeTunnel({
          session,
          limits,
          link,
          ticket,
          epoch,
          asksForModes: false,
          signal: new AbortController().signal,
          agreeOn: () => assert.fail('modes are not asked for'),
          onGoesOn: () => undefined,
        });
        return 'goes on';
      } catch (error) {
        return (error as WebSocketRefusedError).problem?.error ?? (error as ProxyError).code;
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return scene;
}

test('a tunnel goes on upon another connection, and again, each time with a later number', async () => {
  await using scene = await openScene();
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  for (const epoch of [1, 2, 7]) {
    tunnel.link.detach();
    assert.equal(await scene.resume(agent, tunnel, { epoch }), 'goes on');
    assert.ok((await tunnel.link.roundTrip()) >= 0);
  }
  assert.equal(scene.tunnels.tunnelCount, 1);
  assert.deepEqual(scene.refused, []);
});

test('a number that was used is refused, whoever repeats it, and the tunnel stays where it is', async () => {
  await using scene = await openScene();
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  assert.equal(await scene.resume(agent, tunnel, { epoch: 5 }), 'goes on');
  const other = { ...tunnel, link: (await scene.open(agent)).link };
  for (const epoch of [5, 1]) assert.equal(await scene.resume(agent, other, { epoch }), 'resume_refused');
  assert.ok((await tunnel.link.roundTrip()) >= 0);
  assert.equal(scene.refused.length, 2);
  assert.ok(scene.refused.every(([, sessionId]) => sessionId === agent.sessionId));
});

test('a tunnel of another session is not there, and whoever asks is told of', async () => {
  await using scene = await openScene();
  const [agent, thief] = [await scene.enrol(), await scene.enrol()];
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  assert.equal(await scene.resume(thief, tunnel, { epoch: 1 }), 'resume_refused');
  assert.deepEqual(scene.refused, [['the tunnel is of another session', thief.sessionId]]);
  assert.deepEqual(scene.outcomes, ['refused']);
  assert.equal(await scene.resume(agent, tunnel, { epoch: 1 }), 'goes on');
});

test('a tunnel that never was is not there, which is no attack', async () => {
  await using scene = await openScene();
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  const never = { ...tunnel.ticket, tunnelId: new Uint8Array(randomBytes(32)) };
  assert.equal(await scene.resume(agent, { ...tunnel, ticket: never }, { epoch: 1 }), 'resume_unknown');
  assert.deepEqual(scene.refused, []);
});

test('neither the secret without the key nor the key without the secret takes a tunnel', async () => {
  await using scene = await openScene();
  const [agent, other] = [await scene.enrol(), await scene.enrol()];
  const tunnel = await scene.open(agent);
  const thief = await scene.open(agent);
  thief.link.detach();
  const stolen = { link: thief.link, ticket: tunnel.ticket };
  assert.equal(await scene.resume(agent, stolen, { epoch: 1, signer: other }), 'resume_refused');
  const guessed = { ...tunnel.ticket, secret: new Uint8Array(randomBytes(32)) };
  assert.equal(
    await scene.resume(agent, { link: thief.link, ticket: guessed }, { epoch: 2 }),
    'resume_refused',
  );
  assert.match(String(scene.refused[0]), /not signed by the key of the session/);
  assert.match(String(scene.refused[1]), /does not know the secret/);
  // The tunnel noticed nothing.
  assert.ok((await tunnel.link.roundTrip()) >= 0);
});

test('a count of what was never sent ends the tunnel at both ends', async () => {
  await using scene = await openScene();
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  const liar = new Proxy(tunnel.link, {
    get: (link, name) => {
      if (name === 'state') return { receivedBytes: 1_000_000, carriedPlainModes: false };
      const value: unknown = Reflect.get(link, name, link);
      return typeof value === 'function' ? (value.bind(link) as unknown) : value;
    },
  });
  await scene.resume(agent, { ...tunnel, link: liar }, { epoch: 1 });
  await waitUntil('the tunnel ends', () => scene.tunnels.tunnelCount === 0);
  assert.match(String(scene.refused[0]), /counts octets that cannot be/);
});

test('of two attempts at once one has the tunnel', async () => {
  await using scene = await openScene();
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  const other = await scene.open(agent);
  for (const { link } of [tunnel, other]) link.detach();
  const outcomes = await Promise.all([
    scene.resume(agent, tunnel, { epoch: 1 }),
    scene.resume(agent, { link: other.link, ticket: tunnel.ticket }, { epoch: 1 }),
  ]);
  assert.deepEqual(outcomes.toSorted(), ['goes on', 'resume_refused']);
});

test('a tunnel ends when no connection comes in time, and nothing of it is held', async () => {
  await using scene = await openScene({ resumeWindowMs: 50, tunnelsPerSessionMax: 2 });
  const agent = await scene.enrol();
  const late = await scene.open(agent);
  assert.equal(scene.tunnels.waitingCount, 0);
  late.link.detach();
  await waitUntil('it waits', () => scene.tunnels.waitingCount === 1 || scene.tunnels.tunnelCount === 0);
  await waitUntil('the time is over', () => scene.tunnels.tunnelCount === 0);
  assert.equal(await scene.resume(agent, late, { epoch: 1 }), 'resume_refused');
  assert.equal(scene.held.all, 0);
});

test('tunnels that wait without streams make room, and end with their session', async () => {
  await using scene = await openScene({ tunnelsPerSessionMax: 2 });
  const agent = await scene.enrol();
  for (let count = 0; count < 5; count += 1) {
    const { link } = await scene.open(agent);
    link.detach();
    const most = Math.min(count + 1, 2);
    await waitUntil('it waits', () => scene.tunnels.tunnelCount <= most);
  }
  const kept = await scene.open(agent);
  kept.link.detach();
  await scene.sessions.service.end(agent.request('DELETE', sessionPath));
  await waitUntil('the session ended', () => scene.tunnels.tunnelCount === 0);
});

/** A client with a stream, whose connection is cut before anything of that is known to have arrived. */
async function cutClient(scene: Scene, logger: MemoryLogger): Promise<TunnelClient> {
  const client = await scene.client(await scene.enrol(), logger);
  await client.roundTrip();
  client.openStream({ authority: 'origin.test:443', mode: 'raw' }).on('error', () => undefined);
  scene.cut();
  return client;
}

test('a tunnel that comes back when another has taken its place ends with its last stream', async () => {
  await using scene = await openScene();
  const logger = new MemoryLogger();
  const released = Promise.withResolvers<void>();
  scene.route = async () => {
    await released.promise;
    return scene.tunnels;
  };
  const client = await cutClient(scene, logger);
  await waitUntil('another tunnel', () => client.linksUsed === 2 && client.isUp);
  assert.equal(scene.tunnels.tunnelCount, 2);
  released.resolve();
  await waitUntil('it goes on', () => logger.lines.some((line) => line.includes('goes on with')));
  await waitUntil('one tunnel is left', () => scene.tunnels.tunnelCount === 1);
  assert.equal(client.isUp, true);
  assert.equal(client.linksUsed, 2);
});

test('an attempt that reaches another gateway is made again until it reaches the one with the tunnel', async () => {
  await using scene = await openScene();
  const logger = new MemoryLogger();
  const other = scene.otherGateway();
  let attempts = 0;
  scene.route = () => Promise.resolve((attempts += 1) < 4 ? other : scene.tunnels);
  await cutClient(scene, logger);
  await waitUntil('it goes on', () => logger.lines.some((line) => line.includes('goes on with')));
  assert.equal(attempts, 4);
  assert.deepEqual(scene.outcomes, ['unknown', 'unknown', 'unknown', 'resumed']);
  assert.deepEqual(scene.refused, []);
});

test('a tunnel that no gateway has is given up after a few attempts', async () => {
  await using scene = await openScene();
  const other = scene.otherGateway();
  let attempts = 0;
  scene.route = () => {
    attempts += 1;
    return Promise.resolve(other);
  };
  const client = await scene.client(await scene.enrol(), new MemoryLogger());
  await client.roundTrip();
  const stream = client.openStream({ authority: 'origin.test:443', mode: 'raw' });
  const failed = once(stream, 'error');
  scene.cut();
  await failed;
  assert.equal(attempts, defaultLimits.resumeUnknownMax);
});

test('a tunnel whose gateway is known to be gone is given up at once', async () => {
  await using scene = await openScene();
  const gateways = new FakeGateways();
  const { tunnels: places } = peerTunnels(gateways);
  gateways.put(scene.incarnation, { state: 'left' });
  const other = scene.otherGateway(places);
  let attempts = 0;
  scene.route = () => {
    attempts += 1;
    return Promise.resolve(other);
  };
  const client = await scene.client(await scene.enrol(), new MemoryLogger());
  await client.roundTrip();
  const stream = client.openStream({ authority: 'origin.test:443', mode: 'raw' });
  const failed = once(stream, 'error');
  scene.cut();
  await failed;
  assert.equal(attempts, 1);
  assert.deepEqual(scene.refused, [], 'it is no attack');
});

test('a tunnel that waits for its next attempt goes on as soon as another tunnel has come up', async () => {
  await using scene = await openScene({ reconnectDelayMsMax: 10 * patienceMs });
  // Drawn first by the tunnel that was cut: as long as may be. Whoever draws behind it waits no time.
  let isFirst = true;
  const random = (): number => {
    const drawn = isFirst ? 100 : -100;
    isFirst = false;
    return drawn;
  };
  const client = await scene.client(await scene.enrol(), new MemoryLogger(), random);
  await client.roundTrip();
  const stream = client.openStream({ authority: 'origin.test:443', mode: 'raw' });
  const refused = once(stream, 'error');
  scene.cut();
  await refused;
  assert.equal(scene.outcomes.length, 1);
});

test('a gateway that drains tells its tunnels one after the other, takes no new one, and takes back what it has', async () => {
  await using scene = await openScene({ drainedTunnelsPerSecond: 1000 });
  const agents = [await scene.enrol(), await scene.enrol(), await scene.enrol()];
  const tunnels: AgentTunnel[] = [];
  for (const agent of agents) tunnels.push(await scene.open(agent));
  // Without a connection it cannot be told, and is waited for.
  tunnels[1]!.link.detach();
  await waitUntil('it waits', () => scene.tunnels.waitingCount === 1);
  const steps: string[] = [];
  for (const [i, { link }] of tunnels.entries()) void link.closed.then(() => steps.push(`tunnel ${i}`));
  const drained = scene.tunnels.drain(20_000, () => steps.push('all told')).then(() => steps.push('over'));
  assert.equal(await refusalOf(scene.open(agents[0]!)), 'shutting_down');
  await waitUntil('two are over', () => steps.length === 3);
  // The agents' ends may be over a moment before the gateway's.
  await waitUntil('one is left', () => scene.tunnels.tunnelCount === 1);
  assert.equal(await scene.resume(agents[1]!, tunnels[1]!, { epoch: 1 }), 'goes on');
  await drained;
  assert.deepEqual(steps.toSorted(), ['all told', 'over', 'tunnel 0', 'tunnel 1', 'tunnel 2']);
  assert.equal(steps.at(-1), 'over');
});

test('a drain ends at its time, whatever waits', async () => {
  await using scene = await openScene();
  const tunnel = await scene.open(await scene.enrol());
  tunnel.link.detach();
  await waitUntil('it waits', () => scene.tunnels.waitingCount === 1);
  await scene.tunnels.drain(30);
  assert.equal(scene.tunnels.tunnelCount, 0);
});

async function refusalOf(attempt: Promise<unknown>): Promise<string | undefined> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown as WebSocketRefusedError,
  );
  return error?.problem?.error;
}
interface Elsewhere extends AsyncDisposable {
  readonly scene: Scene;
  readonly holder: ListeningPeer;
  /** How many attempts were led to the holder. */
  ledOn(): number;
}

/** Attempts reach a gateway that has none of the tunnels, and leads them to the one that has; `between` is what it does with octets. */
async function openElsewhere(between: (socket: Duplex) => Duplex = (socket) => socket): Promise<Elsewhere> {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openScene());
  const take = (upgrade: SplicedUpgrade): void => scene.tunnels.takeSpliced(upgrade);
  const holder = stack.use(await listeningPeer(take, {}, { incarnation: scene.incarnation }));
  const gateways = new FakeGateways();
  gateways.put(scene.incarnation, { peerAddress: holder.address });
  const { tunnels: places } = peerTunnels(gateways);
  let led = 0;
  const elsewhere = scene.otherGateway({
    drain: () => Promise.resolve(),
    ended: () => undefined,
    passOn: async (upgrade) => {
      const isLed = await places.passOn({ ...upgrade, socket: between(upgrade.socket) });
      if (isLed) led += 1;
      return isLed;
    },
  });
  scene.route = () => Promise.resolve(elsewhere);
  const owned = stack.move();
  return { scene, holder, ledOn: () => led, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a tunnel goes on at a gateway that does not have it, which leads its octets to the one that has', async () => {
  await using elsewhere = await openElsewhere();
  const { scene } = elsewhere;
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  for (const epoch of [1, 4]) {
    tunnel.link.detach();
    assert.equal(await scene.resume(agent, tunnel, { epoch }), 'goes on');
    assert.ok((await tunnel.link.roundTrip()) >= 0);
  }
  assert.equal(elsewhere.ledOn(), 2);
  assert.deepEqual(scene.refused, []);
});

test('a replayed and a stolen attempt are refused by the one that has the tunnel, whoever leads them there, and told of', async () => {
  await using elsewhere = await openElsewhere();
  const { scene } = elsewhere;
  const [agent, thief] = [await scene.enrol(), await scene.enrol()];
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  assert.equal(await scene.resume(agent, tunnel, { epoch: 3 }), 'goes on');
  const other = { ...tunnel, link: (await scene.open(agent)).link };
  assert.equal(await scene.resume(agent, other, { epoch: 3 }), 'resume_refused');
  assert.equal(await scene.resume(thief, other, { epoch: 4 }), 'resume_refused');
  assert.equal(await scene.resume(agent, other, { epoch: 5, signer: thief }), 'resume_refused');
  assert.equal(elsewhere.ledOn(), 4);
  assert.deepEqual(
    scene.refused.map(([, sessionId]) => sessionId),
    [agent.sessionId, thief.sessionId, agent.sessionId],
  );
  assert.ok((await tunnel.link.roundTrip()) >= 0, 'the tunnel noticed nothing');
});

test('a gateway in between that changes what the agent counts gets nothing, and the tunnel waits on', async () => {
  let lies = true;
  // Head of a masked message of 112 octets, head of the frame, then the count as u64.
  const lowestOfCount = 2 + 4 + 8 + 7;
  await using elsewhere = await openElsewhere((socket) => {
    const liar = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const copy = Buffer.from(chunk);
        if (lies) copy[lowestOfCount] = (copy[lowestOfCount] ?? 0) ^ 1;
        done(null, copy);
      },
    });
    socket.pipe(liar);
    // The types know streams of the web alone.
    return Duplex.from({ readable: liar, writable: socket } as never);
  });
  const { scene } = elsewhere;
  const agent = await scene.enrol();
  const tunnel = await scene.open(agent);
  tunnel.link.detach();
  assert.equal(await scene.resume(agent, tunnel, { epoch: 1 }), 'resume_refused');
  assert.match(String(scene.refused[0]), /not signed by the key of the session/);
  lies = false;
  assert.equal(await scene.resume(agent, tunnel, { epoch: 2 }), 'goes on');
});

test('what another gateway leads here and is not here is unknown, and is led to nobody else', async () => {
  await using elsewhere = await openElsewhere();
  const { scene, holder } = elsewhere;
  const of = newPeer();
  const name = resumeNameOf({ tunnelId: new Uint8Array(32).fill(1), epoch: 1 });
  const facts = {
    session: { sessionId: 's', id: 'p' },
    method: 'GET',
    httpVersion: '1.1',
    headers: { 'upstreamproxy-resume': name },
    isEncrypted: true,
  };
  const start = encodePassedStart(new Uint8Array(), facts, Buffer.alloc(0));
  const options = {
    ...of.secureOptions(),
    ALPNProtocols: [peerProtocol],
    checkServerIdentity: () => undefined,
  };
  assert.match(await responseOf(holder.port, options, start), /^HTTP\/1\.1 410 /);
  assert.equal(elsewhere.ledOn(), 0);
  assert.deepEqual(scene.refused, []);
});
