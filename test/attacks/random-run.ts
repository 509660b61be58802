// Generated requests against the same oracles: what any of two very different origins reads is what the audit says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';

import { findCanary } from '../support/canary.ts';
import { Arena, nextTurn, originAuthority, type Ports } from './support/arena.ts';
import { generate } from './support/grammar.ts';
import { seeded, type Random } from '../support/seeded.ts';
import { http2Request } from './support/http2-grammar.ts';
import { frameType } from './support/h2-frames.ts';
import { endsStream, openHttp2 } from './support/http2-client.ts';
import { readLeniently, type LenientRequest } from './support/lenient-reading.ts';
import { allowedAddress } from './support/sentry.ts';
import { checkLogs, Neighbour } from './support/play.ts';

export interface RandomRun {
  readonly requests: number;
  readonly allowed: number;
  readonly denied: number;
  readonly failures: readonly { readonly index: number; readonly message: string; readonly bytes: string }[];
}

/** The neighbour's longest wait beside twenty connections in the same process. */
const neighbourMsMax = 2_500;
/** Connections of which the logs are compared and then put away together. */
const batch = 20;

export interface RandomOptions {
  readonly seed: number;
  readonly runs: number;
  /** Plays the connections from this one on that were judged together. */
  readonly only?: number | undefined;
}

/** Number `index` of a run, by itself. */
function bytesOf(seed: number, index: number, host: string, evil: string): Buffer {
  if (isHttp2(index)) return http2Request(randomOf(seed, index), 1, host, evil);
  return generate(randomOf(seed, index), host, evil);
}

function randomOf(seed: number, index: number): Random {
  return seeded(seed ^ Math.imul(index + 1, 0x9e3779b1));
}

/** Plays `runs` connections from a seed: half to an origin of node:http, half to one that reads leniently. */
export async function playRandom({ seed, runs, only }: RandomOptions): Promise<RandomRun> {
  const lenient = await startLenient();
  const policy = ({ tls }: Ports): string => `
rules:
  - { name: probe, hosts: probe.test, ports: ${tls}, addresses: ${allowedAddress}/32 }
  - { name: strict, hosts: allowed.test, ports: ${tls}, methods: [GET, POST, HEAD], paths: [/public/*, /a/*, /a], inject: api, addresses: ${allowedAddress}/32 }
  - { name: lenient, hosts: b.allowed.test, ports: ${lenient.port}, methods: [GET, POST, HEAD], paths: [/public/*, /a/*, /a], inject: api, addresses: ${allowedAddress}/32 }
`;
  await using _lenient = lenient;
  await using arena = await Arena.open({ policy, limits: { headTimeoutMs: 1_000, idleTimeoutMs: 2_000 } });
  const neighbour = await Neighbour.move(arena, {});
  const failures: { index: number; message: string; bytes: string }[] = [];
  const counts = { requests: 0, allowed: 0, denied: 0 };
  const [from, to] = only === undefined ? [0, runs] : [only, only + batch];
  for (let index = from; index < to; index += batch) {
    const indexes = Array.from({ length: Math.min(batch, to - index) }, (_, k) => index + k);
    const played = await Promise.allSettled(indexes.map((one) => playOne(arena, seed, one, lenient.port)));
    await settle(arena);
    const message = played.map(reasonOf).find((text) => text !== undefined) ?? check(arena, lenient, played);
    if (message !== undefined)
      failures.push({
        index,
        message,
        bytes: only === undefined ? '' : bytesOf(seed, index, 'allowed.test', 'evil.test').toString('latin1'),
      });
    for (const { verdict } of arena.ownEvents) counts[verdict === 'allow' ? 'allowed' : 'denied'] += 1;
    counts.requests += arena.ownEvents.length;
    arena.audit.length = 0;
    arena.received.length = 0;
    (arena.origins.seen as unknown[]).length = 0;
    lenient.seen.length = 0;
    if (failures.length >= 5) break;
  }
  await neighbour.stop();
  const waited = complaint(() => neighbour.check(neighbourMsMax));
  if (waited !== undefined) failures.push({ index: from, message: waited, bytes: '' });
  return { ...counts, failures };
}

async function playOne(arena: Arena, seed: number, index: number, lenientPort: number): Promise<number> {
  const at = index % 2 === 0 ? arena.at('allowed.test') : `b.allowed.test:${lenientPort}`;
  if (isHttp2(index)) return await playHttp2(arena, seed, index, at);
  const reply = await arena.send(at, bytesOf(seed, index, at, 'evil.test'), { events: 0, deadlineMs: 5_000 });
  assert.ok(reply.bytes.length < 1_000_000);
  return reply.responses.length;
}

/** A third of the connections is HTTP/2, to both origins. */
function isHttp2(index: number): boolean {
  return index % 6 === 4 || index % 6 === 5;
}

