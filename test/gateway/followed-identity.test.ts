import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { FollowedIdentity } from '../../src/gateway/followed-identity.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

async function servedBy(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'gateway.test', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('a renewed certificate is served without a restart, and a half-written pair changes nothing', async () => {
  await withTemporaryDirectory(async (directory) => {
    const [certificate, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
    const first = createTestAuthority().issue('gateway.test');
    const second = createTestAuthority().issue('gateway.test');
    const write = async (pair: { readonly cert: string; readonly key: string }): Promise<void> => {
      await writeFile(certificate, pair.cert);
      await writeFile(key, pair.key);
    };
    await write(first);
    const server = createServer(first).listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Listening on a port, not on a path.
    const { port } = server.address() as AddressInfo;
    const lines: string[] = [];
    {
      await using followed = new FollowedIdentity({
        config: embeddedConfig(directory, { tls: { certificate, key } }),
        server,
        certificatePem: first.cert,
        clock: Date.now,
        log: (level, message) => void lines.push(`${level} ${message}`),
      });
      const before = await servedBy(port);
      await followed.look();
      assert.deepEqual([await servedBy(port), lines], [before, []]);
      await writeFile(certificate, second.cert);
      await followed.look();
      await followed.look();
      assert.equal(await servedBy(port), before);
      assert.match(
        lines.join('\n'),
        /^error tls: .*tls\.crt and .*tls\.key are no .*; the certificate of before is served on$/,
      );
      await write(second);
      await followed.look();
      assert.notEqual(await servedBy(port), before);
      assert.match(lines.at(-1) ?? '', /^info the certificate of the public port was taken anew$/);
    }
    server.close();
    server.closeAllConnections();
  });
});
