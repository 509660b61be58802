// Attempts to use up time, memory, sockets or the log: bounded, and the neighbour is served all along.

import assert from 'node:assert/strict';

import { answered, get, nothingDialled, post, refused, type AttackTable } from '../support/attack.ts';
import { nextTurn } from '../support/arena.ts';

const neighbourMsMax = 2_500;

export const exhaustion: AttackTable = {
  'DOS-01': {
    limits: { headTimeoutMs: 500, idleTimeoutMs: 1_200 },
    neighbourMsMax,
    run: async (a) => {
      const at = a.at('allowed.test');
      // Slow heads: at the relay, as first bytes in the tunnel, and inside TLS.
      refused(await a.toRelay('CONNECT allo', { keepOpen: true }), 408);
      refused(await a.inTunnel(at, '\x16\x03', { keepOpen: true }));
      const head = await a.send(at, 'GET / HT', { keepOpen: true, deadlineMs: 9_000 });
      refused(head, 408);
      nothingDialled(a);
      // A body that stops.
      const body = await a.send(at, `POST /slow HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 100\r\n\r\nabc`, {
        keepOpen: true,
        deadlineMs: 9_000,
      });
      assert.notEqual(body.ending, 'open');
    },
  },
  'DOS-02': async (a) => {
    const at = a.at('allowed.test');
    // The rest of so large a head is not read: the answer may be lost in the reset.
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
    limits: { leavesPerSecondMax: 20 },
    neighbourMsMax,
    run: async (a, scale) => {
      const count = scale === 'full' ? 1_000 : 120;
      let minted = 0;
      for (let i = 0; i < count; i += 20) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, k) => {
            a.attempts += 1;
            const at = a.at(`r${i + k}.wild.test`);
            const socket = await a.tls(at).catch(() => undefined);
            if (socket === undefined) return;
            minted += 1;
            socket.resume();
            socket.end(get(at, '/'));
            await new Promise((resolve) => socket.once('close', resolve).once('end', resolve));
          }),
        );
      }
      assert.ok(minted < count, 'no bound on certificates');
      assert.ok((await a.events(a.attempts)).some(({ errorCode }) => errorCode === 'limit_exceeded'));
    },
  },
  'DOS-04': async (a) => {
    // Nothing is ever decompressed: a bomb is bytes, and on a credentialed route it does not pass.
    a.origins.answer = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(100_000));
    answered(await a.send(a.at('api.allowed.test'), get(a.at('api.allowed.test'), '/bomb')), 502);
    const at = a.at('allowed.test');
    const reply = await a.send(at, get(at, '/bomb', 'Accept-Encoding: gzip'));
    answered(reply, 200);
    assert.equal(reply.answers[0]?.body.length, 100_000);
  },
  'DOS-05': {
    neighbourMsMax,
    run: async (a, scale) => {
      const at = a.at('allowed.test');
      const head = `POST /chunks HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const extended = await a.send(at, `${head}1;${'e'.repeat(200_000)}\r\nx\r\n0\r\n\r\n`);
      refused(extended, 400, 413, 431);
      const chunks = scale === 'full' ? 200_000 : 20_000;
      const reply = await a.send(at, `${head}${'1\r\nx\r\n'.repeat(chunks)}0\r\n\r\n`, {
        deadlineMs: 30_000,
      });
      answered(reply, 200);
      assert.equal(a.lastEvent?.requestBytes, chunks);
    },
  },
  'DOS-06': {
    limits: { headTimeoutMs: 600, handshakeTimeoutMs: 600, streamsMax: 64 },
    neighbourMsMax,
    run: async (a) => {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => a.dialRelay()));
      for (const socket of sockets) socket.write(`CONNECT ${a.at('allowed.test')} HTTP/1.1\r\n\r\n`);
      await Promise.all(
        sockets.map(
          (socket) => new Promise((resolve) => socket.resume().once('close', resolve).once('end', resolve)),
        ),
      );
      for (const socket of sockets) socket.destroy();
      const pair = await a.pairOf('alice');
      assert.ok(pair.agent.isOpen);
      // One event for each that reached the gateway; what the relay refused never did.
      for (let turn = 0; turn < 100; turn += 1) await nextTurn();
      assert.ok(a.ownEvents.length <= 64 && a.ownEvents.length > 0, `${a.ownEvents.length}`);
      a.attempts = a.ownEvents.length;
    },
  },
  'DOS-07': {
    notApplicable:
      'a black hole takes a packet filter, which a test may not set on the machine that runs it; the connect timer and the bound of dials of a principal are in test/net/dialer and race-attempts',
  },
  'DOS-09': async (a) => {
    const at = a.at('paths.test');
    const started = performance.now();
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
    assert.ok(performance.now() - started < 1_500);
  },
  'DOS-10': {
    neighbourMsMax,
    run: async (a, scale) => {
      const at = a.at('evil.test');
      for (let i = 0; i < (scale === 'full' ? 400 : 60); i += 1)
        answered(await a.send(at, get(at, `/${'x'.repeat(8_000)}`)), 403);
      assert.ok(a.ownEvents.every(({ path }) => (path?.length ?? 0) <= 8_200));
    },
  },
  'DOS-11': async (a, scale) => {
    // Bytes of a fixed generator at each of the three doors; the process is the one that runs this.
    let state = 20_260_101;
    const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const noise = (length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    const rounds = scale === 'full' ? 300 : 30;
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
