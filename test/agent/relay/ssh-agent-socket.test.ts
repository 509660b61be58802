import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';

import type { RelayStream } from '../../../src/agent/relay/join.ts';
import { serveSshAgent } from '../../../src/agent/relay/ssh-agent-connection.ts';
import { openSshAgentSocket } from '../../../src/agent/relay/ssh-agent-socket.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { agentFailure, agentFrame } from '../../../src/protocol/ssh-agent.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import {
  bindRequest,
  ed25519Key,
  hashData,
  identitiesRequest,
  logInData,
  signRequest,
} from '../../support/ssh-agent-messages.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const success = Buffer.from(agentFrame(Buffer.of(6)));
const failure = Buffer.from(agentFailure);
const signed = Buffer.from(agentFrame(Buffer.from([14, 0, 0, 0, 1, 65])));
const server = ed25519Key();
const key = ed25519Key().blob;
const sessionId = Buffer.alloc(32, 7);
const bind = bindRequest({ server, sessionId });
const logIn = signRequest(key, logInData({ sessionId, key }));

/** A gateway that takes each bind and signs each request; one that is told otherwise responds with a problem. */
class TestGateway {
  readonly asked: Buffer[] = [];
  problem: string | undefined;
  readonly isUp = true;

  whenUp(): Promise<void> {
    return Promise.resolve();
  }

  openStream(): RelayStream {
    let received = Buffer.alloc(0);
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        received = Buffer.concat([received, chunk]);
        done();
        const at = received.indexOf('\r\n\r\n') + 4;
        const length = Number(/content-length: (\d+)/i.exec(received.subarray(0, at).toString())?.[1]);
        if (at < 4 || received.length < at + length) return;
        stream.push(this.#respond(received.subarray(at)));
        stream.push(null);
      },
    });
    return Object.assign(stream, { reset: () => void stream.destroy() });
  }

  #respond(body: Buffer): string {
    this.asked.push(body);
    const text =
      this.problem ??
      `${(body[4] === 27 && body.length === bind.length ? success : signed).toString('base64')}\n`;
    const status = this.problem === undefined ? '200 OK' : '403 Forbidden';
    return `HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`;
  }
}

async function openScene() {
  const directory = await temporaryDirectory();
  const gateway = new TestGateway();
  const agent = await openSshAgentSocket({
    directory: directory.path,
    tunnel: gateway,
    limits: defaultLimits,
    logger: silentLogger,
  });
  assert.ok(typeof agent !== 'string', String(agent));
  return {
    gateway,
    path: agent.path,
    [Symbol.asyncDispose]: async () => {
      await agent[Symbol.asyncDispose]();
      assert.ok(!existsSync(dirname(agent.path)));
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function client(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends it and gives one whole response; undefined: the connection was closed. */
async function exchange(socket: Socket, octets: Buffer): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) resolve(received);
  };
  const onEnd = (): void => resolve(undefined);
  socket.on('data', onData).once('close', onEnd).once('end', onEnd);
  socket.write(octets);
  try {
    return await promise;
  } finally {
    socket.off('data', onData).off('close', onEnd).off('end', onEnd);
  }
}

test('it is for this user alone, and asks the gateway with the bind of the connection', async () => {
  await using scene = await openScene();
  const { gateway, path } = scene;
  assert.deepEqual([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777], [0o600, 0o700]);
  const socket = await client(path);
  assert.deepEqual(await exchange(socket, bind), success);
  assert.deepEqual(await exchange(socket, logIn), signed);
  assert.deepEqual(await exchange(socket, identitiesRequest), signed);
  assert.deepEqual(gateway.asked, [bind, Buffer.concat([bind, logIn]), identitiesRequest]);
  socket.destroy();
  // Another connection is bound to nothing.
  const other = await client(path);
  const hash = signRequest(key, hashData());
  assert.deepEqual(await exchange(other, hash), signed);
  assert.deepEqual(gateway.asked.at(-1), hash);
  other.destroy();
});

test('the first bind counts, and behind one that is refused nothing is signed', async () => {
  await using scene = await openScene();
  const { gateway, path } = scene;
  const socket = await client(path);
  assert.deepEqual(await exchange(socket, bind), success);
  assert.deepEqual(await exchange(socket, bindRequest({ server, sessionId, isForwarding: 1 })), failure);
  assert.deepEqual(await exchange(socket, logIn), failure);
  assert.equal(gateway.asked.length, 1);
  socket.destroy();
  const other = await client(path);
  gateway.problem = JSON.stringify({
    code: 'ssh_agent_refused',
    detail: 'The agent of SSH does not do this.',
  });
  assert.deepEqual(await exchange(other, bind), failure);
  gateway.problem = undefined;
  assert.deepEqual(await exchange(other, logIn), failure);
  assert.equal(gateway.asked.length, 2);
  other.destroy();
});

test('keys are neither added nor removed nor locked, and the gateway is not asked', async () => {
  await using scene = await openScene();
  const socket = await client(scene.path);
  for (const type of [17, 18, 19, 20, 21, 22, 23, 25, 26, 1, 200])
    assert.deepEqual(await exchange(socket, Buffer.from(agentFrame(Buffer.of(type, 0, 0)))), failure);
  assert.deepEqual(await exchange(socket, bindRequest({ server, sessionId, name: 'query' })), failure);
  assert.deepEqual(scene.gateway.asked, []);
  socket.destroy();
});

test('a response that is none, and a refusal, are failures of that request alone', async () => {
  await using scene = await openScene();
  const socket = await client(scene.path);
  for (const problem of [
    '',
    'no JSON',
    '{}',
    JSON.stringify({ code: 'policy_denied', detail: 'No rule.' }),
  ]) {
    scene.gateway.problem = problem;
    assert.deepEqual(await exchange(socket, signRequest(key, hashData())), failure);
  }
  scene.gateway.problem = undefined;
  assert.deepEqual(await exchange(socket, signRequest(key, hashData())), signed);
  socket.destroy();
});

test('a message that is too long or empty ends its connection, and others go on', async () => {
  await using scene = await openScene();
  for (const octets of ['00000000', 'ffffffff', '00004001']) {
    const socket = await client(scene.path);
    assert.equal(await exchange(socket, Buffer.from(octets, 'hex')), undefined);
    socket.destroy();
  }
  const socket = await client(scene.path);
  // In any pieces, and two in one.
  socket.write(identitiesRequest.subarray(0, 3));
  assert.deepEqual(await exchange(socket, identitiesRequest.subarray(3)), signed);
  const hash = signRequest(key, hashData());
  const two = Buffer.concat([hash, hash]);
  const both = exchangeTwo(socket);
  socket.write(two);
  assert.deepEqual(await both, Buffer.concat([signed, signed]));
  socket.destroy();
});

async function exchangeTwo(socket: Socket): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < 2 * signed.length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    received = Buffer.concat([received, chunk]);
  }
  return received;
}

