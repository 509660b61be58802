// Keys of a role, from an STS that verifies who asks, for requests of the S3 client of AWS before an S3 that takes no other keys.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { AssumedRole } from '../../../../src/gateway/credentials/sts/assumed-role.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { openAwsIdentity, roleArn, user } from '../../../identities/support/aws-identity.ts';
import type { AwsIdentity } from '../../../identities/support/aws-identity.ts';
import type { StsRole } from '../../../identities/support/sts-server.ts';
import { openAwsScene } from '../support/aws-scene.ts';
import type { AwsScene } from '../support/aws-scene.ts';

const authority = createTestAuthority();

type Sigv4Config = Omit<CredentialConfig & { readonly kind: 'sigv4' }, 'kind'>;

interface Opened extends AsyncDisposable {
  readonly identity: AwsIdentity;
  readonly scene: AwsScene;
  readonly token: string;
  who: string;
}

async function open(
  config: Partial<Omit<Sigv4Config, 'role'>> & {
    readonly role?: Partial<NonNullable<Sigv4Config['role']>>;
  } = {},
  stsRole: Partial<StsRole> = {},
): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const identity = stack.use(await openAwsIdentity({ authority, role: stsRole }));
  const token = await identity.token();
  const { role: changes, ...rest } = config;
  const role = {
    arn: roleArn,
    endpoint: identity.sts.url,
    region: 'us-east-1',
    lifetimeSeconds: 3600,
    ...changes,
  };
  const scene = stack.use(
    openAwsScene({
      port: identity.s3.port,
      trust: authority.caPem,
      environment: { TOKEN: token, KEY_ID: user.accessKeyId, SECRET: user.secretAccessKey },
      credential: { source: { env: 'TOKEN' }, ...rest, role },
      principal: () => opened.who,
    }),
  );
  const owned = stack.move();
  const opened: Opened = {
    identity,
    scene,
    token,
    who: 'alice',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return opened;
}

const put = (client: S3Client, Key: string): Promise<unknown> =>
  client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: 'what is kept' }));

async function got(client: S3Client, Key: string): Promise<string | undefined> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key }));
  return await Body?.transformToString();
}

test('a role is taken once by the token of the source, its keys sign all requests, and none of them comes back', async () => {
  await using opened = await open();
  const { identity, scene, token } = opened;
  const client = scene.client();
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => put(client, key)));
  assert.equal(await got(client, 'a'), 'what is kept');
  assert.deepEqual(identity.sts.asked, ['AssumeRoleWithWebIdentity']);
  assert.deepEqual(new Set(identity.s3.verdicts.map(({ code }) => code)), new Set(['ok']));
  const [keys] = identity.sts.issued;
  assert.match(keys?.sessionName ?? '', /^alice-[0-9a-f]{24}$/);
  // Positive control: the S3 was shown the session token, and repeated it.
  assert.notDeepEqual(findCanary(JSON.stringify(identity.s3.seen), keys?.sessionToken ?? ''), []);
  for (const secret of [keys?.secretAccessKey ?? '', keys?.sessionToken ?? '', token])
    for (const place of [
      scene.received(),
      JSON.stringify(scene.path.audit),
      inspect(scene.path.parts, { depth: 12 }),
    ])
      assert.deepEqual(findCanary(place, secret), []);
});

test('each subject has keys of its own, under its own name', async () => {
  await using opened = await open();
  const { identity, scene } = opened;
  await put(scene.client(), 'a');
  scene.agent.destroy();
  opened.who = 'bob/another';
  await put(scene.client(), 'b');
  const names = identity.s3.verdicts.map(({ sessionName = '' }) => sessionName.replace(/-[0-9a-f]+$/, ''));
  assert.deepEqual(names, ['alice', 'bob']);
  assert.equal(new Set(identity.sts.issued.map(({ accessKeyId }) => accessKeyId)).size, 2);
});

test('a role is taken by keys too, with what its trust policy asks for and a policy for the session', async () => {
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
  await using opened = await open(
    {
      accessKeyId: { env: 'KEY_ID' },
      source: { env: 'SECRET' },
      role: {
        externalId: 'external',
        sessionName: 'fixed',
        policy,
        policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      },
    },
    { externalId: 'external' },
  );
  const { identity, scene } = opened;
  await put(scene.client(), 'a');
  assert.deepEqual(identity.sts.asked, ['AssumeRole']);
  assert.equal(identity.sts.issued[0]?.sessionName, 'fixed');
  assert.equal(identity.sts.issued[0]?.policy, policy);
});

