// Origins that attack: heads, bodies and handshakes that never should be passed on as they are.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { waitUntil } from '../../support/program.ts';
import { responded, get, post, refused, type AttackTable } from '../support/attack.ts';
import { originAuthority } from '../support/arena.ts';
import { allowedAddress } from '../support/sentry.ts';
import { frameType } from '../support/h2-frames.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';
import { strangeOrigin } from '../support/strange-origin.ts';

export const response: AttackTable = {
  'RESP-01': async (a, scale) => {
    const at = a.rawAt('raw.test');
    const heads = [
      'HTTP/1.1 200 OK\rX: y\r\r',
      'HTTP/1.1 200 OK\r\r\nX: y\r\n\r\n',
      'HTTP/1.1 200 OK\nX: y\n z\n\n',
      `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}\r\n`,
      `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(1_000_000)}\r\n\r\n`,
      'HTTP/1.1 99 Odd\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
      'ICY 200 OK\r\n\r\n',
    ];
    for (const head of heads) {
      a.origins.respondRaw = (socket) => socket.end(Buffer.from(head, 'latin1'));
      const reply = await a.send(at, get(at, '/bad'));
      refused(reply, 502, 504);
      assert.ok(reply.bytes.length < 10_000);
    }
    // A million fields, and a head of a hundred megabytes: sent for as long as somebody takes them, which is not long.
    const [fields, megabytes] = scale === 'full' ? [1_000_000, 100] : [50_000, 4];
    for (const [piece, count] of [
      ['X: y\r\n'.repeat(1_000), fields / 1_000],
      [`X: ${'y'.repeat(1024 * 1024)}\r\n`, megabytes],
    ] as const) {
      let sent = 0;
      a.origins.respondRaw = (socket) => {
        const more = (): void => {
          for (let isTaken = true; isTaken && sent < count && !socket.destroyed; sent += 1)
            isTaken = socket.write(piece);
          if (sent < count && !socket.destroyed) socket.once('drain', more);
        };
        socket.write('HTTP/1.1 200 OK\r\n');
        more();
      };
      const reply = await a.send(at, get(at, '/endless'));
      refused(reply, 502, 504);
      assert.ok(sent * piece.length < 16_000_000, `${sent * piece.length} bytes of a head were taken`);
    }
  },
  'RESP-02': {
    limits: { idleTimeoutMs: 700, responseHeadTimeoutMs: 700 },
    run: async (a) => {
      const at = a.rawAt('raw.test');
      const bodies = [
        'Content-Length: 10\r\n\r\n123456789',
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      ];
      for (const body of bodies) {
        for (const ends of [true, false]) {
          a.origins.respondRaw = (socket) => {
            socket.write(`HTTP/1.1 200 OK\r\n${body}`);
            if (ends) setImmediate(() => socket.destroy());
          };
          const reply = await a.send(at, get(at, '/cut'), { keepOpen: true });
          assert.equal(reply.ending, 'reset', `${body}: ${reply.text}`);
        }
      }
      const events = await a.events(4);
      assert.ok(events.every(({ verdict }) => verdict === 'error'));
    },
  },
  'RESP-03': {
    limits: { handshakeTimeoutMs: 1_500 },
    run: async (a) => {
      // A handshake that trickles: one byte of a record at a time, for ever.
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        const timer = setInterval(() => socket.write(Buffer.of(0x16)), 20);
        socket.once('close', () => clearInterval(timer));
      }).listen(0, allowedAddress);
      await once(server, 'listening');
      // It listens on an address and a port.
      const { port } = server.address() as AddressInfo;
      const error = await a.parts.dialer
        .dial({
          destination: { scheme: 'https', host: 'bad.test', port },
          addresses: [`${allowedAddress}/32`],
          principalId: 'alice',
        })
        .then(
          () => undefined,
          (reason: Error & { code: string }) => reason,
        );
      server.close();
      assert.ok(
        error !== undefined && ['timeout', 'origin_unreachable', 'origin_untrusted'].includes(error.code),
      );
      responded(await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/after')), 200);
      // A hundred certificates, and a megabyte of them: more than any chain is, so it is no handshake.
      const { cert, key } = originAuthority.issue('bad.test');
      for (const count of [100, 2_000]) {
        await using origin = await strangeOrigin(0, {
          key,
          cert: cert + originAuthority.caPem.repeat(count),
        });
        const fault = await a.parts.dialer
          .dial({
            destination: { scheme: 'https', host: 'bad.test', port: origin.port },
            addresses: [`${allowedAddress}/32`],
            principalId: 'alice',
          })
          .then(
            ({ socket: made }) => void made.destroy(),
            (reason: Error & { code: string }) => reason,
          );
        if (count === 2_000) assert.match(fault?.code ?? 'accepted', /^origin_/);
        assert.equal(origin.bytes(), 0);
      }
    },
  },
  'RESP-04': async (a) => {
    const at = a.rawAt('raw.test');
    const odd = 'constructor: x\r\n__proto__: y\r\netag: a\r\netag: b\r\nhttp2-settings: z\r\n';
    a.origins.respondRaw = (socket) =>
      socket.end(
        `HTTP/1.1 103 Early Hints\r\n${odd}\r\nHTTP/1.1 200 OK\r\n${odd}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${odd}\r\n`,
      );
    responded(await a.send(at, get(at, '/odd')), 200);
    await using client = await openHttp2(a, at);
    const frames = await http2Send(a, client, [pseudo(at, '/odd2')]);
    assert.ok(frames.every(({ type }) => type !== frameType.rstStream && type !== frameType.goaway));
    // A interim response that is refused, to a request with a body and to one without.
    a.origins.respondRaw = (socket) =>
      socket.end(
        'HTTP/1.1 103 Early Hints\r\nConnection: host\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      );
    responded(await a.send(at, get(at, '/refused')), 502);
    responded(await a.send(at, post(at, '/refused', ['Content-Length: 1'], 'x')), 502);
  },
  'RESP-05': async (a, scale) => {
    const at = a.rawAt('raw.test');
    const one = `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(8_000)}>\r\n\r\n`;
    let sent = 0;
    a.origins.respondRaw = (socket) => {
      const more = (): void => {
        while (!socket.destroyed && sent < (scale === 'full' ? 100_000 : 10_000) && socket.write(one))
          sent += 1;
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    };
    for (const request of [get(at, '/hints'), post(at, '/hints', ['Content-Length: 1'], 'x')]) {
      sent = 0;
      const reply = await a.send(at, request);
      responded(reply, 502);
      assert.equal(reply.interim.length, a.limits.interimHeadsMax);
      assert.ok(sent * one.length < 16_000_000, `${sent * one.length} bytes of interim responses were taken`);
    }
    assert.ok((await a.events(2)).every(({ limit }) => limit === 'interimHeadsMax'));
  },
  'RESP-06': async (a) => {
    const raw = a.rawAt('raw.test');
    a.origins.respondRaw = (socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    responded(await a.send(raw, get(raw, '/unasked')), 502);
    responded(await a.send(raw, post(raw, '/unasked', ['Content-Length: 1'], 'x')), 502);
    const at = a.at('allowed.test');
    let switched: Socket | undefined;
    a.origins.upgrade = (request, socket) => {
      // What a server of TLS gives is a socket.
      switched = socket as Socket;
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, host\r\nUpgrade: websocket\r\n' +
          `Sec-WebSocket-Accept: ${acceptOf(request)}\r\n\r\n`,
      );
    };
    const fields =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    responded(
      await a.send(at, `GET /ws HTTP/1.1\r\nHost: ${at}\r\n${fields}\r\n\r\n`, { keepOpen: true }),
      502,
    );
    await waitUntil('the connection to the origin is given up', () => switched?.destroyed === true);
    assert.ok((await a.events(3)).every(({ verdict }) => verdict === 'error'));
  },
};

/** RFC 6455 §4.2.2 */
function acceptOf({ headers }: IncomingMessage): string {
  const key = String(headers['sec-websocket-key']);
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
