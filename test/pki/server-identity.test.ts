import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { openCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { issueServerIdentity, serverAuthority, type ServerIdentity } from '../../src/pki/server-identity.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const nowMs = Date.now();
async function openServerIdentity(
  folder: string,
  options: { readonly names: readonly string[]; readonly nowMs: number },
): Promise<ServerIdentity> {
  return issueServerIdentity(await openCertificateAuthority(folder, { nowMs, ...serverAuthority }), options);
}

const names = ['gateway.example.com', '127.0.0.1', '::1'];

describe("the identity of the gateway's own port", () => {
  test('is what a client verifies that pins its authority', async () => {
    await withTemporaryDirectory(async (folder) => {
      const identity = await openServerIdentity(folder, { names, nowMs });
      const server = createServer({ cert: identity.certificatePem, key: identity.keyPem });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      // A listening server has an address with a port.
      const { port } = server.address() as AddressInfo;
      try {
        const socket = connect({ port, host: '127.0.0.1', ca: identity.caPem });
        await once(socket, 'secureConnect');
        assert.equal(socket.authorized, true);
        socket.destroy();
      } finally {
        server.close();
      }
    });
  });

  test('keeps its pin at the next start, with new names and a new key', async () => {
    await withTemporaryDirectory(async (folder) => {
      const first = await openServerIdentity(folder, { names, nowMs });
      const second = await openServerIdentity(folder, { names: ['other.example.com'], nowMs });
      assert.equal(second.caPem, first.caPem);
      assert.notEqual(second.keyPem, first.keyPem);
      assert.equal(new X509Certificate(second.certificatePem).subjectAltName, 'DNS:other.example.com');
      assert.ok(second.notAfterMs > nowMs);
    });
  });

  test('is not of the authority that intercepts, in the same folder', async () => {
    await withTemporaryDirectory(async (folder) => {
      const identity = await openServerIdentity(folder, { names, nowMs });
      const authority = await openCertificateAuthority(folder, { nowMs });
      assert.notEqual(identity.caPem, authority.certificatesPem);
      assert.deepEqual((await readdir(folder)).sort(), [
        'ca.key',
        'ca.pem',
        'server-ca.key',
        'server-ca.pem',
      ]);
    });
  });

  test('never writes the key of the server', async () => {
    await withTemporaryDirectory(async (folder) => {
      const { keyPem } = await openServerIdentity(folder, { names, nowMs });
      for (const file of await readdir(folder))
        assert.notEqual(await readFile(join(folder, file), 'utf8'), keyPem);
    });
  });
});