test('keys that a service does not take any more are followed by fresh ones, once', async () => {
  await using opened = await open();
  const { identity, scene } = opened;
  const client = scene.client();
  await put(client, 'a');
  identity.s3.revoked.add(identity.sts.issued[0]?.accessKeyId ?? '');
  await assert.rejects(put(client, 'b'), { name: 'ExpiredToken' });
  await put(client, 'c');
  assert.equal(identity.sts.issued.length, 2);
  identity.s3.revoked.add(identity.sts.issued[1]?.accessKeyId ?? '');
  // A workload that has requests refused makes no stream of requests to STS of it.
  for (const key of ['d', 'e', 'f']) await assert.rejects(put(client, key), { name: 'ExpiredToken' });
  assert.equal(identity.sts.issued.length, 2);
});

test('where STS refuses, the audit says why, and the workload does not', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    [
      'AccessDenied',
      /refused the keys of arn:aws:iam::123456789012:role\/agent \(status 403, AccessDenied: the trust policy/,
    ],
    ['PackedPolicyTooLarge', /PackedPolicyTooLarge: "policy"/],
    ['Made.Up', /status 400, Made\.Up\)/],
  ];
  for (const [code, told] of refusals) {
    await using opened = await open();
    const { identity, scene } = opened;
    identity.sts.faults.push(code);
    const error = await put(scene.client(), 'a').then(
      () => assert.fail('it was served'),
      (fault: unknown) => fault,
    );
    assert.doesNotMatch(inspect(error) + scene.received(), /AccessDenied|trust policy|Packed|Made|localhost/);
    assert.match(JSON.stringify(scene.path.audit).replaceAll('\\', ''), told, code);
    assert.deepEqual(identity.s3.verdicts, []);
  }
});

test('an issuer that STS cannot reach is asked for again once, and a secret key in place of a token never travels', async () => {
  await using opened = await open();
  opened.identity.sts.faults.push('IDPCommunicationError');
  await put(opened.scene.client(), 'a');
  assert.deepEqual(opened.identity.sts.asked, [
    'AssumeRoleWithWebIdentity IDPCommunicationError',
    'AssumeRoleWithWebIdentity',
  ]);
  await using wrong = await open({ source: { env: 'SECRET' } });
  await assert.rejects(put(wrong.scene.client(), 'a'));
  assert.match(JSON.stringify(wrong.scene.path.audit), /has no identity token/);
  assert.deepEqual(wrong.identity.sts.asked, []);
});

test('at whatever time a request comes, it has keys that hold, and each set is asked for once', async () => {
  let nowMs = Date.parse('2026-11-28T10:00:00Z');
  await using identity = await openAwsIdentity({ authority, clock: () => nowMs });
  await using services = openTestServices([authority.caPem]);
  await using background = new BackgroundRenewals({ credentialUnusedMs: 1 });
  const tokens = { read: async () => new Secret(await identity.token()) };
  const role = new AssumedRole({
    name: 'aws',
    role: { arn: roleArn, endpoint: identity.sts.url, region: 'us-east-1', lifetimeSeconds: 900 },
    caller: { token: tokens },
    context: { fetch: services.fetch, environment: {}, background },
  });
  const started = nowMs;
  for (; nowMs - started < 3_600_000; nowMs += 20_000) {
    const all = await Promise.all([1, 2, 3].map(() => role.read('issuer|alice', nowMs)));
    for (const { accessKeyId } of all) {
      const leftMs = (identity.sts.keys(accessKeyId)?.endsAtMs ?? 0) - nowMs;
      assert.ok(leftMs > 0, `${String(leftMs)} ms are left`);
    }
  }
  const count = identity.sts.issued.length;
  assert.ok(count >= 4 && count <= 7, `${String(count)} sets for an hour`);
  // A service that is away changes nothing while there are keys, whose renewal is due at four fifths of their life.
  await role.read('issuer|bob', nowMs);
  identity.sts.faults.push(...Array<string>(4).fill('ServiceUnavailable'));
  nowMs += 750_000;
  const { accessKeyId } = await role.read('issuer|bob', nowMs);
  assert.ok((identity.sts.keys(accessKeyId)?.endsAtMs ?? 0) > nowMs);
  assert.ok(identity.sts.asked.some((one) => one.endsWith('ServiceUnavailable')));
});
