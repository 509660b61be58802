import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';

const { http2OriginWindowBytes: wide, http2WindowBytes: narrow } = defaultLimits;
const roomForTwo = 4 * (wide - narrow);

test('responses have wide windows while the session has room to spare, narrow ones without, and wide ones again', async () => {
  await using ends = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const waiting: ServerHttp2Stream[] = [];
  const widths: (number | undefined)[] = [];
  let origin: ServerHttp2Session | undefined;
  const server = createSecureServer({ ...authority.issue('allowed.test'), ALPNProtocols: ['h2'] });
  server.on('session', (session) => {
    origin = session;
    session.on('remoteSettings', ({ initialWindowSize }) => widths.push(initialWindowSize));
  });
  // As it is when the request comes: the settings are in front of it.
  const atRequest: (number | undefined)[] = [];
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    atRequest.push(origin?.remoteSettings.initialWindowSize);
    // On a server every stream is a server's.
    waiting.push(stream as ServerHttp2Stream);
  });
  server.listen(0, '127.0.0.1');
  ends.defer(() => void server.close());
  await once(server, 'listening');
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  const path = ends.use(
    openRequestPath({
      policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
      limits: { heldOctetsPerSessionMax: roomForTwo },
    }),
  );
  const at = `allowed.test:${port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const client = ends.adopt(connect(`https://${at}`, { createConnection: () => socket }), (one) =>
    one.destroy(),
  );
  const ask = async (): Promise<void> => {
    const { length } = waiting;
    client.request({ ':path': '/' }).on('error', () => undefined);
    await waitUntil('the request is there', () => waiting.length > length);
  };
  await ask();
  await ask();
  assert.equal(path.parts.held.ofSession('session-alice'), 2 * (wide - narrow));
  await ask();
  assert.deepEqual(atRequest, [wide, wide, narrow]);
  for (const stream of waiting) {
    stream.respond({ ':status': 204 }, { endStream: true });
  }
  await waitUntil('all is given back', () => path.parts.held.all === 0);
  await ask();
  assert.deepEqual(atRequest, [wide, wide, narrow, wide]);
  assert.equal(path.parts.held.ofSession('session-alice'), wide - narrow);
  assert.ok(widths.length >= 3);
});
