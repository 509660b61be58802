import assert from 'node:assert/strict';
import { test } from 'node:test';

import { canary, findCanary } from '../support/canary.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { rawOrigin } from './support/raw-origin.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { openRequestPath } from './support/request-path.ts';

const authority = createTestAuthority();
const secret = canary('malformed');
const handshake = [
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Where an origin repeats the value in a head that is none: how it looks, before and behind the value. */
const heads: readonly (readonly [what: string, head: (value: string) => string])[] = [
  ['a name that is none', (value) => `HTTP/1.1 200 OK\r\nb ad ${value}: x\r\n\r\n`],
  ['a name that is cut', (value) => `HTTP/1.1 200 OK\r\n${'b '.repeat(35)}${value}: x\r\n\r\n`],
  ['a length', (value) => `HTTP/1.1 200 OK\r\ncontent-length: ${value}\r\n\r\n`],
  ['no line at all', (value) => `${value}\r\n\r\n`],
  ['a switch', (value) => `HTTP/1.1 101 ${value}\r\nb ad ${value}: x\r\n\r\n`],
];

for (const [what, head] of heads) {
  for (const fields of [[], handshake]) {
    test(`${what} that holds the value is repeated by nobody, ${fields.length === 0 ? 'of a request' : 'of a WebSocket'}`, async () => {
      await using origin = await rawOrigin(authority, (socket, text) => {
        socket.end(head(/authorization: Bearer (\S+)/i.exec(text)?.[1] ?? 'none'));
      });
      await using path = openRequestPath({
        policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8, inject: api }]`,
        hosts: ['allowed.test'],
        trust: [authority.caPem],
        credentials: { api: { kind: 'bearer', source: { env: 'S' } } },
        environment: { S: secret },
      });
      const at = `allowed.test:${origin.port}`;
      const request = get(at, '/', ...fields);
      const asked =
        fields.length === 0 ? request : request.replace('Connection: close', 'Connection: Upgrade');
      const response = await sendRaw(await path.tls(at), asked);
      assert.ok(origin.seen.join('').includes(secret));
      const told = `${response.head}\n${response.body}\n${JSON.stringify(await path.events(1))}`;
      assert.deepEqual(findCanary(told, secret), []);
      assert.equal(told.includes(secret.slice(0, 20)), false, told);
      assert.equal(response.headers.get('x-deny-reason'), 'origin_malformed');
    });
  }
}
