import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';

import type { ParsedRequest } from '../../../src/http/request-parser.ts';
import type { Principal } from '../../../src/policy/decision.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { passedPort } from '../../../src/gateway/proxy/proxy-connection.ts';
import type { ProxyPass } from '../../../src/gateway/proxy/proxy-desk.ts';
import type { SessionStream } from '../../../src/gateway/tunnels/stream-places.ts';
import type { StreamPort } from '../../../src/gateway/tunnels/stream-scene.ts';
import { Passages } from '../../../src/gateway/workers/passage.ts';
import { PassedStream } from '../../../src/gateway/workers/passed-stream.ts';
import type { WorkerSeat } from '../../../src/gateway/workers/worker-seat.ts';
import { WorkerStreams } from '../../../src/gateway/workers/worker-streams.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const principal = { id: 'p', sessionId: 's' } as Principal;

/** What it says up to its end, which ends nothing else of it. */
async function text(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString();
}

interface Scene extends AsyncDisposable {
  /** The end of the client. */
  readonly client: Duplex;
  /** What the other worker gets. */
  readonly passed: Promise<SessionStream>;
  readonly said: string[];
  /** Whether it went to the other worker. */
  readonly went: boolean;
}

/** A stream that came in at a worker that does not have its session; the other one has the name `at`. */
async function passing({ at = '2', isThere = true, isPlain = false } = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory()).path;
  const [own, other] = ['1', '2'].map(() => stack.use(new Passages(folder, Buffer.alloc(32, 7))));
  if (isThere) stack.use(await other!.listen(at, () => assert.fail('no tunnel')));
  const placed = (name: string | undefined) =>
    ({ place: () => Promise.resolve(name) }) as unknown as WorkerSeat;
  const { promise: passed, resolve } = Promise.withResolvers<SessionStream>();
  const options = { port: 1, limits: defaultLimits };
  new WorkerStreams({ seat: placed(undefined), passages: other! }, options).onPassed(resolve);
  const here = new WorkerStreams({ seat: placed(at), passages: own! }, options);
  const [client, duplex] = duplexPair();
  for (const side of [client, duplex]) side.on('error', () => undefined);
  const said: string[] = [];
  const port: StreamPort = {
    duplex,
    fields: isPlain ? { authority: '', mode: 'proxy' } : { authority: 'a.test:443', mode: 'raw' },
    allowsMode: () => false,
    accept: () => void said.push('accepted'),
    refuse: ({ code, message }) => {
      said.push(`${code}: ${message}`);
      duplex.end();
    },
    reset: (error) => void duplex.destroy(error),
  };
  const went = await here.passOn({ principal, digest: 'd', port });
  const owned = stack.move();
  return {
    client,
    passed,
    said,
    went,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      duplex.destroy();
      await owned.disposeAsync();
    },
  };
}

test('a stream comes out at the worker of its session, with whose it is, and both directions end for themselves', async () => {
  await using scene = await passing();
  assert.equal(scene.went, true);
  const { port, ...rest } = await scene.passed;
  assert.deepEqual(rest, { principal, digest: 'd' });
  assert.deepEqual(port.fields, { authority: 'a.test:443', mode: 'raw' });
  assert.deepEqual(scene.said, []);
  port.accept();
  port.accept();
  scene.client.end('x'.repeat(300_000));
  assert.equal((await text(port.duplex)).length, 300_000);
  assert.deepEqual(scene.said, ['accepted']);
  // Behind the end of the client.
  port.duplex.write('y'.repeat(200_000));
  port.duplex.end('z');
  assert.equal((await text(scene.client)).length, 200_001);
});

