// Exchanges that last until a test lets them go on: downloads, uploads, WebSockets, event streams, calls of gRPC, and an origin for them.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Agent } from 'node:https';
import type { AddressInfo } from 'node:net';

import { WebSocket, WebSocketServer } from 'ws';

import type { AuditHistory } from './audit-history.ts';
import { patternHash, patternPieces } from './pattern-bytes.ts';
import { agentThrough, type ProxyTarget, requestThrough, tlsThrough } from './proxy-client.ts';
import type { TestAuthority } from './test-authority.ts';

const words = 6;

/** Exchanges that wait for each other: each stops half-way. */
export class Batch {
  readonly bodyBytes: number;
  readonly #released = Promise.withResolvers<void>();
  #halfway = 0;
  #failed: string | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(bodyBytes: number) {
    this.bodyBytes = bodyBytes;
  }

  /** Half of an exchange is done; resolves when the rest may be. */
  async half(): Promise<void> {
    this.#halfway += 1;
    for (const look of this.#waiters) look();
    await this.#released.promise;
  }

  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** One will never be half-way. */
  fail(why: string): void {
    this.#failed ??= why;
    for (const look of this.#waiters) look();
  }

  /** Waits until so many are half-way. Throws if one fails before. */
  async halfway(count: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#halfway >= count) resolve();
      else if (this.#failed !== undefined) reject(new Error(this.#failed));
    };
    this.#waiters.add(look);
    look();
    await promise;
    this.#waiters.delete(look);
  }

  release(): void {
    this.#released.resolve();
  }

  /** The body in pieces, with the wait between its halves. */
  async *pieces(seed: number, half: () => Promise<void>): AsyncGenerator<Buffer> {
    let sent = 0;
    let isHalf = false;
    for (const piece of patternPieces(this.bodyBytes, seed)) {
      if (!isHalf && 2 * sent >= this.bodyBytes) {
        isHalf = true;
        await half();
      }
      yield piece;
      sent += piece.length;
    }
  }
}

export interface LongOrigin extends AsyncDisposable {
  readonly port: number;
  /** Of gRPC, over HTTP/2. */
  readonly callPort: number;
  /** What its exchanges belong to, by the number in their paths. */
  readonly batches: Batch[];
  /** Paths of the requests that reached it. */
  readonly receipts: ReadonlySet<string>;
}

/** `/down/N/…`: a pattern; `/up/N/…`: its hash; `/events/N/…`: events; `/short/…`: two octets; WebSocket: an echo. */
export async function longOrigin(authority: TestAuthority, name: string): Promise<LongOrigin> {
  const batches: Batch[] = [];
  const receipts = new Set<string>();
  const calls = await callOrigin(authority, name, batches, receipts);
  const server = createServer({ ...authority.issue(name) }, (request, response) => {
    receipts.add(request.url ?? '');
    const [, kind, number] = (request.url ?? '').split('/');
    const batch = batches[Number(number)];
    // A client that is gone is told of by the test that misses it.
    response.on('error', () => undefined);
    if (batch === undefined) response.end('ok');
    else void serve(kind ?? '', batch, request, response).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    receipts.add(request.url ?? '');
    socket.on('error', () => undefined);
    socket.on('message', (data) => socket.send(data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    callPort: calls.port,
    batches,
    receipts,
    [Symbol.asyncDispose]: async () => {
      await calls[Symbol.asyncDispose]();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Calls of gRPC that stream: a message for each word, the state in the trailers. */
async function callOrigin(
  authority: TestAuthority,
  name: string,
  batches: readonly Batch[],
  receipts: Set<string>,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createSecureServer({ ...authority.issue(name) });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session)).on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    receipts.add(path);
    stream.on('error', () => undefined);
    const batch = batches[Number(path.split('/')[2])];
    // On a server every stream is a server's.
    if (batch !== undefined)
      void respondToCall(stream as ServerHttp2Stream, batch).catch(() => stream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function respondToCall(stream: ServerHttp2Stream, batch: Batch): Promise<void> {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.resume();
  for (let word = 0; word < words; word += 1) {
    if (word === words / 2) await batch.half();
    stream.write(message('word'));
  }
  stream.end();
}

/** A message of gRPC that is not compressed. */
function message(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

async function serve(
  kind: string,
  batch: Batch,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (kind === 'up') {
    const hash = createHash('sha256');
    for await (const chunk of request as AsyncIterable<Buffer>) hash.update(chunk);
    response.end(hash.digest('hex'));
  } else if (kind === 'down') {
    response.writeHead(200, { 'content-length': batch.bodyBytes });
    for await (const piece of batch.pieces(3, () => batch.half()))
      if (!response.write(piece)) await once(response, 'drain');
    response.end();
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let event = 0; event < words; event += 1) {
      if (event === words / 2) await batch.half();
      response.write('data: word\n\n');
    }
    response.end();
  }
}

interface Asked {
  readonly target: ProxyTarget;
  readonly batch: Batch;
  readonly path: string;
}

/** Gives the status. */
type Exchange = (asked: Asked) => Promise<number>;

const download: Exchange = async ({ target, batch, path }) => {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path });
  const hash = createHash('sha256');
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
  client.destroy();
  assert.equal(hash.digest('hex'), patternHash(batch.bodyBytes, 3));
  return response.statusCode ?? 0;
};

const upload: Exchange = async ({ target, batch, path }) => {
  const client = await agentThrough(target);
  const body = batch.pieces(5, () => batch.half());
  const response = await requestThrough(client, target, { method: 'POST', path, body });
  assert.equal(await textOf(response), patternHash(batch.bodyBytes, 5));
  client.destroy();
  return response.statusCode ?? 0;
};

const talk: Exchange = async ({ target, batch, path }) => {
  const socket = await tlsThrough(target);
  const client = new WebSocket(`ws://${target.host}${path}`, { createConnection: () => socket });
  client.on('error', () => undefined);
  await opened(client);
  for (let word = 0; word < words; word += 1) {
    if (word === words / 2) await batch.half();
    client.send(`word ${word}`);
    assert.equal(await heard(client), `word ${word}`);
  }
  client.close();
  await new Promise((resolve) => client.once('close', resolve));
  return 101;
};

const listen: Exchange = async ({ target, path }) => {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path });
  const text = await textOf(response);
  client.destroy();
  assert.equal(text.split('data: word').length - 1, words);
  return response.statusCode ?? 0;
};

const call: Exchange = async ({ target, path }) => {
  const socket = await tlsThrough(target, 'h2');
  const session = connectHttp2(`https://${target.host}:${target.port}`, { createConnection: () => socket });
  const broken = new Promise<never>((_resolve, reject) => session.once('error', reject));
  broken.catch(() => undefined);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const responded = once(stream, 'response') as Promise<[Record<string, unknown>]>;
    const ended = Promise.race([
      once(stream, 'trailers') as Promise<[Record<string, unknown>]>,
      once(stream, 'close').then(() => {
        throw new Error('the call ended without trailers');
      }),
    ]);
    for (const promise of [responded, ended]) promise.catch(() => undefined);
    stream.end(message('begin'));
    const [head] = await Promise.race([responded, broken]);
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    const [trailers] = await ended;
    assert.equal(trailers['grpc-status'], '0');
    assert.deepEqual(
      Buffer.concat(chunks),
      Buffer.concat(Array.from({ length: words }, () => message('word'))),
    );
    return Number(head[':status']);
  } finally {
    session.destroy();
  }
};

const kinds = { down: download, up: upload, talk, events: listen, call };
/** How many of `each` there are. */
export const kindCount = Object.keys(kinds).length;

/** A WebSocket that ends says so; an `error` is not the only way. */
function heard(client: WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    client.once('message', (data: Buffer) => resolve(data.toString()));
    client.once('close', (code: number) => reject(new Error(`the WebSocket ended with ${code}`)));
  });
}

