import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, suite, test } from 'node:test';

import { TunnelLink } from '../../src/net/tunnel-link.ts';
import { TunnelStream } from '../../src/net/tunnel-stream.ts';
import { WebSocketConnection, type WebSocketHandlers } from '../../src/net/websocket-connection.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { errorTable } from '../../src/protocol/error-table.ts';
import { linkCreditBytesInitial } from '../../src/protocol/flow-window.ts';
import type { OutputBlock } from '../../src/protocol/output-queue.ts';
import type { Frame } from '../../src/protocol/frame.ts';
import { encodeFrame } from '../../src/protocol/frame-codec.ts';
import { HeldOctets } from '../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { patternHash, patternStream } from '../support/pattern-bytes.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';

import { closed, hashAll, readAll, someFields, streamFailure, tunnelPair } from './tunnel-pair.ts';
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

const codeOf = (error: unknown): string => (error instanceof ProxyError ? error.code : String(error));

suite('many streams', () => {
  for (const zeroMask of [false, true]) {
    test(`200 streams at once keep their bytes apart, ${zeroMask ? 'zero' : 'random'} mask`, async () => {
      await using pair = await tunnelPair({ zeroMask, onStream: (stream) => stream.pipe(stream) });
      // Sizes of every order up to a megabyte.
      const sizes = Array.from({ length: 200 }, (_, i) => ((i * 2_654_435_761) >>> 0) % 2 ** (4 + (i % 17)));
      const hashes = sizes.map(async (bytes, i) => {
        const stream = pair.agent.openStream(someFields);
        patternStream(bytes, i).pipe(stream);
        const hash = await hashAll(stream);
        await closed(stream);
        return hash;
      });
      assert.deepEqual(
        await Promise.all(hashes),
        sizes.map((bytes, i) => patternHash(bytes, i)),
      );
      await pair.gateway.roundTrip();
      assert.deepEqual([pair.agent.streamCount, pair.gateway.streamCount], [0, 0]);
    });
  }

  test('what many streams do in one turn leaves in one message', async () => {
    const pair = await webSocketPair();
    const recorder = new Recorder();
    pair.server.start(recorder);
    const link = new TunnelLink({ webSocket: pair.client, role: 'agent', limits: defaultLimits });
    for (let i = 0; i < 50; i += 1) link.openStream(someFields).write('hello');
    await recorder.received(1);
    await new Promise(setImmediate);
    assert.equal(recorder.messages.length, 1);
    link.destroy();
    await recorder.closed;
  });

  test('a stalled stream does not hold up the others', async () => {
    await using pair = await tunnelPair();
    const stalled: TunnelStream[] = [];
    for (let i = 0; i < 100; i += 1) {
      const { near, far } = await pair.open();
      patternStream(4 * 1024 * 1024, i).pipe(near);
      far.pause();
      stalled.push(near);
    }
    await pair.agent.roundTrip();
    const { near, far } = await pair.open();
    patternStream(20_000_000, 7).pipe(near);
    assert.equal(await hashAll(far), patternHash(20_000_000, 7));
    far.end();
    near.resume();
    await closed(near);
    for (const stream of stalled) stream.destroy();
  });

  test('a small response does not wait behind a bulk stream', async () => {
    const limits = { ...defaultLimits, writeBufferBytesMax: 256 * 1024 };
    await using pair = await tunnelPair({ limits });
    const bulk = await pair.open();
    const small = await pair.open();
    bulk.far.resume();
    small.far.pipe(small.far);
    // One chunk that would keep the link busy for a long time if it were sent at once.
    let bulkDone = false;
    bulk.near.write(Buffer.alloc(64 * 1024 * 1024), () => {
      bulkDone = true;
    });
    for (let i = 0; i < 5; i += 1) {
      small.near.write('ping');
      await once(small.near, 'data');
    }
    assert.equal(bulkDone, false);
    bulk.near.destroy();
    small.near.destroy();
  });

  test('what a tunnel was promised of the budget of its session is free again when it is over, however it ends', async () => {
    const held = new HeldOctets();
    for (const end of ['destroy', 'drain'] as const) {
      const sockets = await webSocketPair();
      const limits = defaultLimits;
      await using agent = new TunnelLink({ webSocket: sockets.client, role: 'agent', limits });
      const arrived = Promise.withResolvers<undefined>();
      const gateway = new TunnelLink({
        webSocket: sockets.server,
        role: 'gateway',
        limits,
        spare: held.spare('one'),
        // Nobody reads it.
        onStream: (stream) => stream.end().once('readable', () => arrived.resolve(undefined)),
      });
      agent.openStream(someFields).write('unread');
      agent.openStream(someFields).end('unread');
      await arrived.promise;
      assert.ok(held.all > 0);
      if (end === 'drain') await gateway.drain(0);
      else gateway.destroy();
      assert.equal(held.all, 0, end);
    }
  });

  test('more streams than streamsMax are refused one by one, and the others live on', async () => {
    const limits = { ...defaultLimits, streamsMax: 3 };
    const gatewayLimits = { ...limits, streamsMax: 2 };
    const sockets = await webSocketPair({ limits });
    const agent = new TunnelLink({ webSocket: sockets.client, role: 'agent', limits });
    await using gateway = new TunnelLink({
      webSocket: sockets.server,
      role: 'gateway',
      limits: gatewayLimits,
      onStream: (stream) => stream.pipe(stream),
    });
    const [first, second, third] = [
      agent.openStream(someFields),
      agent.openStream(someFields),
      agent.openStream(someFields),
    ];
    assert.throws(() => agent.openStream(someFields), { code: 'stream_limit' });
    assert.equal(codeOf(await streamFailure(third)), 'stream_limit');
    first.end('one');
    assert.equal(String(await readAll(first)), 'one');
    second.end('two');
    assert.equal(String(await readAll(second)), 'two');
    assert.equal(gateway.isOpen, true);
    await agent[Symbol.asyncDispose]();
  });
});

