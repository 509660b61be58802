import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bucketStats } from '../../src/gateway/cache/bucket-room.ts';
import { parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { LoopGuard } from '../../src/gateway/forward/loop-guard.ts';
import { openBucketClient } from '../../src/gateway/open-bucket.ts';
import { openUpstream } from '../../src/gateway/upstream.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { openS3Server, s3Keys } from './support/s3-server.ts';

const environment = { ID: s3Keys.accessKeyId, SECRET: s3Keys.secretAccessKey, TOKEN: 'a-session-token' };
const keys = 'accessKeyId: { env: ID }, source: { env: SECRET }, sessionToken: { env: TOKEN }';
const signal = new AbortController().signal;
const noFiles = { ca: new Map(), scripts: new Map() };

async function ask(directory: string, bucket: string): Promise<void> {
  const text = `policy: observe\ncache: { bucket: { ${bucket} } }\n`;
  const read = parseGatewayConfig({ file: 'gateway.yaml', text }, directory);
  if ('problems' in read) assert.fail(read.problems.map(({ message }) => message).join());
  const { config } = read;
  await using stack = new AsyncDisposableStack();
  const common = { environment, clock: Date.now, stack };
  const upstream = openUpstream({ ...common, config, trust: [], files: noFiles, loops: new LoopGuard() });
  assert.ok(config.cache?.bucket);
  const client = await openBucketClient(config.cache.bucket, { ...common, limits: config.limits, upstream });
  const octets = Buffer.from('an object');
  const sha256 = '0be6c2a7bf6b9b5d8d5e5e9f1d9b5f2f0c3d9d1a1c9f0f5a5b6c7d8e9f0a1b2c';
  await assert.rejects(client.write('objects/x', { octets, bytes: octets.length, sha256 }, signal), /403/);
  await bucketStats(client, signal);
}

test('it is asked over TLS that is verified by its own authority alone, with the token of temporary keys', () =>
  withTemporaryDirectory(async (directory) => {
    const authority = createTestAuthority();
    await writeFile(join(directory, 'ca.pem'), authority.caPem);
    await writeFile(join(directory, 'other.pem'), createTestAuthority().caPem);
    await using server = await openS3Server({ authority, sessionToken: environment.TOKEN });
    const place = `url: "${server.url}", name: ${server.bucket}, ${keys}`;
    await ask(directory, `${place}, ca: ca.pem`);
    assert.deepEqual(server.asked, ['LIST']);
    for (const ca of ['', ', ca: other.pem']) await assert.rejects(ask(directory, `${place}${ca}`));
    await assert.rejects(ask(directory, `${place}, ca: none.pem`), { code: 'config_invalid' });
    assert.deepEqual(server.asked, ['LIST']);
  }));

test('what leads elsewhere, or in the clear beyond this machine, is refused', () => {
  for (const [bucket, reason] of [
    ['url: "http://s3.example.com", name: packages', /loopback/],
    ['url: "https://user@s3.example.com", name: packages', /https/],
    ['url: "https://s3.example.com/path", name: packages', /without a path/],
    ['url: "https://s3.example.com", name: "a/../b"', /3 to 63/],
    ['url: "https://s3.example.com", name: packages, prefix: "../x"', /before all names/],
    ['url: "https://s3.example.com", name: packages, region: "eu/x"', /region/],
    ['url: "http://127.0.0.1:9000", name: packages, pathStyle: false', /over https/],
    ['url: "https://10.0.0.1", name: packages, pathStyle: false', /before a name/],
  ] as const) {
    const text = `policy: observe\ncache: { bucket: { ${bucket}, ${keys} } }\n`;
    const read = parseGatewayConfig({ file: 'gateway.yaml', text }, '/');
    assert.ok('problems' in read, bucket);
    assert.match(read.problems.map(({ message }) => message).join(), reason);
  }
});
