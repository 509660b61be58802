// The jobs of the load generator.

import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';

import { downloadChunk, expectedSum, smallBytes, sumText, uploadChunk } from './bodies.ts';
import { openConnection, requestBytes, ResponseReader } from './load-connection.ts';
import type { LoadJob, LoadResult, LoadTarget } from './load-job.ts';
import { quantile } from '../report/statistics.ts';

/** Every job ends by then, beside the time that it is asked to take. */
const waitMsMax = 90_000;
const tickMs = 250;

type Tick = (count: number) => void;
type Of<K extends LoadJob['kind']> = Extract<LoadJob, { readonly kind: K }>;

type Bulk = Extract<LoadJob, { readonly bytes: number }>;

const held: Socket[] = [];

/** Runs the job; rejects with the first thing that goes wrong. */
export async function runLoad(job: LoadJob, tick: Tick): Promise<LoadResult> {
  switch (job.kind) {
    case 'requests':
      return await requests(job, tick);
    case 'connections':
      return await connections(job, tick);
    case 'download':
      return await download(job, tick);
    case 'upload':
      return await upload(job, tick);
    case 'hold':
      return await hold(job);
    case 'release':
      return await release();
  }
}

/** Runs `start` until it calls `done`, with ticks of what `count` says; `fail` and the deadline end it. */
async function bounded(
  ms: number,
  tick: Tick,
  count: () => number,
  start: (done: () => void, fail: (error: Error) => void) => void,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`nothing for ${ms + waitMsMax} ms`)), ms + waitMsMax);
  const ticks = setInterval(() => tick(count()), tickMs);
  const startMs = performance.now();
  tick(0);
  try {
    start(resolve, reject);
    await promise;
    return (performance.now() - startMs) / 1000;
  } finally {
    clearTimeout(timer);
    clearInterval(ticks);
  }
}

function opened(to: LoadTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    openConnection(to, (error, socket) => (error === undefined ? resolve(socket) : reject(error)));
  });
}

function resultOf(latencies: number[], count: number, seconds: number): LoadResult {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => quantile(sorted, share);
  return { count, seconds, p50: at(0.5), p99: at(0.99), least: at(0) };
}

async function requests(job: Of<'requests'>, tick: Tick): Promise<LoadResult> {
  const { to, bodyBytes = 0 } = job;
  const head = requestBytes(to, bodyBytes > 0 ? 'POST' : 'GET', '/small', bodyBytes);
  const request = Buffer.concat([head, Buffer.alloc(bodyBytes, 0x78)]);
  const sockets = await Promise.all(Array.from({ length: job.connections }, () => opened(to)));
  const latencies: number[] = [];
  const detach: (() => void)[] = [];
  const seconds = await bounded(
    job.ms,
    tick,
    () => latencies.length,
    (done, fail) => {
      const untilMs = performance.now() + job.ms;
      let running = sockets.length;
      for (const socket of sockets) {
        let startMs = performance.now();
        const reader = new ResponseReader((bytes) => {
          const nowMs = performance.now();
          if (bytes !== smallBytes) fail(new Error(`a response of ${bytes} bytes`));
          latencies.push((nowMs - startMs) * 1000);
          startMs = nowMs;
          if (nowMs < untilMs) socket.write(request);
          else if ((running -= 1) === 0) done();
        }, fail);
        detach.push(attach(socket, reader, fail));
        socket.write(request);
      }
    },
  );
  for (const each of detach) each();
  for (const socket of sockets) socket.destroy();
  return resultOf(latencies, latencies.length, seconds);
}

/** Feeds the reader and fails where the connection does; gives what ends both without a complaint. */
function attach(socket: Socket, reader: ResponseReader, fail: (error: Error) => void): () => void {
  const closed = (): void => fail(new Error('the connection was closed'));
  socket.on('data', (chunk: Buffer) => reader.take(chunk));
  socket.on('error', fail);
  socket.on('close', closed);
  return () => {
    socket.off('close', closed);
    socket.off('error', fail);
    socket.on('error', () => {});
  };
}

