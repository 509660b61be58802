// What a client sends behind a request to switch protocols waits for the origin's consent. Meanwhile other connections are read, and
// none of their octets may stand in its place.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';

import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { rawOrigin } from '../support/raw-origin.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** A text frame of a client, masked with zeros: what it says can be read in it. */
function frame(text: string): Buffer {
  const head = Buffer.from([0x81, 0x80 | 126, text.length >>> 8, text.length & 0xff, 0, 0, 0, 0]);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

test('what came early is what the origin gets, whatever is read before the switch', async () => {
  let consent: (() => void) | undefined;
  await using origin = await rawOrigin(authority, (socket, text) => {
    if (!text.startsWith('GET /ws')) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    consent = () =>
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
  });
  await using path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const at = `allowed.test:${String(origin.port)}`;
  const [mallory, alice] = [await path.tls(at), await path.tls(at)];
  for (const one of [mallory, alice]) one.on('error', () => undefined);
  // A request before it on each, so that the next ones are read as they come and not with the hello.
  for (const one of [mallory, alice]) {
    one.write(`GET /first HTTP/1.1\r\nHost: ${at}\r\n\r\n`);
    await once(one, 'data');
    one.resume();
  }
  const own = 'the octets of Mallory '.repeat(90);
  mallory.write(
    Buffer.concat([
      Buffer.from(
        `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      ),
      frame(own),
    ]),
  );
  await waitUntil('the origin is asked to switch', () => consent !== undefined);
  const secret = 'ALICE-SECRET '.repeat(400);
  alice.write(
    `POST / HTTP/1.1\r\nHost: ${at}\r\nContent-Length: ${String(secret.length)}\r\nConnection: close\r\n\r\n${secret}`,
  );
  await once(alice, 'end');
  consent?.();
  const early = (): string =>
    origin.seen.find((text) => text.startsWith('GET /ws'))?.split('\r\n\r\n')[1] ?? '';
  await waitUntil('what came early arrives', () => early().length >= own.length);
  assert.equal(early().includes('ALICE'), false);
  assert.equal(early().slice(-own.length), own);
});
