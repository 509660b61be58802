// Attempts to use up time, memory, sockets or the log: bounded, and the neighbour is served all along.

import assert from 'node:assert/strict';

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';

import { responded, get, nothingDialled, post, refused, type AttackTable } from '../support/attack.ts';
import { nextTurn, usualPolicy, type Arena } from '../support/arena.ts';
import { blackHolePort, startBlackHole } from '../support/black-hole.ts';
import { readReply } from '../support/responses.ts';
import { keptAlive } from '../support/kept-alive.ts';
import { patienceMs } from '../../support/patience.ts';
import { seeded } from '../../support/seeded.ts';

const neighbourMsMax = 2_500;
const MiB = 1024 * 1024;

/** The other side ended the connection, in whatever way. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed || socket.readableEnded) resolve();
    socket.once('close', () => resolve()).once('end', () => resolve());
  });
}

/** Sends a byte every few milliseconds until the gateway ends the connection. */
async function dripped(socket: Socket, text: string): Promise<void> {
  socket.resume();
  const isOver = ended(socket);
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 25);
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error('a head that trickles was never cut')), patienceMs).unref();
  });
  await Promise.race([isOver, late]).finally(() => clearInterval(timer));
  socket.destroy();
}

/** A response that its client does not read: the origin is not read either, and the exchange ends. */
async function slowReader(a: Arena): Promise<void> {
  const at = a.at('allowed.test');
  const total = 256 * MiB;
  let written = 0;
  a.origins.respond = (_request, response) => {
    const chunk = Buffer.alloc(MiB / 4);
    const write = (): void => {
      while (written < total && !response.destroyed) {
        written += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', write);
      }
      response.end();
    };
    write();
  };
  const socket = await a.tls(at);
  socket.pause();
  socket.write(get(at, '/unread'));
  a.attempts += 1;
  const events = await a.events(a.attempts);
  assert.notEqual(events.at(-1)?.verdict, 'allow');
  assert.ok(written < total / 2, `${written} bytes were taken for a client that reads nothing`);
  socket.destroy();
}

/** So many chunks of one byte, sent as fast as they are taken; the response is 200. */
async function tinyChunks(a: Arena, head: string, count: number): Promise<void> {
  const socket = await a.tls(a.at('allowed.test'));
  a.attempts += 1;
  const reply = readReply(socket, 120_000);
  socket.write(head);
  const piece = Buffer.from('1\r\nx\r\n'.repeat(5_000));
  for (let sent = 0; sent < count; sent += 5_000)
    if (!socket.write(piece)) await once(socket, 'drain', { signal: AbortSignal.timeout(patienceMs) });
  socket.end('0\r\n\r\n');
  responded(await reply, 200);
}

/** A gigabyte of extensions, each short enough by itself, or as much of it as is taken: far less. */
async function endlessExtensions(a: Arena, head: string): Promise<void> {
  const socket = await a.tls(a.at('allowed.test'));
  a.attempts += 1;
  socket.resume();
  const isOver = ended(socket);
  socket.write(head);
  const piece = Buffer.from(`1;${'e'.repeat(10_000)}\r\nx\r\n`.repeat(100));
  let sent = 0;
  while (!socket.readableEnded && !socket.destroyed && sent < 1024 * MiB) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), isOver]);
    sent += piece.length;
  }
  await isOver;
  socket.destroy();
  assert.ok(sent < 16 * MiB, `${sent} bytes of chunk extensions were taken`);
}

/** Connections that say these bytes and then nothing; all of them are ended by the other side. */
async function idleWave(a: Arena, count: number, bytes: Buffer): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => a.dialRelay()));
  for (const socket of sockets) socket.resume().write(bytes);
  await Promise.all(sockets.map(ended));
  for (const socket of sockets) socket.destroy();
}

/** Sockets that this process is connecting to a port, and the most of them at one time. */
function watchDials(port: number): { readonly most: () => number; readonly stop: () => void } {
  let pending = 0;
  let most = 0;
  const onSocket = (message: unknown): void => {
    // What node:net publishes on this channel.
    const { socket } = message as { readonly socket: Socket };
    socket.once('connectionAttempt', (_ip: string, to: number) => {
      if (to !== port) return;
      pending += 1;
      most = Math.max(most, pending);
      socket.once('close', () => (pending -= 1));
    });
  };
  subscribe('net.client.socket', onSocket);
  return { most: () => most, stop: () => void unsubscribe('net.client.socket', onSocket) };
}

