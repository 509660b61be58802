import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { openIdentity, renewIdentity } from '../../src/gateway/gateway-identity.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const dayMs = 24 * 3_600_000;

test('a renewal of the own certificate that fails is told at once, each time, and the next one that works is served', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = embeddedConfig(join(directory, 'state'));
    let nowMs = Date.now();
    let isBroken = false;
    const own = createEphemeralAuthority(nowMs);
    const authority = {
      ...own,
      onSigner: () => undefined,
      issueFor: (names: readonly string[], atMs: number) => {
        if (isBroken) throw new ProxyError('ca_key_unusable', 'the authority is broken');
        return own.issueFor(names, atMs);
      },
    };
    const { identity } = await openIdentity(config, { authority }, nowMs);
    const served: unknown[] = [];
    const told: string[] = [];
    await using renewal = renewIdentity(config, {
      server: { setSecureContext: (one) => void served.push(one) },
      identity,
      authority,
      clock: () => nowMs,
      log: (level, message) => void told.push(`${level} ${message}`),
    });
    await renewal.now();
    assert.deepEqual([served.length, told], [0, []], 'nothing is due');
    nowMs = identity.notAfterMs - 9 * dayMs;
    isBroken = true;
    await renewal.now();
    await renewal.now();
    assert.equal(served.length, 0);
    assert.equal(told.length, 2);
    const end = new Date(identity.notAfterMs).toISOString();
    assert.match(String(told[0]), /^error the certificate of the public port cannot be renewed: /);
    assert.ok(told[0]?.endsWith(`; agents refuse it from ${end} on`));
    isBroken = false;
    await renewal.now();
    assert.deepEqual([served.length, told.length], [1, 2]);
  });
});
