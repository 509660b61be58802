// Exchanges that last until a test lets them go on: downloads, uploads, WebSockets, event streams, and an origin for them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Agent } from 'node:https';
import type { AddressInfo } from 'node:net';

import { WebSocket, WebSocketServer } from 'ws';

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
  /** What its exchanges belong to, by the number in their paths. */
  readonly batches: Batch[];
  /** Requests that reached it. */
  readonly requests: number;
}

/** `/down/N`: a pattern; `/up/N`: its hash; `/events/N`: events; `/short`: two octets; WebSocket: an echo. */
export async function longOrigin(authority: TestAuthority, name: string): Promise<LongOrigin> {
  const batches: Batch[] = [];
  let requests = 0;
  const server = createServer({ ...authority.issue(name) }, (request, response) => {
    requests += 1;
    const [, kind, number] = (request.url ?? '').split('/');
    const batch = batches[Number(number)];
    // A client that is gone is told of by the test that misses it.
    response.on('error', () => undefined);
    if (batch === undefined) response.end('ok');
    else void serve(kind ?? '', batch, request, response).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    requests += 1;
    socket.on('error', () => undefined);
    socket.on('message', (data) => socket.send(data));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    batches,
    get requests() {
      return requests;
    },
    [Symbol.asyncDispose]: async () => {
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
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

type Exchange = (target: ProxyTarget, batch: Batch, number: number) => Promise<void>;

const download: Exchange = async (target, batch, number) => {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path: `/down/${number}` });
  const hash = createHash('sha256');
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk);
  client.destroy();
  assert.equal(hash.digest('hex'), patternHash(batch.bodyBytes, 3));
};

const upload: Exchange = async (target, batch, number) => {
  const client = await agentThrough(target);
  const body = batch.pieces(5, () => batch.half());
  const response = await requestThrough(client, target, { method: 'POST', path: `/up/${number}`, body });
  assert.equal(await textOf(response), patternHash(batch.bodyBytes, 5));
  client.destroy();
};

const talk: Exchange = async (target, batch) => {
  const socket = await tlsThrough(target);
  const client = new WebSocket(`ws://${target.host}/`, { createConnection: () => socket });
  client.on('error', () => undefined);
  await opened(client);
  for (let word = 0; word < words; word += 1) {
    if (word === words / 2) await batch.half();
    client.send(`word ${word}`);
    assert.equal(await heard(client), `word ${word}`);
  }
  client.close();
  await new Promise((resolve) => client.once('close', resolve));
};

const listen: Exchange = async (target, _batch, number) => {
  const client = await agentThrough(target);
  const response = await requestThrough(client, target, { path: `/events/${number}` });
  const text = await textOf(response);
  client.destroy();
  assert.equal(text.split('data: word').length - 1, words);
};

const kinds = { download, upload, talk, listen };

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

/** Starts so many of each kind, spread over the targets. Gives what becomes of them: the names of those that failed, with why. */
export function startExchanges(
  targets: readonly ProxyTarget[],
  { batches }: LongOrigin,
  { each, bodyBytes }: { readonly each: number; readonly bodyBytes: number },
): { readonly batch: Batch; readonly count: number; readonly failed: Promise<readonly string[]> } {
  const batch = new Batch(bodyBytes);
  const number = batches.push(batch) - 1;
  const running = Object.entries(kinds).flatMap(([kind, exchange]) =>
    Array.from({ length: each }, async (_, i) => {
      // There is one for each index below the length.
      const target = targets[i % targets.length]!;
      try {
        await exchange(target, batch, number);
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

/** One short request behind another, on a connection that is kept, until it is stopped. Gives how many there were, and what failed. */
export async function keepAsking(
  target: ProxyTarget,
  signal: AbortSignal,
): Promise<{ readonly asked: number; readonly slowestMs: number; readonly failed: readonly string[] }> {
  const failed: string[] = [];
  let agent: Agent | undefined;
  let asked = 0;
  let slowestMs = 0;
  const ask = async (): Promise<void> => {
    agent ??= await agentThrough(target);
    const response = await requestThrough(agent, target, { path: '/short' });
    if ((await textOf(response)) !== 'ok') failed.push(`status ${response.statusCode}`);
    if (response.headers.connection === 'close') leave();
  };
  const leave = (): void => {
    agent?.destroy();
    agent = undefined;
  };
  do {
    asked += 1;
    const fromMs = performance.now();
    await ask().catch((error: unknown) => {
      failed.push(String(error));
      leave();
    });
    slowestMs = Math.max(slowestMs, performance.now() - fromMs);
  } while (!signal.aborted);
  leave();
  return { asked, slowestMs, failed };
}
