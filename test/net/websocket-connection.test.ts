import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';

import { WebSocketConnection } from '../../src/net/websocket-connection.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';

import { closePayload, rawFrame, testMask } from './websocket-frames.ts';
import { destroySockets, duplexPair, Recorder, socketPair, webSocketPair } from './websocket-pair.ts';

let baseline: ResourceBaseline;
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  try {
    await resourcesSettled(baseline);
  } finally {
    destroySockets();
  }
});

/** A server connection whose client is a bare socket, so that the test says every byte. */
async function bareClient(
  limits: Limits = defaultLimits,
): Promise<{ peer: net.Socket; server: WebSocketConnection; recorder: Recorder }> {
  const { client, server: socket } = await socketPair();
  const server = new WebSocketConnection({ socket, role: 'server', zeroMask: false, limits });
  const recorder = new Recorder();
  server.start(recorder);
  return { peer: client, server, recorder };
}

/** All bytes that arrive until the other side ends. */
async function bytesUntilEnd(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  socket.end();
  return Buffer.concat(chunks);
}

for (const zeroMask of [false, true]) {
  test(`messages of every length form arrive both ways, ${zeroMask ? 'zero' : 'random'} mask`, async () => {
    const pair = await webSocketPair({ zeroMask });
    const [client, server] = [new Recorder(), new Recorder()];
    pair.client.start(client);
    pair.server.start(server);
    const messages = [0, 1, 125, 126, 2048, 2049, 65_535, 65_536, 1_048_576].map((length) =>
      Buffer.from(Uint8Array.from({ length }, (_, i) => i * 7)),
    );
    for (const message of messages) {
      // In parts, small and large ones in turn.
      const third = Math.max(2, Math.floor(message.length / 3));
      pair.client.sendBinary([message.subarray(0, 1), message.subarray(1)]);
      pair.server.sendBinary([message.subarray(0, 2), message.subarray(2, third), message.subarray(third)]);
    }
    assert.deepEqual(
      (await server.received(messages.length)).map((m) => m.length),
      messages.map((m) => m.length),
    );
    for (const [i, message] of messages.entries())
      assert.ok(server.messages[i]!.equals(message), `message ${i} to the server`);
    await client.received(messages.length);
    for (const [i, message] of messages.entries())
      assert.ok(client.messages[i]!.equals(message), `message ${i} to the client`);
    await pair.client.close();
  });
}

test('a random mask differs from frame to frame and hides the payload', async () => {
  const { client: socket, server: peer } = await socketPair();
  const client = new WebSocketConnection({ socket, role: 'client', zeroMask: false, limits: defaultLimits });
  const received = bytesUntilEnd(peer);
  client.start(new Recorder());
  for (let i = 0; i < 3000; i += 1) client.sendBinary([Buffer.from('secret payload')]);
  client.destroy();
  const bytes = await received;
  const masks = new Set<number>();
  for (let offset = 0; offset + 20 <= bytes.length; offset += 20) masks.add(bytes.readUInt32BE(offset + 2));
  assert.equal(bytes.length, 3000 * 20);
  assert.ok(masks.size > 2990, `${masks.size} different masks`);
  assert.equal(bytes.includes('secret payload'), false);
});

test('a ping gets a response with its payload', async () => {
  const { peer, server } = await bareClient();
  peer.write(rawFrame({ opcode: 9, payload: Buffer.from('are you there'), mask: testMask }));
  const [response] = (await once(peer, 'data')) as [Buffer];
  assert.deepEqual(response, rawFrame({ opcode: 10, payload: Buffer.from('are you there') }));
  server.destroy();
  peer.destroy();
});

test('a pong is reported', async () => {
  const pair = await webSocketPair();
  const { promise: pong, resolve: onPong } = Promise.withResolvers<void>();
  pair.client.start({ onData() {}, onMessageEnd() {}, onPong, onClose() {} });
  pair.server.start(new Recorder());
  pair.client.ping();
  await pong;
  await pair.client.close();
});

