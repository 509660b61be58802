// Clients of the public port that never become one: each is let go, whatever it does not do.

import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { Duplex } from 'node:stream';

import { createPublicServer } from '../../src/gateway/public-server.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();
const { cert, key } = authority.issue('127.0.0.1');
const server = createPublicServer({
  certificatePem: cert,
  keyPem: key,
  limits: { ...defaultLimits, handshakeTimeoutMs: 200, headTimeoutMs: 200, lingerTimeoutMs: 200 },
  caCertificates: () => ({ pem: '', etag: '""' }),
  isReady: () => true,
  handleSession: () => Promise.resolve(),
  handleUpgrade: () => Promise.resolve(),
});
let port = 0;
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
after(() => void server.close());

const tcp = (): Duplex => connect({ port, host: '127.0.0.1', allowHalfOpen: true });
const tls = (): Duplex => connectTls({ socket: tcp(), ca: authority.caPem, host: '127.0.0.1' });
const lingerers: Readonly<Record<string, () => Duplex>> = {
  'says nothing': tcp,
  'says half a ClientHello': () => {
    const socket = tcp();
    socket.write(Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3));
    return socket;
  },
  'speaks another protocol': () => {
    const socket = tcp();
    socket.write('SSH-2.0-client\r\n');
    return socket;
  },
  'asks for something that is no HTTP, and stays': () => {
    const socket = tls();
    socket.write('no HTTP\r\n\r\n');
    return socket;
  },
};

for (const [what, open] of Object.entries(lingerers)) {
  test(`a client that ${what} is let go`, async () => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = open();
    socket.on('error', () => undefined).resume();
    try {
      const [served] = await accepted;
      // This side never ends its own half.
      await waitUntil('the server has let it go', () => served.destroyed);
    } finally {
      socket.destroy();
    }
  });
}
