import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';

import { Http1Forwarder } from '../../../src/gateway/forward/forward-http1.ts';
import { Http1Pool } from '../../../src/gateway/forward/http1-pool.ts';
import { originKeyOf } from '../../../src/gateway/forward/origin-pools.ts';
import type { ForwardRequest, ResponseReceiver } from '../../../src/gateway/forward/forwarder.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';
import { patienceMs } from '../../support/patience.ts';

const timeout = patienceMs;
const empty = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Told of every head that arrives, with the number of its connection; what it gives is sent. */
type Respond = (socket: Socket, head: string, connection: number) => string | undefined;

interface Scene extends AsyncDisposable {
  readonly forwarder: Http1Forwarder;
  /** Sockets of the origin, by order. */
  readonly sockets: readonly Socket[];
  /** All bytes that came. */
  received(): string;
}

/** An origin that is a script, and an engine that dials it. */
async function openScene(respond: Respond, limits: Partial<Limits> = {}): Promise<Scene> {
  const sockets: Socket[] = [];
  let received = '';
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = sockets.push(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        // What is no head is of a body.
        const sent = /^[A-Z]+ \/.* HTTP\/1\.1\r\n/.test(head) ? respond(socket, head, connection) : undefined;
        if (sent !== undefined) socket.write(sent, 'latin1');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let dialled = 0;
  const dial = async () => {
    dialled += 1;
    const address = `192.0.2.${dialled}`;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return { socket, address, alpn: undefined };
  };
  const forwarder = new Http1Forwarder({ dial }, { ...defaultLimits, ...limits });
  return {
    forwarder,
    sockets,
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      await forwarder[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function request(change: Partial<ForwardRequest> & { readonly method?: string } = {}): ForwardRequest {
  const plain = forwardRequestTo('origin.test', new AbortController().signal);
  const { method = 'GET', ...rest } = change;
  return { ...plain, ...rest, head: { ...plain.head, method } };
}

function post(body: Readable, bodyLength: number | undefined): ForwardRequest {
  return request({ method: 'POST', body, bodyLength });
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

class Collector implements ResponseReceiver {
  readonly words: string[] = [];
  body = '';
  onInformation(status: number): void {
    this.words.push(`interim ${status}`);
  }
  onHead(status: number): void {
    this.words.push(`head ${status}`);
  }
  onData(chunk: Uint8Array): boolean {
    this.body += Buffer.from(chunk).toString('latin1');
    return true;
  }
  onTrailers(raw: readonly string[]): void {
    this.words.push(`end ${raw.join('=')}`);
  }
}

async function forward(scene: Scene, one: ForwardRequest = request()): Promise<Collector> {
  const collector = new Collector();
  await scene.forwarder.forward(one, collector);
  return collector;
}

test(
  'requests one after the other go over one connection, each with its own response',
  { timeout },
  async () => {
    let count = 0;
    await using scene = await openScene(() => {
      count += 1;
      return `HTTP/1.1 20${count} OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n${count}\r\n0\r\nX: ${count}\r\n\r\n`;
    });
    for (const n of [1, 2, 3]) {
      const { words, body } = await forward(scene);
      assert.deepEqual([...words, body], [`head 20${n}`, `end X=${n}`, String(n)]);
    }
    assert.equal(scene.sockets.length, 1);
  },
);

const once200 = 'HTTP/1.1 200 OK\r\n';
const notKept: readonly (readonly [string, string, boolean?])[] = [
  ['it says close', `${once200}Connection: close\r\nContent-Length: 0\r\n\r\n`],
  ['it is of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n'],
  ['bytes follow it', `${empty}HTTP/1.1 200 OK\r\nX: smuggled\r\nContent-Length: 0\r\n\r\n`],
  ['a blank line follows it', `${empty}\r\n`],
  ['its body ends with the connection', `${once200}\r\nall`, true],
  [
    'the origin keeps it for no longer than a second',
    `${once200}Keep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n`,
  ],
];

for (const [name, response, ends] of notKept) {
  test(`a connection is not used again behind a response if ${name}`, { timeout }, async () => {
    await using scene = await openScene((socket, _head, connection) => {
      if (connection > 1) return empty;
      if (ends !== true) return response;
      socket.end(response);
      return undefined;
    });
    assert.deepEqual((await forward(scene)).words, ['head 200', 'end ']);
    assert.deepEqual((await forward(scene)).words, ['head 200', 'end ']);
    assert.equal(scene.sockets.length, 2);
  });
}

test('bytes on an idle connection are nobody’s response', { timeout }, async () => {
  await using scene = await openScene(() => empty);
  await forward(scene);
  const [first] = scene.sockets;
  first?.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
  await once(first ?? new PassThrough(), 'end');
  assert.equal((await forward(scene)).body, '');
  assert.equal(scene.sockets.length, 2);
});

test('a request that a kept connection loses is sent once more, if it may be', { timeout }, async () => {
  for (const [method, isRetried] of [
    ['GET', true],
    ['HEAD', true],
    ['DELETE', false],
  ] as const) {
    let seen = 0;
    await using scene = await openScene((socket, _head, connection) => {
      seen += 1;
      if (seen === 1 || connection > 1) return empty;
      socket.destroy();
      return undefined;
    });
    await forward(scene);
    const second = forward(scene, request({ method }));
    if (isRetried) assert.deepEqual((await second).words, ['head 200', 'end ']);
    else await assert.rejects(second, { code: 'origin_truncated' });
    assert.equal(seen, isRetried ? 3 : 2, method);
  }
});

test(
  'a response that is lost is not asked for again: on a new connection, or once a byte of it came',
  { timeout },
  async () => {
    for (const first of ['', empty]) {
      let seen = 0;
      await using scene = await openScene((socket) => {
        seen += 1;
        if (seen === 1 && first !== '') return first;
        socket.end(first === '' ? '' : 'HTTP/1.1 2');
        return undefined;
      });
      if (first !== '') await forward(scene);
      await assert.rejects(forward(scene), { code: 'origin_truncated' });
      assert.equal(seen, first === '' ? 1 : 2);
    }
  },
);

test(
  'each request is told of the connection that carries it, and of the one that did at last',
  { timeout },
  async () => {
    const waiting: Socket[] = [];
    await using scene = await openScene((socket) => void waiting.push(socket));
    const told: string[][] = [[], [], []];
    const tell = (n: number): ForwardRequest =>
      request({ onConnection: ({ address }) => told[n]?.push(address) });
    const first = forward(scene, tell(0));
    while (waiting.length < 1) await turn();
    const second = forward(scene, tell(1));
    while (waiting.length < 2) await turn();
    waiting[1]?.write(empty);
    await second;
    // The one that was free last is lost with the request.
    const third = forward(scene, tell(2));
    while (waiting.length < 3) await turn();
    waiting[2]?.destroy();
    while (waiting.length < 4) await turn();
    for (const socket of [waiting[0], waiting[3]]) socket?.write(empty);
    await Promise.all([first, third]);
    assert.deepEqual(told, [['192.0.2.1'], ['192.0.2.2'], ['192.0.2.2', '192.0.2.3']]);
  },
);

test('a body is never sent twice', { timeout }, async () => {
  let seen = 0;
  await using scene = await openScene((socket) => {
    seen += 1;
    if (seen === 1) return empty;
    socket.destroy();
    return undefined;
  });
  await forward(scene);
  await assert.rejects(forward(scene, post(Readable.from([Buffer.from('x')]), 1)), {
    code: 'origin_truncated',
  });
  assert.equal(seen, 2);
});

const cut: readonly (readonly [string, string])[] = [
  ['in its head', 'HTTP/1.1 200 OK\r\nX'],
  ['in a body of known length', `${once200}Content-Length: 5\r\n\r\nhell`],
  ['between chunks', `${once200}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`],
  ['before the end of the trailers', `${once200}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n`],
];

for (const [name, response] of cut) {
  test(`a response that is cut ${name} is not complete`, { timeout }, async () => {
    await using scene = await openScene((socket) => {
      socket.end(response);
      return undefined;
    });
    await assert.rejects(forward(scene), { code: 'origin_truncated' });
  });
}

test('a response that breaks HTTP ends its connection', { timeout }, async () => {
  await using scene = await openScene((_socket, _head, connection) =>
    connection === 1 ? `${once200}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx` : empty,
  );
  await assert.rejects(forward(scene), { code: 'origin_malformed' });
  await forward(scene);
  assert.equal(scene.sockets.length, 2);
});

test('a body arrives as its head frames it', { timeout }, async () => {
  for (const length of [6, undefined]) {
    await using scene = await openScene(() => undefined);
    const body = Readable.from([Buffer.from('abc'), Buffer.from('def')], { objectMode: false });
    const responded = forward(scene, { ...post(body, length), trailers: () => ['Digest', 'x'] });
    const isWhole = length === undefined ? /\r\n0\r\n[^]*\r\n\r\n$/ : /abcdef$/;
    while (!isWhole.test(scene.received())) await turn();
    scene.sockets[0]?.write(empty);
    await responded;
    const [head = '', ...rest] = scene.received().split('\r\n\r\n');
    assert.ok(head.endsWith(length === undefined ? 'transfer-encoding: chunked' : 'content-length: 6'), head);
    const text = rest.join('\r\n\r\n');
    if (length === undefined)
      assert.match(text, /^(?:6\r\nabcdef|3\r\nabc\r\n3\r\ndef)\r\n0\r\nDigest: x\r\n\r\n$/);
    else assert.equal(text, 'abcdef');
  }
});

test(
  'a body of another length than was declared ends the connection, and nothing of it too much is sent',
  { timeout },
  async () => {
    for (const text of ['short', 'much too long']) {
      await using scene = await openScene(() => undefined);
      const body = Readable.from([Buffer.from(text)]);
      await assert.rejects(forward(scene, post(body, 8)), { code: 'request_malformed' });
      assert.ok(!scene.received().includes('much'), scene.received());
    }
  },
);

test('an early response ends the upload and its connection', { timeout }, async () => {
  await using scene = await openScene((_socket, _head, connection) =>
    connection === 1 ? 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n' : empty,
  );
  const body = new PassThrough();
  body.write('the first of many bytes');
  assert.deepEqual((await forward(scene, post(body, 1_000_000))).words, ['head 413', 'end ']);
  await forward(scene);
  assert.equal(scene.sockets.length, 2);
});

/** An origin that says `response` to a head and closes; nothing of it is read before a write to it has failed. */
async function closingUnderBody(
  response: string,
): Promise<AsyncDisposable & { readonly forwarder: Http1Forwarder }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(response, () => socket.destroy()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = async () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.pause();
    await once(socket, 'connect');
    const resume = socket.resume.bind(socket);
    socket.resume = () => socket;
    const look = setInterval(() => {
      if (socket.errored === null && !socket.destroyed) return;
      clearInterval(look);
      socket.resume = resume;
      socket.resume();
    }, 1);
    return { socket, address: '192.0.2.1', alpn: undefined };
  };
  const forwarder = new Http1Forwarder({ dial }, defaultLimits);
  return {
    forwarder,
    [Symbol.asyncDispose]: async () => {
      await forwarder[Symbol.asyncDispose]();
      server.close();
    },
  };
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(1024);
}

test('a response that came before the origin closed under the body is read', { timeout }, async () => {
  await using scene = await closingUnderBody('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
  const collector = new Collector();
  await scene.forwarder.forward(post(Readable.from(endless()), 2 ** 40), collector);
  assert.deepEqual([collector.words, collector.body], [['head 413', 'end '], 'no']);
});

test('half a response before the origin closed under the body is none', { timeout }, async () => {
  for (const half of [
    'HTTP/1.1 413 Too',
    'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nn',
    'HTTP/1.1 413 X\r\n\r\nn',
  ]) {
    await using scene = await closingUnderBody(half);
    const responded = scene.forwarder.forward(post(Readable.from(endless()), 2 ** 40), new Collector());
    await assert.rejects(responded, { code: 'origin_truncated' });
  }
});

test(
  'a body that breaks off ends the request, and the origin sees that it is not whole',
  { timeout },
  async () => {
    await using scene = await openScene(() => undefined);
    const body = new PassThrough();
    body.write('the first');
    const responded = forward(scene, post(body, undefined));
    while (!scene.received().includes('the first')) await turn();
    body.destroy();
    await assert.rejects(responded, { code: 'cancelled' });
    const [socket] = scene.sockets;
    if (socket?.readableEnded === false) await once(socket, 'end');
    assert.ok(!scene.received().includes('\r\n0\r\n'), scene.received());
  },
);

test('a body that was found wrong while the origin was dialled is not sent', { timeout }, async () => {
  await using scene = await openScene(() => empty);
  const body = new PassThrough();
  const responded = forward(scene, post(body, undefined));
  body.destroy(new ProxyError('body_too_large', 'too large'));
  await assert.rejects(responded, { code: 'body_too_large' });
});

test('what the receiver does not take, the origin keeps', { timeout }, async () => {
  const total = 32 * 1024 * 1024;
  await using scene = await openScene((socket) => {
    socket.write(`${once200}Content-Length: ${total}\r\n\r\n`);
    socket.write(Buffer.alloc(total, 0x61));
    return undefined;
  });
  let bytes = 0;
  let resume: (() => void) | undefined;
  const { promise: paused, resolve } = Promise.withResolvers<undefined>();
  const receiver: ResponseReceiver = {
    ...anyReceiver,
    onData: (chunk, goOn) => {
      bytes += chunk.byteLength;
      if (resume !== undefined) return true;
      resume = goOn;
      resolve(undefined);
      return false;
    },
  };
  const responded = scene.forwarder.forward(request(), receiver);
  await paused;
  for (let i = 0; i < 20; i += 1) await turn();
  assert.ok((scene.sockets[0]?.writableLength ?? 0) > 0, 'the origin could send all of it');
  assert.ok(bytes < 1024 * 1024, `${bytes} bytes were handed on`);
  resume?.();
  await responded;
  assert.equal(bytes, total);
});

test('a response whose connection ended while its receiver waited is whole', { timeout }, async () => {
  await using scene = await openScene((socket) => {
    socket.end(`${once200}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n`);
    return undefined;
  });
  let text = '';
  const receiver: ResponseReceiver = {
    ...anyReceiver,
    onData: (chunk, resume) => {
      text += Buffer.from(chunk).toString();
      setTimeout(resume, 50);
      return false;
    },
  };
  await scene.forwarder.forward(request(), receiver);
  assert.equal(text, 'abcd');
});

test('an origin that takes no body holds the client back', { timeout }, async () => {
  const limits = { responseHeadTimeoutMs: 1_000 };
  await using scene = await openScene((socket) => void socket.pause(), limits);
  const total = 256 * 1024 * 1024;
  let drawn = 0;
  const body = new Readable({
    read() {
      drawn += 65_536;
      this.push(drawn > total ? null : Buffer.alloc(65_536));
    },
  });
  // Nothing moves any more, and the deadline for that passes.
  const responded = scene.forwarder.forward(post(body, total), anyReceiver);
  await assert.rejects(responded, { code: 'timeout', limit: 'responseHeadTimeoutMs' });
  assert.ok(drawn < total / 2, `${drawn} bytes were drawn from the client`);
});

const deadlines: readonly (readonly ['responseHeadTimeoutMs' | 'idleTimeoutMs', string])[] = [
  ['responseHeadTimeoutMs', ''],
  ['responseHeadTimeoutMs', 'HTTP/1.1 200 OK\r\n'],
  ['idleTimeoutMs', `${once200}Content-Length: 5\r\n\r\nhell`],
];

for (const [limit, response] of deadlines) {
  test(
    `an origin that is silent behind ${JSON.stringify(response)} is given up by ${limit}`,
    { timeout },
    async () => {
      await using scene = await openScene(() => response, { [limit]: 300 });
      await assert.rejects(forward(scene), { code: 'timeout', limit });
    },
  );
}

test('a client that sends nothing more of its body is given up by idleTimeoutMs', { timeout }, async () => {
  await using scene = await openScene(() => undefined, { idleTimeoutMs: 300 });
  const body = new PassThrough();
  body.write('a');
  await assert.rejects(forward(scene, post(body, 2)), { code: 'timeout', limit: 'idleTimeoutMs' });
});

test(
  'beyond the connections of an origin a request waits for one, and one that is gone takes none',
  { timeout },
  async () => {
    const waiting: Socket[] = [];
    await using scene = await openScene((socket) => void waiting.push(socket), {
      http1ConnectionsPerOriginMax: 1,
    });
    const first = forward(scene);
    const gone = new AbortController();
    const second = forward(scene, request({ signal: gone.signal }));
    const third = forward(scene);
    gone.abort();
    await assert.rejects(second, { code: 'cancelled' });
    while (waiting.length < 1) await turn();
    waiting[0]?.write(empty);
    await first;
    while (waiting.length < 2) await turn();
    waiting[1]?.write(empty);
    await third;
    assert.equal(scene.sockets.length, 1);
  },
);

test('a connection that fails makes room for a request that waits', { timeout }, async () => {
  let seen = 0;
  await using scene = await openScene(
    (socket) => {
      seen += 1;
      if (seen > 1) return empty;
      socket.destroy();
      return undefined;
    },
    { http1ConnectionsPerOriginMax: 1 },
  );
  const [first, second] = await Promise.allSettled([forward(scene), forward(scene)]);
  assert.deepEqual([first.status, second.status], ['rejected', 'fulfilled']);
});

test(
  'a place that comes free for a client that leaves at that moment goes to the next that waits',
  { timeout },
  async () => {
    const waiting: Socket[] = [];
    await using scene = await openScene((socket) => void waiting.push(socket), {
      http1ConnectionsPerOriginMax: 1,
    });
    const leaves = new AbortController();
    const first = forward(scene, request({ signal: leaves.signal }));
    while (waiting.length < 1) await turn();
    const second = forward(scene, request({ signal: leaves.signal }));
    const third = forward(scene);
    await turn();
    // One session of a client ends with both of its requests: the first gives its place to the second.
    leaves.abort();
    await assert.rejects(first, { code: 'cancelled' });
    await assert.rejects(second, { code: 'cancelled' });
    while (waiting.length < 2) await turn();
    waiting[1]?.write(empty);
    assert.deepEqual((await third).words, ['head 200', 'end ']);
  },
);

test(
  'the deadline of a request that waits begins once, however often others come first',
  { timeout },
  async () => {
    let nowMs = 0;
    const limits = { ...defaultLimits, http1ConnectionsPerOriginMax: 1, responseHeadTimeoutMs: 1_000 };
    const dials: PromiseWithResolvers<never>[] = [];
    const dialer = {
      dial: () => {
        const pending = Promise.withResolvers<never>();
        dials.push(pending);
        return pending.promise;
      },
    };
    const key = originKeyOf(request());
    using pool = new Http1Pool(key, dialer, limits, () => nowMs);
    const { signal } = new AbortController();
    const first = pool.take(signal);
    const waits = pool.take(signal);
    nowMs = 600;
    // Behind the pool, which wakes the one that waits, and before that is awake.
    const overtakes = dials[0]?.promise.catch(() => pool.take(signal));
    dials[0]?.reject(new ProxyError('origin_unreachable', 'nobody is there'));
    await assert.rejects(first, { code: 'origin_unreachable' });
    assert.equal(dials.length, 2);
    pool.checkDeadlines(1_000);
    await assert.rejects(waits, { code: 'timeout', limit: 'http1ConnectionsPerOriginMax' });
    dials[1]?.reject(new ProxyError('origin_unreachable', 'nobody is there'));
    await assert.rejects(overtakes ?? Promise.resolve(), { code: 'origin_unreachable' });
  },
);

test('a request that waits for a connection has a deadline', { timeout }, async () => {
  await using scene = await openScene((socket) => void socket.write(`${once200}Content-Length: 9\r\n\r\n`), {
    http1ConnectionsPerOriginMax: 1,
    responseHeadTimeoutMs: 300,
  });
  const cancel = new AbortController();
  const first = forward(scene, request({ signal: cancel.signal }));
  await assert.rejects(forward(scene), { code: 'timeout', limit: 'http1ConnectionsPerOriginMax' });
  cancel.abort();
  await assert.rejects(first, { code: 'cancelled' });
});

test('a client that leaves during the dial leaves its connection to the next', { timeout }, async () => {
  await using scene = await openScene(() => empty);
  const gone = new AbortController();
  const first = forward(scene, request({ signal: gone.signal }));
  gone.abort();
  await assert.rejects(first, { code: 'cancelled' });
  while (scene.sockets.length === 0) await turn();
  await turn();
  await forward(scene);
  assert.equal(scene.sockets.length, 1);
});

test('a connection that only waited may be closing as one that was used', { timeout }, async () => {
  await using scene = await openScene((socket, _head, connection) => {
    if (connection > 1) return empty;
    socket.destroy();
    return undefined;
  });
  const gone = new AbortController();
  const first = forward(scene, request({ signal: gone.signal }));
  gone.abort();
  await assert.rejects(first, { code: 'cancelled' });
  while (scene.sockets.length === 0) await turn();
  await turn();
  assert.deepEqual((await forward(scene)).words, ['head 200', 'end ']);
});

test('disposing ends what is under way', { timeout }, async () => {
  await using scene = await openScene(() => undefined);
  const responded = forward(scene);
  while (scene.sockets.length === 0) await turn();
  const failed = assert.rejects(responded, { code: 'shutting_down' });
  await scene.forwarder[Symbol.asyncDispose]();
  await failed;
});

test('a switched connection is given away with what came behind the response', { timeout }, async () => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  await using scene = await openScene((socket, asked) => {
    assert.match(asked, /\r\nconnection: Upgrade\r\nupgrade: websocket$/);
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    return `${head}first`;
  });
  const { status, socket, head: behind } = await scene.forwarder.upgrade(request(), 'websocket', anyReceiver);
  assert.deepEqual([status, behind?.toString()], [101, 'first']);
  assert.ok(socket !== undefined);
  const echoed = once(socket, 'data') as Promise<[Buffer]>;
  socket.resume();
  socket.write('ping');
  assert.equal(String((await echoed)[0]), 'ping');
  socket.destroy();
});

test('an origin that does not switch responses as usual', { timeout }, async () => {
  await using scene = await openScene(() => 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n');
  const collector = new Collector();
  const { socket } = await scene.forwarder.upgrade(request(), 'websocket', collector);
  assert.deepEqual([socket, ...collector.words], [undefined, 'head 426', 'end ']);
});

test('a WebSocket whose client is gone before it is asked for uses no destination up', async () => {
  const unreachable = new ProxyError('origin_unreachable', 'nobody is there');
  const dialer = { dial: () => Promise.reject(unreachable) };
  const limits = { ...defaultLimits, originPoolsPerPrincipalMax: 1 };
  await using forwarder = new Http1Forwarder(dialer, limits);
  const gone = forwardRequestTo('one.test', AbortSignal.abort());
  await assert.rejects(forwarder.upgrade(gone, 'websocket', anyReceiver), { code: 'cancelled' });
  const next = forwardRequestTo('two.test', new AbortController().signal);
  await assert.rejects(forwarder.upgrade(next, 'websocket', anyReceiver), { code: 'origin_unreachable' });
});
