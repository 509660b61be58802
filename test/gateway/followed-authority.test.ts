import assert from 'node:assert/strict';
import { chmodSync, readdirSync, renameSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { FollowedAuthority } from '../../src/gateway/followed-authority.ts';
import { identityPlaces } from '../../src/gateway/identity/identity-places.ts';
import { LeafServers } from '../../src/intercept/leaf-servers.ts';
import { makeNextAuthority, switchAuthority } from '../../src/pki/authority-rotation.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

test('the authority of a folder is followed, and leaves of the one of before end with it', async () => {
  await withTemporaryDirectory(async (folder) => {
    const directory = join(folder, 'ca');
    const lines: string[] = [];
    const log = (level: string, message: string): void => void lines.push(`${level} ${message}`);
    const place = identityPlaces(embeddedConfig(folder)).interception;
    await using followed = await FollowedAuthority.open({ place, clock: Date.now, log });
    const servers = new LeafServers({ issuer: followed, limits: defaultLimits, prepare: () => undefined });
    const nowMs = Date.now();
    const leaf = () => servers.get({ host: 'a.test', alpn: [], owner: '', nowMs });
    const first = leaf();
    const { certificatesPem: before, etag } = followed;

    const next = await makeNextAuthority({ directory }, nowMs);
    await followed.look();
    assert.equal(followed.certificatesPem, before + next);
    assert.notEqual(followed.etag, etag);
    assert.deepEqual([followed.signerPem, leaf() === first], [before, true]);

    await switchAuthority({ directory }, { nowMs, atOnce: true });
    await followed.look();
    assert.deepEqual([followed.signerPem, followed.certificatesPem], [next, next + before]);
    const second = leaf();
    assert.deepEqual([second === first, leaf() === second], [false, true]);

    // Neither an empty folder nor one that others can write to changes anything, and no new authority is made.
    lines.length = 0;
    renameSync(directory, join(folder, 'kept'));
    mkdirSync(directory);
    await followed.look();
    await followed.look();
    assert.deepEqual(readdirSync(directory), []);
    chmodSync(directory, 0o777);
    await followed.look();
    assert.equal(followed.signerPem, next);
    assert.equal(lines.length, 2, lines.join('\n'));
    for (const line of lines) assert.match(line, /^error .*; the authority of before serves on$/);
  });
});