/** One to four streams on a connection; whatever comes back, each has ended or the connection has. */
async function playHttp2(arena: Arena, seed: number, index: number, at: string): Promise<number> {
  const random = randomOf(seed, index);
  await using client = await openHttp2(arena, at);
  const count = 1 + Math.floor(random() * 4);
  const streams = Array.from({ length: count }, () => client.nextStream());
  for (const stream of streams) client.socket.write(http2Request(random, stream, at, 'evil.test'));
  const isOver = await client.until(
    (frames) => streams.every((stream) => frames.some((seen) => endsStream(seen, stream))),
    4_000,
  );
  assert.ok(isOver || client.closed, `connection ${index} never ended`);
  return new Set(client.frames.filter(({ type }) => type === frameType.headers).map(({ stream }) => stream))
    .size;
}

/** Nothing more is under way when no event came for some turns. */
async function settle(arena: Arena): Promise<void> {
  for (let quiet = 0, before = arena.ownEvents.length; quiet < 15; quiet += 1) {
    await nextTurn();
    const { length } = arena.ownEvents;
    if (length !== before) quiet = 0;
    before = length;
  }
}

function complaint(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function reasonOf(result: PromiseSettledResult<number>): string | undefined {
  return result.status === 'rejected'
    ? complaint(() => {
        throw result.reason;
      })
    : undefined;
}

function check(
  arena: Arena,
  lenient: LenientOrigin,
  played: readonly PromiseSettledResult<number>[],
): string | undefined {
  return complaint(() => {
    assert.deepEqual(arena.sentry.violations, [], 'a forbidden place was dialled');
    for (const bytes of arena.received)
      assert.deepEqual(findCanary(bytes, arena.secret), [], 'a client got the secret');
    assert.deepEqual(findCanary(JSON.stringify(arena.audit), arena.secret), [], 'the audit has the secret');
    checkLenient(arena, lenient.seen.flatMap(readConnection));
    checkLogs(arena, ({ host }) => host !== 'b.allowed.test');
    const responses = played.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0);
    assert.ok(
      responses <= arena.ownEvents.length,
      `${responses} responses have ${arena.ownEvents.length} events`,
    );
    const traces = new Set(arena.ownEvents.map(({ traceId }) => traceId));
    assert.equal(traces.size, arena.ownEvents.length, 'an attempt has more than one verdict');
  });
}

function readConnection(chunks: readonly Buffer[]): LenientRequest[] {
  return readLeniently(Buffer.concat(chunks));
}

/** The lenient reading of what was sent has the very requests of the audit, and no other. */
function checkLenient(arena: Arena, requests: readonly LenientRequest[]): void {
  const left = requests.filter(({ path }) => path !== 'unfinished');
  const events = arena.ownEvents.filter(({ host, kind }) => host === 'b.allowed.test' && kind === 'exchange');
  for (const event of events.toSorted((one) => (one.verdict === 'allow' ? -1 : 1))) {
    const index = left.findIndex(
      (seen) =>
        seen.method === event.method &&
        seen.path === event.path &&
        seen.host === event.host &&
        (event.verdict !== 'allow' || seen.bodyBytes === (event.requestBytes ?? 0)),
    );
    if (index !== -1) left.splice(index, 1);
    else if (event.verdict === 'allow')
      assert.fail(
        `the lenient origin did not read ${event.method} ${event.path} of ${event.requestBytes} bytes; it read ${JSON.stringify(requests)}`,
      );
  }
  assert.deepEqual(left, [], 'the lenient origin read what the audit does not have');
}

interface LenientOrigin extends AsyncDisposable {
  readonly port: number;
  /** Bytes by connection. */
  readonly seen: Buffer[][];
}

/** Responds to every head that it finds, and keeps all bytes. */
async function startLenient(): Promise<LenientOrigin> {
  const seen: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const tls = originAuthority.issue('b.allowed.test');
  const server = createServer(tls, (socket) => {
    const chunks: Buffer[] = [];
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      // A connection may be opened in one batch and used in the next: it counts where its bytes come.
      if (!seen.includes(chunks)) seen.push(chunks);
      chunks.push(chunk);
      const text = Buffer.concat(chunks).toString('latin1');
      // It waits for the end of a body as a server does, and then closes.
      const isChunked = /\r\ntransfer-encoding: chunked/i.test(text);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      const head = text.indexOf('\r\n\r\n');
      if (head === -1) return;
      const done = isChunked ? text.endsWith('0\r\n\r\n') : text.length >= head + 4 + length;
      if (done)
        socket.end(
          text.startsWith('HEAD')
            ? 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n'
            : 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes',
        );
    });
  });
  server.listen(0, allowedAddress);
  await once(server, 'listening');
  return {
    // Listening on an address and a port.
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