test('a flood of pings against a peer that does not read queues one pong', async () => {
  const limits = { ...defaultLimits, writeBufferBytesMax: 65_536 };
  const [socket, peer] = duplexPair();
  // The writes of this socket never complete.
  socket._write = () => {};
  const server = new WebSocketConnection({ socket, role: 'server', zeroMask: false, limits });
  server.start(new Recorder());
  const pings = Buffer.concat(
    Array.from({ length: 1000 }, () => rawFrame({ opcode: 9, payload: Buffer.alloc(125), mask: testMask })),
  );
  for (let i = 0; i < 20; i += 1) {
    peer.write(pings);
    await new Promise(setImmediate);
  }
  assert.ok(server.writableLength < 65_536 + 1024, `${server.writableLength} bytes wait`);
  server.destroy();
});

test('bytes behind the handshake are read first', async () => {
  const { client: peer, server: socket } = await socketPair();
  const frame = rawFrame({ opcode: 2, payload: Buffer.from('early bytes'), mask: testMask });
  const head = Buffer.from(frame.subarray(0, 7));
  const server = new WebSocketConnection({
    socket,
    role: 'server',
    zeroMask: false,
    limits: defaultLimits,
    head,
  });
  const recorder = new Recorder();
  server.start(recorder);
  assert.equal(recorder.messages.length, 0, 'not from inside start()');
  peer.write(frame.subarray(7));
  assert.deepEqual((await recorder.received(1)).map(String), ['early bytes']);
  peer.destroy();
  await recorder.closed;
});

test('an orderly close gets a response, reported without an error, and ends the connection on both sides', async () => {
  for (const closer of ['client', 'server'] as const) {
    const pair = await webSocketPair();
    const [client, server] = [new Recorder(), new Recorder()];
    pair.client.start(client);
    pair.server.start(server);
    pair.client.sendBinary([Buffer.from('last words')]);
    await pair[closer].close(1001, 'moving on');
    assert.equal(await client.closed, undefined);
    assert.equal(await server.closed, undefined);
    assert.deepEqual(server.messages.map(String), ['last words'], `closed by the ${closer}`);
  }
});

test('a close with an error code is reported as one, with its reason', async () => {
  const pair = await webSocketPair();
  const server = new Recorder();
  pair.client.start(new Recorder());
  pair.server.start(server);
  await pair.client.close(1011, 'out of paper');
  const error = await server.closed;
  assert.equal(error?.code, 'tunnel_lost');
  assert.match(error.message, /1011: out of paper/);
});

test('a peer that does not respond to a close is cut off after closeTimeoutMs', async () => {
  const { peer, server, recorder } = await bareClient({ ...defaultLimits, closeTimeoutMs: 30 });
  peer.resume();
  await server.close();
  assert.equal(await recorder.closed, undefined);
  peer.destroy();
});

test('closing before the start does not wait for the deadline', async () => {
  // One that waited would wait for longer than a test may take.
  const pair = await webSocketPair({ limits: { ...defaultLimits, closeTimeoutMs: 600_000 } });
  pair.server.start(new Recorder());
  await pair.client.close();
});

test('a connection that ends without a close frame is lost, not closed', async () => {
  const { peer, recorder } = await bareClient();
  peer.end();
  peer.resume();
  assert.equal((await recorder.closed)?.code, 'tunnel_lost');
});

test('a connection that is reset is lost, with the cause', async () => {
  const { peer, recorder } = await bareClient();
  peer.resetAndDestroy();
  assert.equal((await recorder.closed)?.code, 'tunnel_lost');
});

test('a connection that was lost before the start says so at the start', async () => {
  const pair = await webSocketPair();
  pair.clientSocket.destroy();
  await once(pair.clientSocket, 'close');
  const client = new Recorder();
  pair.client.start(client);
  assert.equal((await client.closed)?.code, 'tunnel_lost');
  pair.server.destroy();
});

