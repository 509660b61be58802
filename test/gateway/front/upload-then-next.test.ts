// A request behind an upload on one connection of HTTP/1.1, where the body is read slower than it comes.

import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';

import { ClientConnection } from '../../../src/gateway/front/client-connection.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { readAll, statuses } from '../support/connection-scene.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { openRequestPath, testPrincipal } from '../support/request-path.ts';

for (const bytes of [10, 64 * 1024, 1024 * 1024])
  test(`behind an upload of ${bytes} bytes to an origin of HTTP/2 the next request is served, and the end is seen`, async () => {
    const authority = createTestAuthority();
    await using origin = await http2Origin(authority, true);
    await using path = openRequestPath({
      policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    });
    const [client, far] = duplexPair();
    const destination = { scheme: 'https', host: 'allowed.test', port: origin.port } as const;
    const scene = {
      principal: testPrincipal('alice'),
      destination,
      protocol: 'http/1.1',
      absence: undefined,
    } as const;
    const connection = new ClientConnection(far, { scene, abort: () => void far.destroy() }, path.parts);
    const host = `Host: allowed.test:${origin.port}\r\n`;
    client.write(`POST /upload HTTP/1.1\r\n${host}Content-Length: ${bytes}\r\n\r\n`);
    // In one piece, which its reader does not take at once.
    client.write(Buffer.alloc(bytes, 'x'));
    client.end(`GET /next HTTP/1.1\r\n${host}\r\n`);
    assert.deepEqual(statuses(await readAll(client)), [200, 200]);
    connection.close();
  });
