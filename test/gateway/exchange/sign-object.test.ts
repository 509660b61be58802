import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import ssh2 from 'ssh2';

import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const host = 'upstreamproxy.invalid';
const pair = ssh2.utils.generateKeyPairSync('ed25519');
const publicKey = pair.public.split(' ').slice(0, 2).join(' ');
const signed =
  "rules: [{ name: signed, sign: { objects: [commit, tag], committer: '* <*@example.com>' }, inject: key }]";
const who = 'Build Agent <agent@example.com> 1700000000 +0100';
const commit = `tree ${'ab'.repeat(20)}\nauthor ${who}\ncommitter ${who}\n\nA message that is nobody's business.\n`;

function openScene(
  policy = signed,
  limits: Partial<typeof defaultLimits> = {},
  claims: RequestPathOptions['claims'] = {},
): RequestPath {
  return openRequestPath({
    claims,
    policy,
    hosts: [],
    trust: [],
    credentials: { key: { kind: 'signing-key', publicKey, source: { env: 'KEY' } } },
    environment: { KEY: pair.private },
    over: (base) =>
      new GrantedPolicy(
        base,
        [],
        {},
        { signLimits: { requestsPerSecond: limits.signaturesPerSecondMax ?? 20 } },
      ),
    limits,
  });
}

async function ask(
  path: RequestPath,
  body: string,
  { target = '/sign?namespace=git', method = 'POST', session = 'one' } = {},
): ReturnType<typeof sendRaw> {
  const head = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    'Accept: application/json',
  ];
  const length = [`Content-Length: ${Buffer.byteLength(body)}`, '', body];
  return await sendRaw(
    path.open({ authority: `${host}:80`, mode: 'raw' }, session).socket,
    [...head, ...length].join('\r\n'),
  );
}

test('a commit is signed by the key of its rule, and the audit says who and which, never what', async () => {
  await using path = openScene();
  const response = await ask(path, commit);
  assert.equal(response.status, 200);
  assert.match(response.body, /^-----BEGIN SSH SIGNATURE-----\n/);
  const [event] = await path.events(1);
  const folded = response.body.trimEnd().replaceAll('\n', '\n ');
  const whole = commit.replace('\n\n', `\ngpgsig ${folded}\n\n`);
  const id = createHash('sha1')
    .update(`commit ${Buffer.byteLength(whole)}\0${whole}`)
    .digest('hex');
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  const key = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.injected, event?.address, event?.details],
    [
      'allow',
      'signed',
      ['key'],
      undefined,
      {
        signature: {
          kind: 'commit',
          author: 'Build Agent <agent@example.com>',
          committer: 'Build Agent <agent@example.com>',
          id,
          key,
        },
      },
    ],
  );
  assert.doesNotMatch(JSON.stringify(path.audit), /business/);
});

test('another committer, purpose, method or kind is refused, recorded, and nothing of the key is used', async () => {
  await using path = openScene();
  const other = commit.replaceAll('example.com', 'example.net');
  for (const [body, options, status, code] of [
    [other, {}, 403, 'policy_denied'],
    [commit, { target: '/sign?namespace=file' }, 422, 'object_unsignable'],
    [commit, { target: '/sign' }, 422, 'object_unsignable'],
    [commit, { target: '/sign?namespace=git&namespace=file' }, 422, 'object_unsignable'],
    [commit, { method: 'PUT' }, 422, 'object_unsignable'],
    ['SSHSIG\n\n', {}, 422, 'object_unsignable'],
    ['', {}, 422, 'object_unsignable'],
  ] as const) {
    const response = await ask(path, body, options);
    assert.deepEqual([response.status, JSON.parse(response.body).code], [status, code]);
  }
  const events = await path.events(7);
  assert.ok(events.every(({ verdict, injected }) => verdict === 'deny' && injected?.length !== 1));
  assert.deepEqual(events[0]?.details, {
    signature: {
      kind: 'commit',
      author: 'Build Agent <agent@example.net>',
      committer: 'Build Agent <agent@example.net>',
    },
  });
});

test('one too many, and one too large, is refused by its limit', async () => {
  await using path = openScene(signed, { signaturesPerSecondMax: 1, signedObjectBytesMax: 1_000 });
  const large = await ask(path, commit + 'x'.repeat(1_000));
  assert.deepEqual([large.status, JSON.parse(large.body).code], [413, 'body_too_large']);
  const responses = await Promise.all(Array.from({ length: 5 }, () => ask(path, commit)));
  assert.ok(
    responses.some(({ status, body }) => status === 429 && JSON.parse(body).code === 'limit_exceeded'),
  );
  await using counted = openScene(
    signed.replace('inject: key', 'inject: key, limits: { requestsPerSession: 1 }'),
  );
  assert.deepEqual([(await ask(counted, commit)).status, (await ask(counted, commit)).status], [200, 429]);
});

test('a policy on trial, or one that is for others, signs nothing', async () => {
  for (const policy of [
    'mode: observe\nrules: []',
    'rules: [{ name: web, hosts: web.test }]',
    signed.replace('inject: key', 'inject: key, for: { sub: two }'),
    signed.replace('inject: key', 'inject: key, require: jailed'),
  ]) {
    await using path = openScene(policy);
    const response = await ask(path, commit);
    assert.deepEqual([response.status, JSON.parse(response.body).code], [403, 'policy_denied'], policy);
  }
});

test('a key that is gone says so without a word of it', async () => {
  await using path = openRequestPath({
    policy: signed,
    hosts: [],
    trust: [],
    credentials: { key: { kind: 'signing-key', publicKey, source: { env: 'KEY' } } },
    environment: { KEY: ssh2.utils.generateKeyPairSync('ed25519').private },
    over: (base) => new GrantedPolicy(base, [], {}),
  });
  const response = await ask(path, commit);
  assert.deepEqual([response.status, JSON.parse(response.body).code], [502, 'credential_unavailable']);
});

test('what the token of the session gives no key for takes nothing of the limits of the rule', async () => {
  const policy = signed.replace('inject: key', 'inject: key, limits: { requestsPerSession: 1 }');
  const granted: string[] = [];
  await using path = openScene(policy, {}, { credentials: granted });
  for (let at = 0; at < 3; at += 1) {
    const response = await ask(path, commit);
    assert.deepEqual([response.status, JSON.parse(response.body).code], [403, 'credential_not_granted']);
  }
  granted.push('key');
  assert.deepEqual([(await ask(path, commit)).status, (await ask(path, commit)).status], [200, 429]);
});
