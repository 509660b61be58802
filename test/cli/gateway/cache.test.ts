// `upstreamproxy cache` beside a folder that a gateway filled: what it says to a person, and to a program, with the commands of docs/guides/packages.md.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { openTestCache } from '../../gateway/support/cache-scene.ts';
import { fetchBy, promiseOf, scriptedOrigin } from '../../gateway/support/scripted-origin.ts';
import { openS3Server, s3Keys } from '../../gateway/support/s3-server.ts';
import { runShared } from '../../support/command-process.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

test('cache stats, verify and prune say what is there, what was damaged and what went', () =>
  withTemporaryDirectory(async (folder) => {
    writeFileSync(join(folder, 'policy.yaml'), 'rules: []\n');
    writeFileSync(join(folder, 'gateway.yaml'), 'policy: policy.yaml\nstateDirectory: state\ncache: {}\n');
    writeFileSync(join(folder, 'none.yaml'), 'policy: policy.yaml\nstateDirectory: state\n');
    const run = (config: string, ...args: readonly string[]) =>
      runShared(['cache', ...args, '--config', config], { cwd: folder });
    assert.equal((await run('none.yaml', 'stats')).code, 64);
    assert.match((await run('gateway.yaml', 'stats')).stderr, /is not there/);
    const octets = Buffer.alloc(10_000, 'an archive');
    const path = join(folder, 'state', 'cache');
    let file = '';
    {
      await using cached = await openTestCache(path);
      const origin = scriptedOrigin(() => ({ octets }));
      await fetchBy(cached.cache, origin, { promised: promiseOf(octets) });
      await waitUntil('it is stored', () => cached.counts.get('stored') === 1);
      for await (const one of cached.folder.files()) if (one.kind === 'object') file = one.path;
    }
    const stats = await run('gateway.yaml', 'stats');
    assert.match(stats.stdout, /1 archives, 16384 of 9395240960 bytes[^]*npm +1 +10000/, stats.stderr);
    assert.equal((await run('gateway.yaml', 'verify')).code, 0);
    writeFileSync(file, Buffer.alloc(10_000, 'changed'));
    const verified = await run('gateway.yaml', 'verify', '--json');
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /"archives":0,.*"damaged":\["npm \/a"\]/);
    assert.equal((await run('gateway.yaml', 'prune')).code, 64);
    assert.equal((await run('gateway.yaml', 'prune', '--unused-for', '1d')).stdout, 'removed 0 files\n');
    assert.equal((await run('gateway.yaml', 'prune', '--all')).stdout, 'removed 0 files\n');
  }));

test('cache stats counts the bucket too, and says why it cannot', () =>
  withTemporaryDirectory(async (folder) => {
    await using server = await openS3Server();
    for (const name of ['objects/', 'entries/'].map((kind) => `team/${kind}${'a'.repeat(64)}`))
      server.objects.set(name, { octets: Buffer.alloc(1000), storedMs: 0 });
    writeFileSync(join(folder, 'policy.yaml'), 'rules: []\n');
    writeFileSync(
      join(folder, 'gateway.yaml'),
      `policy: policy.yaml
stateDirectory: state
cache:
  bucket: { url: "${server.url}", name: ${server.bucket}, prefix: team, accessKeyId: { env: BUCKET_ID }, source: { env: BUCKET_SECRET } }
`,
    );
    await using _ = await openTestCache(join(folder, 'state', 'cache'));
    const run = (secret: string, ...args: readonly string[]) =>
      runShared(['cache', 'stats', '--config', 'gateway.yaml', ...args], {
        cwd: folder,
        env: { ...process.env, BUCKET_ID: s3Keys.accessKeyId, BUCKET_SECRET: secret },
      });
    const counted = await run(s3Keys.secretAccessKey);
    assert.match(
      counted.stdout,
      /^The bucket packages of http:\S+: 1 archives, 2000 of 107374182400 bytes \(0\.0 %\)\.$/m,
      counted.stderr,
    );
    assert.equal(counted.code, 0);
    const told: unknown = JSON.parse((await run(s3Keys.secretAccessKey, '--json')).stdout);
    assert.partialDeepStrictEqual(told, {
      bucket: { name: 'packages', stats: { archives: 1, isAll: true } },
    });
    const refused = await run('another');
    assert.match(refused.stdout, /cannot be asked: status 403 \(SignatureDoesNotMatch\)\.$/m);
    assert.equal(refused.code, 1);
  }));