function opened(client: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('open', () => resolve());
    client.once('error', reject);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString('latin1');
  return text;
}

export interface ExchangesOptions {
  readonly each: number;
  readonly bodyBytes: number;
  readonly history: AuditHistory;
}

/** Starts so many of each kind, spread over the targets. Gives what becomes of them: the names of those that failed, with why. */
export function startExchanges(
  targets: readonly ProxyTarget[],
  { batches, callPort }: LongOrigin,
  { each, bodyBytes, history }: ExchangesOptions,
): { readonly batch: Batch; readonly count: number; readonly failed: Promise<readonly string[]> } {
  const batch = new Batch(bodyBytes);
  const number = batches.push(batch) - 1;
  const running = Object.entries(kinds).flatMap(([kind, exchange]) =>
    Array.from({ length: each }, async (_, i) => {
      // There is one for each index below the length.
      const own = targets[i % targets.length]!;
      const target = kind === 'call' ? { ...own, port: callPort } : own;
      const path = `/${kind}/${number}/${i}`;
      try {
        await history.request(path, () => exchange({ target, batch, path }));
        return undefined;
      } catch (error) {
        const why = `${kind} ${i}: ${String(error)}`;
        batch.fail(why);
        return why;
      }
    }),
  );
  const failed = Promise.all(running).then((all) => all.filter((one) => one !== undefined));
  return { batch, count: running.length, failed };
}

export interface Asking {
  readonly asked: number;
  readonly slowestMs: number;
  readonly failed: readonly string[];
}

/** One short request behind another, on a connection that is kept, until it is stopped. Gives how many there were, and what failed. */
export async function keepAsking(
  target: ProxyTarget,
  signal: AbortSignal,
  history: AuditHistory,
): Promise<Asking> {
  const failed: string[] = [];
  let agent: Agent | undefined;
  // Of whom there are several.
  const name = randomUUID();
  let asked = 0;
  let slowestMs = 0;
  const ask = async (path: string): Promise<number> => {
    agent ??= await agentThrough(target);
    const response = await requestThrough(agent, target, { path });
    const text = await textOf(response);
    if (response.headers.connection === 'close') leave();
    if (text !== 'ok') failed.push(`${path}: status ${response.statusCode}: ${text.slice(0, 200)}`);
    return response.statusCode ?? 0;
  };
  const leave = (): void => {
    agent?.destroy();
    agent = undefined;
  };
  do {
    asked += 1;
    const path = `/short/${name}/${asked}`;
    const fromMs = performance.now();
    await history
      .request(path, () => ask(path))
      .catch((error: unknown) => {
        failed.push(`${path}: ${String(error)}`);
        leave();
      });
    slowestMs = Math.max(slowestMs, performance.now() - fromMs);
    // Where nothing is reached each attempt ends at once.
    await new Promise(setImmediate);
  } while (!signal.aborted);
  leave();
  return { asked, slowestMs, failed };
}