/** Opens, makes one request and hands the socket on. */
function exchanged(
  to: LoadTarget,
  request: Buffer,
  done: (socket: Socket) => void,
  fail: (error: Error) => void,
): void {
  openConnection(to, (error, socket) => {
    if (error !== undefined) {
      fail(error);
      return;
    }
    const reader = new ResponseReader((bytes) => {
      detach();
      if (bytes === smallBytes) done(socket);
      else fail(new Error(`a response of ${bytes} bytes`));
    }, fail);
    const detach = attach(socket, reader, fail);
    socket.write(request);
  });
}

async function connections(job: Of<'connections'>, tick: Tick): Promise<LoadResult> {
  const { to, count = Number.POSITIVE_INFINITY } = job;
  const request = requestBytes(to, 'GET', '/small', 0);
  const latencies: number[] = [];
  const seconds = await bounded(
    job.ms,
    tick,
    () => latencies.length,
    (done, fail) => {
      const untilMs = performance.now() + job.ms;
      let running = job.workers;
      let begun = 0;
      const next = (): void => {
        const startMs = performance.now();
        if (startMs >= untilMs || begun >= count) {
          if ((running -= 1) === 0) done();
          return;
        }
        begun += 1;
        exchanged(
          to,
          request,
          (socket) => {
            latencies.push((performance.now() - startMs) * 1000);
            socket.destroy();
            next();
          },
          fail,
        );
      };
      for (let i = 0; i < job.workers; i += 1) next();
    },
  );
  return resultOf(latencies, latencies.length, seconds);
}

async function download({ to, bytes }: Bulk, tick: Tick): Promise<LoadResult> {
  const expected = expectedSum(downloadChunk, bytes);
  const socket = await opened(to);
  let received = 0;
  let sum = 0;
  const seconds = await bounded(
    0,
    tick,
    () => received,
    (done, fail) => {
      const reader = new ResponseReader(done, fail, (piece) => {
        received += piece.length;
        sum = crc32(piece, sum);
      });
      attach(socket, reader, fail);
      socket.write(requestBytes(to, 'GET', `/bytes/${bytes}`, 0));
    },
  );
  socket.destroy();
  if (sumText(received, sum) !== expected)
    throw new Error(`what came is not what was sent: ${received} bytes`);
  return resultOf([], bytes, seconds);
}

async function upload({ to, bytes }: Bulk, tick: Tick): Promise<LoadResult> {
  const expected = expectedSum(uploadChunk, bytes);
  const socket = await opened(to);
  let sent = 0;
  let text = '';
  const seconds = await bounded(
    0,
    tick,
    () => sent,
    (done, fail) => {
      const reader = new ResponseReader(done, fail, (piece) => (text += piece.toString('latin1')));
      attach(socket, reader, fail);
      socket.write(requestBytes(to, 'POST', '/sink', bytes));
      const write = (): void => {
        while (sent < bytes && !socket.destroyed) {
          const left = bytes - sent;
          const piece = left < uploadChunk.length ? uploadChunk.subarray(0, left) : uploadChunk;
          sent += piece.length;
          if (!socket.write(piece)) {
            socket.once('drain', write);
            return;
          }
        }
      };
      write();
    },
  );
  socket.destroy();
  if (text !== expected) throw new Error(`the upload arrived as ${text}`);
  return resultOf([], bytes, seconds);
}

async function hold({ to, count }: Of<'hold'>): Promise<LoadResult> {
  const request = requestBytes(to, 'GET', '/small', 0);
  const latencies: number[] = [];
  const seconds = await bounded(
    count * 20,
    () => {},
    () => latencies.length,
    (done, fail) => {
      let begun = 0;
      let running = Math.min(8, count);
      const next = (): void => {
        if (begun >= count) {
          if ((running -= 1) === 0) done();
          return;
        }
        begun += 1;
        const startMs = performance.now();
        exchanged(
          to,
          request,
          (socket) => {
            latencies.push((performance.now() - startMs) * 1000);
            held.push(socket);
            next();
          },
          fail,
        );
      };
      for (let i = running; i > 0; i -= 1) next();
    },
  );
  return resultOf(latencies, count, seconds);
}

/** Counts those that were still open. */
async function release(): Promise<LoadResult> {
  const sockets = held.splice(0);
  const open = sockets.filter(({ destroyed }) => !destroyed);
  const closed = open.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
  for (const socket of open) socket.destroy();
  await Promise.all(closed);
  return resultOf([], open.length, 0);
}