/** How long the loop worked without a break, in time of the processor: one that this thread has not got is no effect of the attack. */
function loopStops(): Disposable & { readonly percentile: (share: number) => number } {
  const stopsMs: number[] = [];
  let before = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    stopsMs.push((user + system) / 1000);
    before = process.threadCpuUsage();
  }, 5);
  return {
    percentile: (share) =>
      stopsMs.toSorted((a, b) => a - b)[Math.floor(((stopsMs.length - 1) * share) / 100)] ?? Number.NaN,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** One host of its own under the wildcard rule; 1 if a certificate was made for it. */
async function mint(a: Arena, number: number): Promise<number> {
  a.attempts += 1;
  const at = a.at(`r${number}.wild.test`);
  const socket = await a.tls(at).catch(() => undefined);
  if (socket === undefined) return 0;
  socket.resume();
  socket.end(get(at, '/'));
  await ended(socket);
  return 1;
}

export const exhaustion: AttackTable = {
  'DOS-01': {
    limits: { headTimeoutMs: 500, idleTimeoutMs: 1_200 },
    neighbourMsMax,
    run: async (a) => {
      const at = a.at('allowed.test');
      // Slow heads: at the relay, as first bytes in the tunnel, and inside TLS.
      refused(await a.toRelay('CONNECT allo', { keepOpen: true }), 408);
      refused(await a.inTunnel(at, '\x16\x03', { keepOpen: true }));
      const head = await a.send(at, 'GET / HT', { keepOpen: true });
      refused(head, 408);
      nothingDialled(a);
      // A body that stops.
      const body = await a.send(at, `POST /slow HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 100\r\n\r\nabc`, {
        keepOpen: true,
      });
      assert.notEqual(body.ending, 'open');
      // A byte now and then does not buy more time for a head, at no door.
      for (const socket of [await a.dialRelay(), await a.tls(at)]) {
        if (socket instanceof TLSSocket) a.attempts += 1;
        await dripped(socket, `GET /drip HTTP/1.1\r\nX: ${'y'.repeat(1_000)}`);
      }
      nothingDialled(a, '/slow');
      await slowReader(a);
    },
  },
  'DOS-02': async (a) => {
    const at = a.at('allowed.test');
    // The rest of so large a head is not read: the response may be lost in the reset.
    refused(await a.send(at, get(at, '/', `X: ${'y'.repeat(1_000_000)}`)), 431);
    refused(await a.send(at, get(at, '/', ...Array.from({ length: 10_000 }, (_, i) => `X${i}: y`))), 431);
    refused(await a.send(at, get(at, `/${'p'.repeat(100_000)}`)), 431, 414);
    refused(
      await a.send(
        at,
        get(
          at,
          '/',
          'Connection: Upgrade',
          'Upgrade: websocket',
          ...Array.from({ length: 2_000 }, (_, i) => `X${i}: y`),
        ),
      ),
      431,
    );
    nothingDialled(a);
  },
  'DOS-03': {
    // Of which a slow machine makes more too.
    limits: { leavesPerSecondMax: 5, leafContextsMax: 64, streamsPerSecondMax: 100_000 },
    neighbourMsMax,
    run: async (a, scale) => {
      const count = scale === 'full' ? 10_000 : 120;
      let minted = 0;
      let rssAtHalf = 0;
      using stops = loopStops();
      for (let i = 0; i < count; i += 20) {
        if (i === count / 2) rssAtHalf = process.memoryUsage().rss;
        await Promise.all(Array.from({ length: 20 }, async (_, k) => (minted += await mint(a, i + k))));
      }
      const events = await a.events(a.attempts);
      assert.ok(minted < count, 'no bound on certificates');
      assert.ok(events.some(({ errorCode }) => errorCode === 'limit_exceeded'));
      const grown = process.memoryUsage().rss - rssAtHalf;
      assert.ok(grown < 100 * MiB, `${grown} bytes more after the bound was reached`);
      // Both ends and the origin are this process: the bound is for a stop, not for speed.
      const p99 = stops.percentile(99);
      assert.ok(p99 < 250, `the loop stood still for ${p99} ms`);
    },
  },
  'DOS-04': {
    neighbourMsMax,
    policy: (ports) =>
      `${usualPolicy(ports).replace('inject: api,', 'inject: api, paths: /bomb,')}  - { name: unpacks, hosts: api.allowed.test, ports: ${ports.tls}, inject: unpacked, addresses: 127.0.0.10/32 }\n`,
    run: async (a, scale) => {
      // Where it is not asked for, nothing is decompressed: a bomb is bytes, and with a credential it does not pass.
      a.origins.respond = (_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(100_000));
      const api = a.at('api.allowed.test');
      responded(await a.send(api, get(api, '/bomb')), 502);
      const at = a.at('allowed.test');
      const reply = await a.send(at, get(at, '/bomb', 'Accept-Encoding: gzip'));
      responded(reply, 200);
      assert.equal(reply.responses[0]?.body.length, 100_000);
      // As a request it is a body of its own length.
      const packed = gzipSync(Buffer.alloc(10_000_000)).toString('latin1');
      const fields = ['Content-Encoding: gzip', `Content-Length: ${packed.length}`];
      responded(await a.send(at, post(at, '/packed', fields, packed)), 200);
      // Where responses are decoded to be searched: no faster than the client takes it, and twenty codings do not pass.
      const bomb = gzipSync(Buffer.alloc(scale === 'full' ? 1_000_000_000 : 100_000_000));
      a.origins.respond = (_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
      const before = process.memoryUsage().rss;
      const socket = await a.tls(api);
      a.attempts += 1;
      socket.write(get(api, '/unpack'));
      socket.once('data', () => socket.pause());
      for (let turn = 0; turn < 300; turn += 1) await nextTurn();
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < 100 * MiB, `${grown} bytes for a bomb of ${bomb.length}`);
      socket.destroy();
      a.origins.respond = (_request, response) =>
        response
          .writeHead(200, { 'content-encoding': Array(20).fill('gzip').join(', ') })
          .end(bomb.subarray(0, 1_000));
      responded(await a.send(api, get(api, '/nested')), 502);
    },
  },
  'DOS-05': {
    neighbourMsMax,
    run: async (a, scale) => {
      const at = a.at('allowed.test');
      const head = `POST /chunks HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const extended = await a.send(at, `${head}1;${'e'.repeat(200_000)}\r\nx\r\n0\r\n\r\n`);
      refused(extended, 400, 413, 431);
      await endlessExtensions(a, head);
      const chunks = scale === 'full' ? 10_000_000 : 20_000;
      await tinyChunks(a, head, chunks);
      assert.equal(a.lastEvent?.requestBytes, chunks);
    },
  },
  'DOS-06': {
    limits: { headTimeoutMs: 1_500, handshakeTimeoutMs: 1_500, streamsMax: 64 },
    neighbourMsMax,
    run: async (a, scale) => {
      // Waves of as many as a process may have open, until the number is reached.
      const [count, wave] = scale === 'full' ? [10_000, 2_000] : [100, 100];
      const first = `CONNECT ${a.at('allowed.test')} HTTP/1.1\r\n\r\n`;
      const hello = Buffer.concat([Buffer.from(first), Buffer.from('1603010200010001fc0303', 'hex')]);
      const before = process.getActiveResourcesInfo().length;
      for (const bytes of [Buffer.from(first), hello])
        for (let sent = 0; sent < count; sent += wave) await idleWave(a, wave, bytes);
      const pair = await a.pairOf('alice');
      assert.ok(pair.agent.isOpen);
      // One event for each that reached the gateway; what the relay refused never did.
      for (let turn = 0; turn < 100; turn += 1) await nextTurn();
      const waves = (2 * count) / wave;
      assert.ok(a.ownEvents.length > 0 && a.ownEvents.length <= 4 * 64 * waves, `${a.ownEvents.length}`);
      a.attempts = a.ownEvents.length;
      nothingDialled(a);
      const left = process.getActiveResourcesInfo().length - before;
      assert.ok(left < 50, `${left} sockets or timers are left`);
    },
  },
  'DOS-07': {
    limits: { connectTimeoutMs: 1_000, dialsPendingMax: 64, streamsMax: 2_000 },
    neighbourMsMax,
    policy: ({ tls, plain }) => `
rules:
  - { name: probe, hosts: probe.test, ports: ${tls}, addresses: 127.0.0.10/32 }
  - { name: hole, hosts: hole.test, scheme: http, ports: ${blackHolePort}, addresses: 127.0.0.10/32 }
  - { name: beside, hosts: allowed.test, scheme: http, ports: ${plain}, addresses: 127.0.0.10/32 }
`,
    run: async (a, scale) => {
      await using hole = await startBlackHole();
      a.names.set('hole.test', { ttl: 60, addresses: [hole.address] });
      const at = `hole.test:${blackHolePort}`;
      const count = scale === 'full' ? 1_000 : 150;
      const dials = watchDials(blackHolePort);
      const replies = await Promise.all(
        Array.from({ length: count }, () => a.inTunnel(at, get(at, '/'))),
      ).finally(dials.stop);
      for (const reply of replies) responded(reply, 429, 502, 503, 504);
      assert.ok(
        dials.most() > 0 && dials.most() <= 2 * a.limits.dialsPendingMax,
        `${dials.most()} dials at once`,
      );
      const codes = new Set(a.ownEvents.map(({ errorCode }) => errorCode));
      assert.ok(codes.has('timeout') || codes.has('origin_unreachable'), [...codes].join());
      // Nothing of it is remembered as a response, and a name beside it is served at once.
      const beside = a.plainAt('allowed.test');
      responded(await a.inTunnel(beside, get(beside, '/beside')), 200);
    },
  },
  'DOS-09': async (a) => {
    const at = a.at('paths.test');
    const started = process.cpuUsage();
    refused(await a.send(at, get(at, `/public-${'a'.repeat(50_000)}!`)), 403, 414, 431);
    refused(
      await a.send(
        a.at('allowed.test'),
        get(
          a.at('allowed.test'),
          '/ws',
          'Connection: close',
          `Sec-WebSocket-Protocol: ${','.repeat(50_000)}`,
        ),
      ),
      200,
      400,
      431,
    );
    // Time of the processor, of all that runs here: a machine that is busy with other things is no effect of it.
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < 1_500_000, `${user + system} µs`);
  },
  'DOS-10': {
    limits: { requestsPerSecondMax: 1_000_000 },
    neighbourMsMax,
    run: async (a, scale) => {
      const at = a.at('evil.test');
      const count = scale === 'full' ? 100_000 : 400;
      const path = `/${'x'.repeat(8_000)}`;
      const tally = { events: 0, longest: 0 };
      // What is in memory here is in the audit's file elsewhere; it is counted and put away.
      const putAway = (): void => {
        const own = a.ownEvents;
        tally.events += own.length;
        for (const event of own) tally.longest = Math.max(tally.longest, event.path?.length ?? 0);
        a.audit.length = 0;
      };
      await using client = await keptAlive(a, at, 'alice');
      for (let sent = 0; sent < count; sent += 200) {
        await Promise.all(
          Array.from({ length: 200 }, async () => assert.equal(await client.status(path), 403)),
        );
        putAway();
      }
      const deadline = performance.now() + patienceMs;
      for (; performance.now() < deadline && tally.events < count; putAway()) await nextTurn();
      assert.equal(tally.events, count, 'every denial is counted, once');
      assert.ok(tally.longest <= 8_200);
      nothingDialled(a);
    },
  },
  'DOS-11': async (a, scale) => {
    // Bytes of a fixed generator at each of the three doors; the process is the one that runs this.
    const random = seeded(20_260_101);
    const noise = (length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    const rounds = scale === 'full' ? 2_000 : 30;
    for (let i = 0; i < rounds; i += 1) {
      await a.toRelay(noise(64), { events: 0 });
      await a.inTunnel(a.at('allowed.test'), noise(1 + Math.floor(random() * 300)));
      const valid = post(a.at('allowed.test'), '/x', ['Content-Length: 3'], 'abc');
      const bytes = Buffer.from(valid, 'latin1');
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const before = a.ownEvents.length;
      await a.send(a.at('allowed.test'), bytes, { events: 0 });
      a.attempts += Math.max(0, (await a.events(before + 1, 300)).length - before);
    }
    a.attempts = a.ownEvents.length;
  },
};
