// WebSocket and other upgrades, CONNECT with a body, connections that one side ends early.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';

import { answered, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';

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
function acceptWebSockets(a: Arena): { readonly bytes: () => string } {
  let bytes = '';
  a.origins.upgrade = (request, socket) => {
    const given = String(request.headers['sec-websocket-key']);
    const accept = createHash('sha1').update(`${given}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => (bytes += chunk.toString('latin1')));
    socket.on('end', () => socket.end());
  };
  return { bytes: () => bytes };
}

export const tunnelUpgrade: AttackTable = {
  'TUN-01': async (a) => {
    const at = a.at('allowed.test');
    const origin = acceptWebSockets(a);
    const smuggled = get(at, '/admin');
    const reply = await a.send(at, handshake(at, '/ws', ...upgradeFields) + smuggled);
    answered(reply, 101);
    const before = a.origins.seen.length;
    // Bytes behind a 101 that the origin itself gave are the origin's: no second request comes out of them.
    assert.equal(a.origins.seen.slice(0, before).filter(({ path }) => path === '/admin').length, 0);
    assert.equal(a.ownEvents.length, 1);
    assert.equal(a.lastEvent?.status, 101);
    assert.ok(origin.bytes().length <= smuggled.length);
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
    a.origins.answerRaw = (socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbytes',
      );
    };
    answered(await a.send(at, get(at, '/plain')), 502);
  },
  'TUN-06': async (a) => {
    const at = a.at('allowed.test');
    for (const field of ['Content-Length: 5', 'Transfer-Encoding: chunked'])
      answered(await a.toRelay(`CONNECT ${at} HTTP/1.1\r\n${field}\r\n\r\nEARLY`), 400);
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
    // An origin that answers with the wrong key is not passed on as an upgrade.
    a.origins.upgrade = (_request, socket) => {
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n',
      );
    };
    const wrong = await a.send(at, handshake(at, '/wrong', ...upgradeFields));
    assert.ok(!/Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i.test(wrong.text));
  },
  'TUN-10': {
    notApplicable:
      'frames of a proxied WebSocket are passed as bytes once the origin has switched: nothing of them is parsed or allocated here. The frames of the tunnel itself are attacked in test/net/websocket-parser and fuzz/',
  },
  'TUN-11': {
    notApplicable:
      'as TUN-10: proxied frames are bytes under flow control; floods of the tunnel are played in test/net/websocket-connection and test/protocol/keep-alive',
  },
  'TUN-12': async (a) => {
    const at = a.at('allowed.test');
    let late: (() => void) | undefined;
    a.origins.answer = (_request, response) => {
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
    const pair = await a.pairOf('alice');
    assert.ok(pair.agent.isOpen);
  },
};
