// `include: catalog/aws-s3` with the S3 client of AWS, unchanged, in front of a server that verifies each signature. `npm run test:catalog` runs it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { canary, findCanary } from '../support/canary.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { at443 } from './support/at-443.ts';
import { openS3, type S3Server } from './support/s3-server.ts';

const skip = process.env['TEST_CATALOG'] === undefined ? 'npm run test:catalog runs it' : false;
const host = 'my-bucket.s3.eu-central-1.amazonaws.com';
const address = '127.80.0.5';
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('catalog/aws-s3 with the S3 client of AWS', { skip }, () => {
  const keys = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: canary('s3') };
  let stack: AsyncDisposableStack;
  let s3: S3Server;
  let set: Deployment;
  let readers: AgentProcess;
  let writers: AgentProcess;

  before(async () => {
    stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    s3 = stack.use(await openS3(authority, host, keys));
    stack.use(await at443(address, s3.port));
    const include = { include: 'catalog/aws-s3', addresses: '127.0.0.0/8', inject: 'keys' };
    const open = async (access: readonly string[]): Promise<Deployment> =>
      stack.use(
        await deploy({
          authority,
          hosts: { [host]: address },
          rules: [{ name: 's3', ...include, catalog: { tenant: 'my-bucket.s3.eu-central-1', access } }],
          credentials: {
            keys: {
              kind: 'sigv4',
              accessKeyId: { env: 'KEY_ID' },
              source: { env: 'SECRET' },
              region: 'eu-central-1',
              service: 's3',
              placeholder: { env: 'AWS_ACCESS_KEY_ID' },
            },
          },
          environment: { ...process.env, KEY_ID: keys.accessKeyId, SECRET: keys.secretAccessKey },
        }),
      );
    set = await open(['read', 'write']);
    writers = stack.use(await set.startAgent());
    readers = stack.use(await (await open(['read'])).startAgent());
  });
  after(() => stack[Symbol.asyncDispose]());

  const run = (agent: AgentProcess, code: string): Promise<CommandResult> => {
    const script = `import * as s3 from '@aws-sdk/client-s3';
      const client = new s3.S3Client({ region: 'eu-central-1', maxAttempts: 1 });
      const Bucket = 'my-bucket';
      const ask = (name, more) => client.send(new s3[name + 'Command']({ Bucket, ...more }));
      try { ${code} } catch (error) { console.log(error.name, String(error.$metadata?.httpStatusCode)); }`;
    return runCommand(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', HOME: set.directory, ...agent.env },
      timeoutMs: 120_000,
    });
  };

  test('objects are put, read, listed and deleted, signed with keys that the program has not', async () => {
    const done = await run(
      writers,
      `const Key = 'reports/a b+ü.csv';
       await ask('PutObject', { Key, Body: 'a,b', ContentType: 'text/csv' });
       const { Body } = await ask('GetObject', { Key });
       console.log(await Body.transformToString());
       const { ContentLength } = await ask('HeadObject', { Key });
       const { Contents } = await ask('ListObjectsV2', { Prefix: 'reports/' });
       console.log(String(ContentLength), Contents.map((one) => one.Key).join());
       await ask('PutObject', { Key: 'other', Body: Buffer.alloc(100_000, 'x') });
       await ask('DeleteObject', { Key: 'other' });
       await ask('DeleteObjects', { Delete: { Objects: [{ Key: 'reports/none' }] } });
       const { secretAccessKey } = await client.config.credentials();
       console.log(secretAccessKey);`,
    );
    assert.equal(done.code, 0, done.stderr);
    const [read, told, secret = '', ...more] = done.stdout.trim().split('\n');
    assert.deepEqual([read, told, more], ['a,b', '3 reports/a b+ü.csv', []]);
    assert.deepEqual(new Set(s3.verdicts), new Set(['ok']), JSON.stringify(s3.verdicts));
    assert.equal(s3.seen.length, 7);
    assert.notEqual(secret, keys.secretAccessKey);
    assert.deepEqual([...s3.objects.keys()], ['reports/a b+ü.csv']);
    for (const text of [
      done.stdout,
      done.stderr,
      JSON.stringify(writers.env),
      JSON.stringify(await set.audit()),
    ])
      assert.deepEqual(findCanary(text, keys.secretAccessKey), []);
  });

  test('who may read writes nothing, and nobody changes the bucket, gives rights away or gets keys', async () => {
    s3.objects.set('kept', Buffer.from('kept'));
    const count = s3.seen.length;
    const refused: readonly (readonly [AgentProcess, string])[] = [
      [readers, `await ask('PutObject', { Key: 'kept', Body: 'changed' })`],
      [readers, `await ask('DeleteObject', { Key: 'kept' })`],
      [writers, `await ask('PutBucketPolicy', { Policy: '{}' })`],
      [writers, `await ask('DeleteBucket', {})`],
      [writers, `await ask('PutObject', { Key: 'kept', Body: 'x', ACL: 'public-read' })`],
      [writers, `await ask('CopyObject', { Key: 'copy', CopySource: 'other-bucket/secret' })`],
      [writers, `await ask('CreateSession', {})`],
      [writers, `await ask('GetObject', { Bucket: 'other-bucket', Key: 'a' })`],
    ];
    for (const [agent, code] of refused) {
      const denied = await run(agent, code);
      assert.match(denied.stdout, / 40[03]$/m, `${code}: ${denied.stdout}${denied.stderr}`);
    }
    assert.equal(s3.seen.length, count);
    const read = await run(
      readers,
      `console.log(await (await ask('GetObject', { Key: 'kept' })).Body.transformToString())`,
    );
    assert.equal(read.stdout.trim(), 'kept', read.stderr);
  });
});