suite('who serves', () => {
  test('without a handler every stream is refused', async () => {
    const sockets = await webSocketPair();
    await using agent = new TunnelLink({ webSocket: sockets.client, role: 'agent', limits: defaultLimits });
    await using gateway = new TunnelLink({
      webSocket: sockets.server,
      role: 'gateway',
      limits: defaultLimits,
    });
    assert.equal(codeOf(await streamFailure(agent.openStream(someFields))), 'shutting_down');
    assert.equal(gateway.streamCount, 0);
  });

  test('a handler that throws refuses its stream and nothing else', async () => {
    let calls = 0;
    await using pair = await tunnelPair({
      onStream: (stream) => {
        calls += 1;
        if (calls === 1) throw new ProxyError('limit_exceeded', 'Too much.');
        stream.pipe(stream);
      },
    });
    assert.equal(codeOf(await streamFailure(pair.agent.openStream(someFields))), 'limit_exceeded');
    const second = pair.agent.openStream(someFields);
    second.end('fine');
    assert.equal(String(await readAll(second)), 'fine');
  });
});

suite('round trips', () => {
  test('are measured from either side', async () => {
    await using pair = await tunnelPair();
    for (const link of [pair.agent, pair.gateway]) {
      const started = performance.now();
      const ms = await link.roundTrip();
      assert.ok(ms >= 0 && ms <= performance.now() - started, `${ms} ms`);
    }
  });

  test('can be cancelled, time out, and fail with the tunnel', async () => {
    const limits = { ...defaultLimits, pingTimeoutMs: 30 };
    const pair = await webSocketPair({ limits });
    const link = new TunnelLink({ webSocket: pair.client, role: 'agent', limits, nowMs: () => 0 });
    await assert.rejects(link.roundTrip(AbortSignal.abort()), { code: 'cancelled' });
    const controller = new AbortController();
    const cancelled = link.roundTrip(controller.signal);
    controller.abort();
    await assert.rejects(cancelled, { code: 'cancelled' });
    await assert.rejects(link.roundTrip(), { code: 'timeout' });
    link.destroy();
    pair.serverSocket.destroy();
    // With its usual time: what is lost is lost before.
    const other = await tunnelPair();
    const lost = other.agent.roundTrip();
    other.gatewaySocket.destroy();
    await assert.rejects(lost, { code: 'tunnel_lost' });
    await assert.rejects(other.agent.roundTrip(), { code: 'tunnel_lost' });
  });
});

