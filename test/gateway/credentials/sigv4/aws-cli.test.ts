// The command line of AWS behind a proxy that hands its connections to the request path: botocore signs otherwise than
// the SDK for JavaScript does, and states no hash for services other than S3.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { canary, findCanary } from '../../../support/canary.ts';
import { runCommand } from '../../../support/command.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { skipWithout } from '../../../support/tools.ts';
import { dummyKeys, openAwsScene } from '../support/aws-scene.ts';
import type { AwsScene } from '../support/aws-scene.ts';
import { startSwift, swiftPrograms } from '../support/swift-server.ts';
import { openVerifyingOrigin } from '../support/verifying-origin.ts';

const authority = createTestAuthority();
const secret = canary('aws');

interface Cli extends AsyncDisposable {
  readonly directory: string;
  /** What it printed on both streams, and how it ended. */
  run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }>;
}

async function openCli(scene: AwsScene): Promise<Cli> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    const inner = scene.path.open({ authority: request.url ?? '', mode: 'raw' }).socket;
    socket.on('error', () => inner.destroy());
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.pipe(inner).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  stack.defer(() => {
    proxy.close();
  });
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, scene.path.caPem);
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'],
    AWS_CONFIG_FILE: join(directory, 'none'),
    AWS_SHARED_CREDENTIALS_FILE: join(directory, 'none'),
    // Listening on a port, not on a path.
    HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    AWS_CA_BUNDLE: ca,
    AWS_ACCESS_KEY_ID: dummyKeys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: dummyKeys.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const owned = stack.move();
  return {
    directory,
    run: async (...args) => {
      const { code, stdout, stderr } = await runCommand(
        'aws',
        ['--endpoint-url', `https://${scene.at}`, ...args],
        { env },
      );
      return { code, output: `${stdout}${stderr}` };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test(
  'aws s3 copies a file up and down, in parts and ranges, and never sees the key',
  { skip: skipWithout('aws', ...swiftPrograms), timeout: 180_000 },
  async () => {
    await using swift = await startSwift(authority, secret);
    await using scene = openAwsScene({
      port: swift.port,
      trust: authority.caPem,
      environment: { ID: swift.accessKeyId, SECRET: secret },
      credential: { accessKeyId: { env: 'ID' }, source: { env: 'SECRET' } },
    });
    await using cli = await openCli(scene);
    const file = join(cli.directory, 'file');
    const back = join(cli.directory, 'back');
    // Above eight MiB it is sent in parts and fetched in ranges.
    const data = Buffer.alloc(9 * 1024 * 1024, 'some text ');
    await writeFile(file, data);
    const outputs: string[] = [];
    for (const args of [
      ['s3', 'mb', 's3://bucket'],
      ['s3', 'cp', file, 's3://bucket/a key'],
      ['s3', 'cp', 's3://bucket/a key', back],
      ['s3', 'ls', 's3://bucket'],
    ]) {
      const { code, output } = await cli.run(...args);
      assert.equal(code, 0, output);
      outputs.push(output);
    }
    assert.deepEqual(await readFile(back), data);
    assert.deepEqual(findCanary(outputs.join('\n'), secret), []);
    assert.deepEqual(findCanary(JSON.stringify(scene.path.audit), secret), []);
    assert.ok(scene.path.audit.length > 5);
  },
);

test(
  'aws signs calls of other services without stating a hash, and they verify',
  { skip: skipWithout('aws'), timeout: 120_000 },
  async () => {
    const accessKeyId = 'AKIDREAL00000000';
    await using origin = await openVerifyingOrigin(authority, { accessKeyId, secretAccessKey: secret });
    await using scene = openAwsScene({
      port: origin.port,
      trust: authority.caPem,
      environment: { ID: accessKeyId, SECRET: secret },
      credential: { accessKeyId: { env: 'ID' }, source: { env: 'SECRET' } },
    });
    await using cli = await openCli(scene);
    // The origin's response is no response of these services, so only what it found counts.
    await cli.run('sts', 'get-caller-identity');
    await cli.run('dynamodb', 'list-tables');
    await cli.run('ec2', 'describe-regions');
    await cli.run('lambda', 'list-tags', '--resource', 'arn:aws:lambda:us-east-1:123456789012:function:f');
    assert.deepEqual(origin.verdicts, ['ok', 'ok', 'ok', 'ok']);
    assert.deepEqual(findCanary(scene.received(), secret), []);
  },
);