test('where no socket can be, it says so', async () => {
  await using directory = await temporaryDirectory();
  const long = join(directory.path, 'x'.repeat(90));
  const tunnel = new TestGateway();
  const opened = await openSshAgentSocket({
    directory: long,
    tunnel,
    limits: defaultLimits,
    logger: silentLogger,
  });
  assert.match(
    String(opened),
    /the socket of the agent of SSH \S+: it must be an absolute path of at most 107 bytes/,
  );
});

test('a connection has so many messages', async () => {
  await using scene = await openScene();
  const socket = await client(scene.path);
  const refused = Buffer.from(agentFrame(Buffer.of(19)));
  for (let count = 0; count < defaultLimits.sshAgentMessagesMax; count += 1)
    assert.deepEqual(await exchange(socket, refused), failure);
  assert.equal(await exchange(socket, refused), undefined);
  socket.destroy();
});

/** Serves a client that sends an octet, lets so much time go by, and sends the next once that one was taken. */
async function servedSlowly(context: TestContext, octets: Buffer, betweenMs: number) {
  const { mock } = context;
  mock.timers.enable({ apis: ['setTimeout'] });
  let at = 0;
  let responses = Buffer.alloc(0);
  const duplex = new Duplex({
    readableHighWaterMark: 1,
    read: () => {
      if (at > 0) mock.timers.tick(betweenMs);
      if (duplex.destroyed) return;
      duplex.push(at < octets.length ? octets.subarray(at, at + 1) : null);
      at += 1;
    },
    write: (chunk: Buffer, _encoding, done) => {
      responses = Buffer.concat([responses, chunk]);
      done();
    },
  });
  const socket = Object.assign(duplex, { destroySoon: () => void duplex.destroy() });
  await serveSshAgent(socket, {
    ask: () => Promise.resolve(signed),
    limits: defaultLimits,
    logger: silentLogger,
  });
  mock.timers.reset();
  return { sent: Math.min(at, octets.length), responses };
}

test('a message has one deadline, however it trickles, and the next one has its own', async (context) => {
  const { headTimeoutMs } = defaultLimits;
  const { length } = identitiesRequest;
  // Each comes in less than the deadline, and all of them take longer.
  const short = Buffer.concat([identitiesRequest, identitiesRequest, identitiesRequest]);
  const slow = await servedSlowly(context, short, headTimeoutMs / (length + 1));
  assert.deepEqual(slow.responses, Buffer.concat([signed, signed, signed]));
  const long = signRequest(key, hashData());
  const slower = await servedSlowly(context, long, headTimeoutMs / 10);
  assert.deepEqual(slower.responses, Buffer.alloc(0));
  assert.ok(slower.sent <= 14, `${String(slower.sent)} of ${String(long.length)} octets`);
});