suite('the end of a tunnel', () => {
  for (const cut of ['reset', 'ended'] as const) {
    test(`a connection that is ${cut} fails every stream with tunnel_lost and leaves nothing open`, async () => {
      const pair = await tunnelPair();
      const streams: TunnelStream[] = [];
      for (let i = 0; i < 20; i += 1) {
        const { near, far } = await pair.open();
        near.write('x');
        near.on('end', () => assert.fail('a lost tunnel looked like an end'));
        near.resume();
        near.setTimeout(60_000);
        streams.push(near, far);
      }
      const failures = Promise.all(streams.map(streamFailure));
      if (cut === 'reset') pair.gatewaySocket.resetAndDestroy();
      else pair.gatewaySocket.end();
      assert.deepEqual(new Set((await failures).map(codeOf)), new Set(['tunnel_lost']));
      assert.equal((await pair.agent.closed)?.code, 'tunnel_lost');
      if (cut === 'ended') pair.agentSocket.destroy();
      await pair.gateway.closed;
      assert.deepEqual([pair.agent.streamCount, pair.gateway.streamCount, pair.agent.isOpen], [0, 0, false]);
      assert.throws(() => pair.agent.openStream(someFields), { code: 'tunnel_lost' });
    });
  }

  test('a peer that stops responding to is given up after pingTimeoutMs', async () => {
    const limits = { ...defaultLimits, pingIntervalMs: 10, pingTimeoutMs: 40, closeTimeoutMs: 20 };
    const { client, server } = await socketPair();
    const agent = new TunnelLink({
      webSocket: new WebSocketConnection({ socket: client, role: 'client', zeroMask: true, limits }),
      role: 'agent',
      limits,
    });
    const failure = streamFailure(agent.openStream(someFields));
    assert.equal((await agent.closed)?.code, 'tunnel_lost');
    assert.equal(codeOf(await failure), 'tunnel_lost');
    await once(client, 'close');
    server.destroy();
  });

  test('pings keep an idle tunnel alive', async () => {
    const limits = { ...defaultLimits, pingIntervalMs: 10, pingTimeoutMs: 60 };
    // A clock that stands still while this process does: what is late on a busy machine is not lost.
    let nowMs = 0;
    const { promise: longEnough, resolve } = Promise.withResolvers<void>();
    const ticks = setInterval(() => {
      nowMs += 5;
      // Three times as long as a silent tunnel lives.
      if (nowMs >= 180) resolve();
    }, 5);
    try {
      await using pair = await tunnelPair({ limits, nowMs: () => nowMs });
      await pair.open();
      const lost = Promise.race([pair.agent.closed, pair.gateway.closed]).then(() => 'lost');
      assert.equal(await Promise.race([longEnough.then(() => 'alive'), lost]), 'alive');
      assert.equal(pair.gateway.isOpen, true);
    } finally {
      clearInterval(ticks);
    }
  });

  const faults = [
    {
      name: 'a frame of an unknown type',
      bytes: Buffer.from([0xee, 0, 0, 0, 0, 0, 0, 0]),
      code: 'frame_malformed',
    },
    {
      name: 'data on a stream that never was',
      bytes: encodeFrame({ type: 'data', streamId: 9, data: Buffer.from('x') }),
      code: 'frame_unexpected',
    },
    {
      name: 'a message that ends inside a frame',
      bytes: encodeFrame({ type: 'ping', nonce: 1 }).subarray(0, 9),
      code: 'frame_truncated',
    },
  ] as const;
  for (const { name, bytes, code } of faults) {
    test(`${name} ends this tunnel with ${code}, and the peer is told`, async () => {
      const sockets = await webSocketPair();
      const recorder = new Recorder();
      sockets.client.start(recorder);
      const gateway = new TunnelLink({
        webSocket: sockets.server,
        role: 'gateway',
        limits: defaultLimits,
        onStream() {},
      });
      sockets.client.sendBinary([encodeFrame({ type: 'open', streamId: 1, fields: someFields })]);
      sockets.client.sendBinary([bytes]);
      assert.equal((await gateway.closed)?.code, code);
      assert.match((await recorder.closed)?.message ?? '', /1002/);
      const told = Buffer.concat(recorder.messages);
      const goaway = Buffer.from(
        encodeFrame({ type: 'goaway', lastStreamId: 1, code: errorTable[code].wire, message: '' }),
      );
      assert.ok(told.includes(goaway.subarray(8)), 'a goaway with the code');
      assert.equal(gateway.streamCount, 0);
    });
  }

  test('what the other side says to a person steers no terminal', async () => {
    const heard: string[] = [];
    await using pair = await tunnelPair({ onGoaway: (_code, message) => heard.push(message) });
    const { near, far } = await pair.open();
    const failed = once(near, 'error');
    far.reset(new ProxyError('origin_unreachable', 'gone\u001b[2J\r\nfor good'));
    const [error] = (await failed) as [ProxyError];
    assert.equal(error.message, 'gone [2J for good');
    pair.gateway.dismiss(new ProxyError('shutting_down', 'bye\u0007\u202e'));
    await pair.agent.closed;
    assert.deepEqual(heard, ['bye ']);
  });

  test('disposing resets what is open and closes in an orderly way', async () => {
    const pair = await tunnelPair();
    const { near, far } = await pair.open();
    const failure = streamFailure(far);
    await pair.agent[Symbol.asyncDispose]();
    assert.equal(codeOf(await failure), 'shutting_down');
    assert.equal(near.destroyed, true);
    assert.equal(await pair.agent.closed, undefined);
    assert.equal(await pair.gateway.closed, undefined);
    await pair.agent[Symbol.asyncDispose]();
  });

  for (const isFull of [false, true]) {
    test(`dismissing ends now and tells why${isFull ? ', also behind a full socket' : ''}`, async () => {
      const told = Promise.withResolvers<readonly [number, string]>();
      const pair = await tunnelPair({
        onGoaway(code, message) {
          told.resolve([code, message]);
        },
      });
      const { near, far } = await pair.open();
      const failures = Promise.all([streamFailure(near), streamFailure(far)]);
      if (isFull) while (far.write(Buffer.alloc(65_536)));
      pair.gateway.dismiss(new ProxyError('session_revoked', 'it was stolen'));
      assert.equal(far.destroyed, true);
      assert.deepEqual(await told.promise, [errorTable.session_revoked.wire, 'it was stolen']);
      assert.equal(codeOf((await failures)[1]), 'session_revoked');
      assert.equal(await pair.agent.closed, undefined);
      pair.gateway.dismiss(new ProxyError('session_revoked', 'again'));
    });
  }

  test('destroying ends now: here with the error, there as a loss', async () => {
    const pair = await tunnelPair();
    const { near, far } = await pair.open();
    const failures = Promise.all([streamFailure(near), streamFailure(far)]);
    pair.gateway.destroy(new ProxyError('session_revoked', 'The session was revoked.'));
    pair.gateway.destroy();
    assert.deepEqual((await failures).map(codeOf), ['tunnel_lost', 'session_revoked']);
    assert.equal((await pair.gateway.closed)?.code, 'session_revoked');
    assert.equal((await pair.agent.closed)?.code, 'tunnel_lost');
  });
});