const breaches = [
  { name: 'an unmasked frame', bytes: rawFrame({ opcode: 2 }), code: 1002 },
  { name: 'a text message', bytes: rawFrame({ opcode: 1, mask: testMask }), code: 1003 },
  {
    name: 'a message above the limit',
    bytes: rawFrame({ opcode: 2, claimedLength: 1n << 40n, mask: testMask }),
    code: 1009,
  },
  {
    name: 'a bad close reason',
    bytes: rawFrame({ opcode: 8, payload: closePayload(1000, Buffer.of(0xff)), mask: testMask }),
    code: 1007,
  },
] as const;
for (const { name, bytes, code } of breaches) {
  test(`${name} gets a response with ${code} and an end, and reported once`, async () => {
    const { peer, recorder } = await bareClient();
    const received = bytesUntilEnd(peer);
    peer.write(bytes);
    peer.write(rawFrame({ opcode: 2, payload: Buffer.from('behind the breach'), mask: testMask }));
    const error = await recorder.closed;
    assert.ok(error instanceof ProxyError);
    assert.equal(error.code, 'websocket_malformed');
    const response = await received;
    assert.equal(response[0], 0x88);
    assert.equal(response.readUInt16BE(2), code);
    assert.equal(response.subarray(4).toString(), error.message);
    assert.deepEqual(recorder.messages, []);
  });
}

test('a close code is echoed', async () => {
  const { peer, recorder } = await bareClient();
  const received = bytesUntilEnd(peer);
  peer.write(rawFrame({ opcode: 8, payload: closePayload(4321, 'own code'), mask: testMask }));
  assert.deepEqual(await received, rawFrame({ opcode: 8, payload: closePayload(4321) }));
  assert.equal((await recorder.closed)?.code, 'tunnel_lost');
});

test('destroy sends no close frame, so the peer cannot take it for an orderly end', async () => {
  const { peer, server, recorder } = await bareClient();
  const received = bytesUntilEnd(peer);
  server.destroy(new ProxyError('session_revoked', 'The session was revoked.'));
  assert.equal((await received).length, 0);
  assert.equal((await recorder.closed)?.code, 'session_revoked');
});

test('a handler that throws ends its connection and nothing else', async () => {
  const pair = await webSocketPair();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<ProxyError | undefined>();
  pair.server.start({
    onData() {
      throw new Error('a bug');
    },
    onMessageEnd() {},
    onClose,
  });
  const client = new Recorder();
  pair.client.start(client);
  pair.client.sendBinary([Buffer.from('x')]);
  assert.equal((await closed)?.code, 'internal');
  assert.match((await client.closed)?.message ?? '', /1011/);
});

test('a full socket says so, and onDrain comes when all has left', async () => {
  const limits = { ...defaultLimits, writeBufferBytesMax: 256 * 1024 };
  const pair = await webSocketPair({ limits });
  const { promise: drained, resolve: onDrain } = Promise.withResolvers<void>();
  const server = new Recorder();
  pair.server.start(server);
  pair.server.pause();
  pair.client.start({ onData() {}, onMessageEnd() {}, onClose() {}, onDrain });
  const message = Buffer.alloc(64 * 1024);
  let sent = 0;
  do sent += 1;
  while (pair.client.sendBinary([message]));
  assert.ok(pair.client.writableLength >= limits.writeBufferBytesMax);
  assert.ok(pair.client.writableLength < limits.writeBufferBytesMax + 2 * message.length);
  pair.server.resume();
  await drained;
  await server.received(sent);
  await pair.client.close();
});

test('after the end nothing is sent', async () => {
  const pair = await webSocketPair();
  pair.client.start(new Recorder());
  pair.server.start(new Recorder());
  await pair.client.close();
  assert.equal(pair.client.sendBinary([Buffer.from('late')]), false);
  pair.client.ping();
  await pair.client.close();
});

test('a message above the limit is not sent', async () => {
  const pair = await webSocketPair({ limits: { ...defaultLimits, messageBytesMax: 10 } });
  assert.throws(() => pair.client.sendBinary([Buffer.alloc(11)]), { code: 'internal' });
  pair.client.destroy();
  pair.server.destroy();
});

test('only on a socket of the runtime may blocks be shared with others', async () => {
  const limits = defaultLimits;
  const [end, peer] = duplexPair();
  const onPair = new WebSocketConnection({ socket: end, role: 'server', limits, zeroMask: false });
  const { client, server } = await socketPair();
  const onSocket = new WebSocketConnection({ socket: server, role: 'server', limits, zeroMask: false });
  assert.deepEqual([onPair.isOnSocket, onSocket.isOnSocket], [false, true]);
  for (const socket of [end, peer, client, server]) socket.destroy();
});
