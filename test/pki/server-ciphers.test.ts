import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';

import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { preferredFirst, serverCiphers } from '../../src/pki/server-ciphers.ts';

test('the preferred cipher comes first, the others stay in their order, and none is added', () => {
  assert.equal(
    preferredFirst('TLS_AES_256_GCM_SHA384:A:TLS_AES_128_GCM_SHA256:B'),
    'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:A:B',
  );
  assert.equal(preferredFirst('TLS_AES_256_GCM_SHA384:A'), 'TLS_AES_256_GCM_SHA384:A');
});

test(
  'a server takes it in TLS 1.3, and what a client insists on',
  { skip: process.versions['bun'] !== undefined },
  async () => {
    const authority = createEphemeralAuthority(Date.now());
    const leaf = authority.issue('example.test', Date.now());
    const key =
      typeof leaf.privateKey === 'string'
        ? leaf.privateKey
        : leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await using server = createServer({ cert: leaf.certificatePem, key, ...serverCiphers });
    server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const agreed = async (ciphers: object): Promise<string> => {
      const to = { host: '127.0.0.1', port, servername: 'example.test', ca: authority.certificatesPem };
      const socket = connect({ ...to, ...ciphers });
      await once(socket, 'secureConnect');
      const { standardName } = socket.getCipher();
      socket.destroy();
      return standardName;
    };
    assert.equal(await agreed({}), 'TLS_AES_128_GCM_SHA256');
    assert.equal(await agreed({ ciphers: 'TLS_AES_256_GCM_SHA384' }), 'TLS_AES_256_GCM_SHA384');
    assert.equal(
      await agreed({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }),
      'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    );
  },
);