suite('draining', () => {
  test('open streams finish, new ones are refused, then the tunnel closes', async () => {
    const told = Promise.withResolvers<number>();
    const pair = await tunnelPair({ onGoaway: told.resolve });
    const { near, far } = await pair.open();
    far.write('first half, ');
    const drained = pair.gateway.drain(5000);
    assert.equal(await told.promise, errorTable.shutting_down.wire);
    assert.equal(pair.agent.isOpen, false);
    assert.throws(() => pair.agent.openStream(someFields), { code: 'shutting_down' });
    far.end('second half');
    assert.equal(String(await readAll(near)), 'first half, second half');
    near.end();
    far.resume();
    await drained;
    assert.equal(await pair.agent.closed, undefined);
    assert.equal(await pair.gateway.closed, undefined);
  });

  test('a stream that the agent opens before it hears of it is served', async () => {
    for (const isResumable of [false, true]) {
      const pair = await tunnelPair({ isResumable, onStream: (stream) => void stream.pipe(stream) });
      // Neither end has written yet: open and goaway cross.
      const near = pair.agent.openStream(someFields);
      near.end('crossed');
      const drained = pair.gateway.drain(5000);
      assert.equal(String(await readAll(near)), 'crossed');
      await drained;
      assert.equal(await pair.agent.closed, undefined);
    }
  });

  test('the peer gets the last octets, too, where the connection is lost under them', async () => {
    const pair = await tunnelPair({ isResumable: true });
    const { near, far } = await pair.open();
    const whole = readAll(near);
    near.end();
    await readAll(far);
    // Nothing of the rest has left when the connection is gone, and both ends of the stream are over at the gateway.
    pair.gateway.detach();
    far.end('the last octets');
    await once(far, 'close');
    const drained = pair.gateway.drain(5000);
    await pair.detached();
    await pair.attach();
    assert.equal(String(await whole), 'the last octets');
    await drained;
    assert.equal(await pair.agent.closed, undefined);
  });

  test('who reads late gets all of a stream that was complete when the peer closed the tunnel', async () => {
    const pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.resume();
    const written = Buffer.alloc(300 * 1024, 'late');
    far.end(written);
    near.end();
    await pair.gateway.drain(5000);
    assert.equal(await pair.agent.closed, undefined);
    assert.deepEqual(await readAll(near), written);
  });

  test('streams that do not end in time are reset', async () => {
    const pair = await tunnelPair();
    const { near } = await pair.open();
    const failure = streamFailure(near);
    await pair.gateway.drain(20);
    assert.equal(codeOf(await failure), 'shutting_down');
    await pair.agent.closed;
  });

  test('a tunnel without streams drains at once, and one that is lost does not wait', async () => {
    const pair = await tunnelPair();
    await pair.agent.drain(60_000);
    await pair.gateway.closed;
    const other = await tunnelPair();
    await other.open();
    const drained = other.agent.drain(60_000);
    other.gatewaySocket.resetAndDestroy();
    await drained;
    await other.gateway.closed;
  });
});