test('a refusal is told with its code, and what breaks off is no end', async () => {
  {
    await using scene = await passing();
    const { port } = await scene.passed;
    port.refuse(new ProxyError('stream_limit', 'too many'));
    scene.client.resume();
    await once(scene.client, 'end');
    assert.deepEqual(scene.said, ['stream_limit: too many']);
  }
  {
    await using scene = await passing();
    const { port } = await scene.passed;
    port.accept();
    port.duplex.write('half of it');
    await once(scene.client, 'data');
    let hasEnded = false;
    scene.client.once('end', () => (hasEnded = true));
    port.reset(new ProxyError('stream_reset', 'it broke off'));
    await once(scene.client, 'close');
    assert.equal(hasEnded, false);
  }
  {
    await using scene = await passing();
    const { port } = await scene.passed;
    port.accept();
    const broken = once(port.duplex, 'error');
    // Without one, the other side of a pair sees an end.
    scene.client.destroy(new Error('gone'));
    const [error] = await broken;
    assert.equal((error as ProxyError).code, 'stream_reset');
  }
});

test('a plain request is accepted with the first octet of its response: until then its client is told what ended it', async () => {
  {
    await using scene = await passing({ isPlain: true });
    const { port } = await scene.passed;
    port.accept();
    scene.client.write('GET');
    assert.equal(String((await once(port.duplex, 'data'))[0]), 'GET');
    assert.deepEqual(scene.said, []);
    // As the sockets of a process that was killed.
    port.duplex.destroy();
    scene.client.resume();
    await once(scene.client, 'end');
    assert.match(scene.said.join(), /^stream_reset: /);
  }
  {
    await using scene = await passing({ isPlain: true });
    const { port } = await scene.passed;
    port.accept();
    port.duplex.write('HTTP/1.1 ');
    assert.equal(String((await once(scene.client, 'data'))[0]), 'HTTP/1.1 ');
    assert.deepEqual(scene.said, ['accepted']);
    let hasEnded = false;
    scene.client.once('end', () => (hasEnded = true));
    port.duplex.destroy();
    await once(scene.client, 'close');
    assert.deepEqual([scene.said, hasEnded], [['accepted'], false]);
  }
  {
    await using scene = await passing({ isPlain: true });
    const { port } = await scene.passed;
    port.refuse(new ProxyError('stream_limit', 'too many'));
    scene.client.resume();
    await once(scene.client, 'end');
    assert.deepEqual(scene.said, ['stream_limit: too many']);
  }
});

test('only where each request shows the token one without it is refused: inside of a tunnel none has it', () => {
  const pass: ProxyPass = { principal, digest: 'd', isShownIn: () => false, release: () => undefined };
  const request = { raw: [], target: '/' } as unknown as ParsedRequest;
  for (const mode of ['raw', 'proxy'] as const) {
    const port = { fields: { authority: 'a.test:80', mode } } as StreamPort;
    const refusal = passedPort(port, pass).refusalOf?.(request);
    assert.equal(refusal?.code, mode === 'proxy' ? 'proxy_token_needed' : undefined);
  }
});

test('a worker that is gone, or goes before it says anything, is told of', async () => {
  await using gone = await passing({ isThere: false });
  assert.match(gone.said.join(), /^shutting_down: /);
  await using going = await passing();
  const { port } = await going.passed;
  port.duplex.destroy();
  going.client.resume();
  await once(going.client, 'end');
  assert.match(going.said.join(), /^stream_reset: /);
});

test('messages are read in whatever pieces they come, and one that is too long ends the stream', async () => {
  const whole: Buffer[] = [];
  const [near, far] = duplexPair();
  // As a socket, as far as the stream uses one.
  const stream = new PassedStream(near as never);
  far.on('data', (chunk: Buffer) => whole.push(chunk));
  stream.accept();
  stream.end('some octets');
  await once(far, 'end');
  const bytes = Buffer.concat(whole);
  for (let size = 1; size <= bytes.length; size += 1) {
    const [a, b] = duplexPair();
    const reader = new PassedStream(a as never);
    for (let at = 0; at < bytes.length; at += size) b.write(bytes.subarray(at, at + size));
    assert.equal(await text(reader), 'some octets', String(size));
    assert.equal(await reader.opened, undefined);
    reader.destroy();
  }
  const [a, b] = duplexPair();
  const reader = new PassedStream(a as never);
  b.write(Buffer.from([3, 0xff, 0, 0, 0]));
  await once(reader, 'error');
});
