// WebSocket and other upgrades, CONNECT with a body, connections that one side ends early.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';

import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { naiveProxy, victimOf } from '../support/naive-proxy.ts';
import { patienceMs } from '../../support/patience.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const upgradeFields = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  `Sec-WebSocket-Key: ${key}`,
  'Sec-WebSocket-Version: 13',
];

function handshake(at: string, path: string, ...fields: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${at}`, ...fields, '', ''].join('\r\n');
}

/** An origin that accepts every WebSocket and keeps what comes over it. */
function acceptWebSockets(a: Arena, keeps = true): { readonly bytes: () => string } {
  let bytes = '';
  a.origins.upgrade = (request, socket) => {
    socket.write(accepted(request));
    socket.on('data', (chunk: Buffer) => (bytes += keeps ? chunk.toString('latin1') : ''));
    socket.on('end', () => socket.end());
  };
  return { bytes: () => bytes };
}

function accepted(request: IncomingMessage): string {
  const given = String(request.headers['sec-websocket-key']);
  const accept = createHash('sha1').update(`${given}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** A short frame of a client; the mask of zeros changes nothing. */
function masked(first: number, payload: Buffer): Buffer {
  return payload.length < 126
    ? Buffer.concat([Buffer.of(first, 0x80 | payload.length), Buffer.alloc(4), payload])
    : Buffer.concat([
        Buffer.of(first, 0xfe, payload.length >> 8, payload.length & 255),
        Buffer.alloc(4),
        payload,
      ]);
}

/** The origin switches, and then the connection is broken off, by a fault that the audit names. */
async function notFrames(a: Arena, bytes: string): Promise<void> {
  const before = a.ownEvents.length;
  const reply = await a.send(a.at('allowed.test'), bytes, { keepOpen: true });
  assert.notEqual(reply.ending, 'open', JSON.stringify(bytes.slice(-60)));
  const event = (await a.events(before + 1)).at(-1);
  assert.equal(event?.errorCode, 'websocket_malformed', JSON.stringify(bytes.slice(-60)));
  assert.equal(event.status, 101);
}

/** Closes of the gateway, masked: a header, a mask and a code each. */
const closesOnly = /^(?:\x88\x82[\s\S]{6})*$/;

/** A request behind the handshake, as bytes that are no frames. */
const smuggled = get('allowed.test', '/admin');

export const tunnelUpgrade: AttackTable = {
  'TUN-01': {
    control: async () => {
      await using proxy = await naiveProxy('upgrade-blind');
      const victim = await victimOf(proxy, handshake('allowed.test', '/ws', ...upgradeFields) + smuggled);
      assert.equal(victim.url, '/admin');
    },
    run: async (a) => {
      const at = a.at('allowed.test');
      const origin = acceptWebSockets(a);
      for (const bytes of [smuggled, 'SSH-2.0-x\r\n', '\x16\x03\x01\0\x05hello'])
        await notFrames(a, handshake(at, '/ws', ...upgradeFields) + bytes);
      // Not with the head, but once the protocol was switched.
      const socket = await a.tls(at);
      a.attempts += 1;
      socket.write(handshake(at, '/late', ...upgradeFields));
      await once(socket, 'data');
      socket.write(smuggled);
      socket.once('end', () => socket.end());
      await new Promise((resolve) => socket.resume().once('close', resolve));
      // What ends it is said in a close, and nothing else got there.
      assert.match(origin.bytes(), closesOnly);
      // The origin's side is watched as well.
      a.origins.upgrade = (request, duplex) =>
        void duplex.write(`${accepted(request)}HTTP/1.1 200 OK\r\n\r\n`);
      await notFrames(a, handshake(at, '/responses', ...upgradeFields));
    },
  },
  'TUN-02': async (a) => {
    const at = a.at('allowed.test');
    const origin = acceptWebSockets(a);
    for (const token of ['h2c', 'TLS/1.0', 'tcp', 'SPDY/3.1', 'websocket, h2c', 'IRC/6.9']) {
      const reply = await a.send(
        at,
        handshake(
          at,
          `/up`,
          'Connection: Upgrade, HTTP2-Settings, close',
          `Upgrade: ${token}`,
          'HTTP2-Settings: AAMAAABkAAQAAP__',
          `Sec-WebSocket-Key: ${key}`,
          'Sec-WebSocket-Version: 13',
        ),
      );
      refused(reply, 200, 400, 426, 501);
    }
    for (const seen of a.origins.seen)
      assert.doesNotMatch(JSON.stringify(seen.rawHeaders), /upgrade|http2-settings|sec-websocket/i);
    assert.equal(origin.bytes(), '');
  },
  'TUN-03': async (a) => {
    const at = a.rawAt('raw.test');
    a.origins.respondRaw = (socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbytes',
      );
    };
    responded(await a.send(at, get(at, '/plain')), 502);
  },
  'TUN-06': async (a) => {
    const at = a.at('allowed.test');
    for (const field of ['Content-Length: 5', 'Transfer-Encoding: chunked'])
      responded(await a.toRelay(`CONNECT ${at} HTTP/1.1\r\n${field}\r\n\r\nEARLY`), 400);
    nothingDialled(a);
  },
  'TUN-08': {
    limits: { headTimeoutMs: 300 },
    run: async (a) => {
      const reply = await a.inTunnel(a.at('allowed.test'), '', { keepOpen: true });
      assert.equal(reply.ending, 'reset');
      assert.equal(a.lastEvent?.errorCode, 'protocol_denied');
      nothingDialled(a);
    },
  },
  'TUN-09': async (a) => {
    const at = a.at('allowed.test');
    acceptWebSockets(a);
    refused(await a.send(at, handshake(at, '/two', ...upgradeFields, `Sec-WebSocket-Key: ${key}`)), 400);
    nothingDialled(a);
    // An origin that responds with the wrong key is not passed on as an upgrade.
    a.origins.upgrade = (_request, socket) => {
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n',
      );
    };
    const wrong = await a.send(at, handshake(at, '/wrong', ...upgradeFields));
    responded(wrong, 502);
    // Of extensions only the known one goes on, and only with numbers that it may have.
    const offered: (string | undefined)[] = [];
    a.origins.upgrade = (request, socket) => {
      offered.push(request.headers['sec-websocket-extensions']);
      socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n');
    };
    for (const value of [
      'permessage-deflate; server_max_window_bits=999',
      'x-evil',
      'permessage-deflate, x-evil',
    ])
      await a.send(at, handshake(at, '/ext', ...upgradeFields, `Sec-WebSocket-Extensions: ${value}`));
    assert.deepEqual(offered, [undefined, undefined, 'permessage-deflate']);
    // An origin that agrees to what nobody offered is not switched to.
    a.origins.upgrade = (request, socket) =>
      void socket.end(accepted(request).replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: x-evil\r\n\r\n'));
    responded(await a.send(at, handshake(at, '/agrees', ...upgradeFields)), 502);
  },
  'TUN-10': async (a) => {
    const at = a.at('allowed.test');
    const origin = acceptWebSockets(a);
    const bad = [
      Buffer.of(0x82, 1, 0x78),
      ...[0xc2, 0xa2, 0x92, 0x83, 0x8b].map((first) => masked(first, Buffer.of(0x78))),
      masked(0x89, Buffer.alloc(126)),
      masked(0x09, Buffer.of(0x78)),
      masked(0x80, Buffer.of(0x78)),
      Buffer.concat([masked(0x02, Buffer.of(0x78)), masked(0x82, Buffer.of(0x78))]),
      Buffer.concat([Buffer.of(0x82, 0xff, 0x80), Buffer.alloc(11)]),
      masked(0x88, Buffer.of(3)),
      masked(0x88, Buffer.from('03ed', 'hex')),
      masked(0x88, Buffer.from('03e8fffe', 'hex')),
    ];
    for (const bytes of bad)
      await notFrames(a, handshake(at, '/ws', ...upgradeFields) + bytes.toString('latin1'));
    // The one whole frame in front of a bad one arrives, as it came.
    assert.match(origin.bytes().replace('\x02\x81\0\0\0\0x', ''), closesOnly);
    // A length of nearly 2^63 is one that may be announced; nothing is set aside for it.
    const before = process.memoryUsage().rss;
    const long = Buffer.concat([
      Buffer.of(0x82, 0xff, 0x7f),
      Buffer.alloc(7, 0xff),
      Buffer.alloc(4),
      Buffer.alloc(9),
    ]);
    const reply = await a.send(at, handshake(at, '/long', ...upgradeFields) + long.toString('latin1'));
    responded(reply, 101);
    assert.ok(process.memoryUsage().rss - before < 100_000_000);
  },
  'TUN-11': {
    neighbourMsMax: 2_500,
    run: async (a, scale) => {
      const at = a.at('allowed.test');
      acceptWebSockets(a, false);
      const [fragments, pings] = scale === 'full' ? [1_000_000, 100_000] : [50_000, 10_000];
      const before = process.memoryUsage().rss;
      const socket = await a.tls(at);
      a.attempts += 1;
      socket.on('data', () => undefined);
      socket.write(
        handshake(at, '/tiny', ...upgradeFields) + masked(0x02, Buffer.of(0x78)).toString('latin1'),
        'latin1',
      );
      const floods = [
        [masked(0x00, Buffer.alloc(0)), fragments / 2],
        [masked(0x00, Buffer.of(0x78)), fragments / 2],
        [masked(0x89, Buffer.alloc(0)), pings],
      ] as const;
      for (const [one, count] of floods) {
        const batch = Buffer.concat(Array.from({ length: 1_000 }, () => one));
        for (let sent = 0; sent < count; sent += 1_000)
          if (!socket.write(batch)) await once(socket, 'drain', { signal: AbortSignal.timeout(patienceMs) });
      }
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < 200_000_000, `${grown} bytes more`);
      socket.destroy();
    },
  },
  'TUN-12': async (a) => {
    const at = a.at('allowed.test');
    let late: (() => void) | undefined;
    a.origins.respond = (_request, response) => {
      response.write('first ');
      late = () => response.end('last');
    };
    const socket = await a.tls(at);
    let body = '';
    socket.on('data', (chunk: Buffer) => {
      body += chunk.toString();
      if (body.includes('first')) late?.();
    });
    a.attempts += 1;
    socket.end(`GET /slow HTTP/1.1\r\nHost: ${at}\r\n\r\n`);
    await once(socket, 'end');
    assert.match(body, /first [\s\S]*last/);
    // The origin ends its side while the client goes on: the response is whole, and both sides end.
    const raw = a.rawAt('raw.test');
    a.origins.respondRaw = (duplex) => duplex.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const reply = await a.send(raw, get(raw, '/early'), { keepOpen: true });
    responded(reply, 200);
    assert.notEqual(reply.ending, 'open');
    const pair = await a.pairOf('alice');
    assert.ok(pair.agent.isOpen);
  },
};