test('a peer that never reads bounds what the link queues', async () => {
  const limits = { ...defaultLimits, writeBufferBytesMax: 128 * 1024, windowBytesInitial: 1024 * 1024 };
  const [socket, peer] = duplexPair();
  socket._write = () => {};
  socket._writev = () => {};
  peer.resume();
  const webSocket = new WebSocketConnection({ socket, role: 'client', zeroMask: true, limits });
  const link = new TunnelLink({ webSocket, role: 'agent', limits });
  const streams = Array.from({ length: 50 }, () => link.openStream(someFields));
  for (const stream of streams) stream.write(Buffer.alloc(60_000));
  for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
  const taken = streams.reduce((sum, stream) => sum + stream.bytesWritten, 0);
  assert.ok(taken > 0 && taken <= 3 * limits.writeBufferBytesMax, `${taken} bytes were taken`);
  link.destroy();
});

test('a peer that grants credit byte by byte has no stream looked at that gets none of it', async (t) => {
  const handlers: WebSocketHandlers[] = [];
  const sent: number[] = [];
  // Of a connection the link needs this.
  const webSocket = {
    start: (given: WebSocketHandlers) => void handlers.push(given),
    sendBlock: ({ start, end }: OutputBlock, written: () => void) => {
      sent.push(end - start);
      setImmediate(written);
    },
    close: () => Promise.resolve(),
    destroy: () => undefined,
  } as unknown as WebSocketConnection;
  const calls = t.mock.method(TunnelStream.prototype, 'sendPending').mock;
  const streams: TunnelStream[] = [];
  const link = new TunnelLink({
    webSocket,
    role: 'gateway',
    limits: defaultLimits,
    onStream: (stream) => {
      streams.push(stream);
      stream.accept();
      stream.write(Buffer.alloc(32 * 1024));
    },
  });
  const hear = (frame: Frame): void => {
    handlers[0]?.onData(encodeFrame(frame));
    handlers[0]?.onMessageEnd();
  };
  const written = (): number => streams.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  for (let streamId = 1; streamId <= 1000; streamId += 1)
    hear({ type: 'open', streamId, fields: someFields });
  while (written() < linkCreditBytesInitial) await new Promise(setImmediate);
  const before = calls.callCount();
  // As one read of the socket can bring them.
  for (let i = 0; i < 2000; i += 1) hear({ type: 'window', streamId: 0, bytes: 1 });
  while (written() < linkCreditBytesInitial + 2000) await new Promise(setImmediate);
  assert.ok(calls.callCount() - before < 10, `${calls.callCount() - before} times`);
  // In turn: who has waited longest goes first, and all have their turn.
  hear({ type: 'window', streamId: 0, bytes: 64 * 1024 * 1024 });
  while (written() < 1000 * 32 * 1024) await new Promise(setImmediate);
  assert.ok(sent.length > 0);
  link.destroy();
});
