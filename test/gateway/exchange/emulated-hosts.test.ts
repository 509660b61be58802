// A cloud that is emulated: the gateway responds in its place, dials nothing, and the audit has it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CredentialConfig } from '../../../src/gateway/credentials/credential-kinds.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const google: CredentialConfig = {
  kind: 'google',
  scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
  lifetimeSeconds: 3600,
  endpoints: {
    token: 'https://none.test/token',
    sts: 'https://none.test',
    iamCredentials: 'https://none.test',
  },
  source: { env: 'KEY' },
  emulate: {
    project: 'my-project',
    email: 'agent@my-project.iam.gserviceaccount.com',
    zone: 'europe-west1-b',
    projectNumber: '1',
  },
};
/** Sessions of alice alone can have it; no rule opens the service itself. */
const policy = `for: { sub: alice }
rules: [{ name: storage, hosts: storage.test, inject: gcs }]`;
const open = (credentials: Readonly<Record<string, CredentialConfig>>): RequestPath =>
  openRequestPath({
    policy: credentials['gcs'] === undefined ? 'rules: []' : policy,
    hosts: [],
    trust: [],
    credentials,
    environment: { KEY: '{}' },
  });
const flavour = 'Metadata-Flavor: Google';
const token = '/computeMetadata/v1/instance/service-accounts/default/token';

test('the address of metadata is served by the gateway itself, with a placeholder and an event', async () => {
  await using path = open({ gcs: google });
  for (const host of ['169.254.169.254', 'metadata.google.internal']) {
    const response = await sendRaw(
      path.open({ authority: `${host}:80`, mode: 'raw' }).socket,
      get(host, token, flavour),
    );
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('metadata-flavor'), 'Google');
    const given = JSON.parse(response.body) as { access_token: string };
    assert.equal(given.access_token, 'upstreamproxy-placeholder-gcs');
  }
  const missing = await sendRaw(
    path.open({ authority: '169.254.169.254:80', mode: 'raw' }).socket,
    get('169.254.169.254', '/latest/meta-data/', flavour),
  );
  assert.equal(missing.status, 404);
  assert.deepEqual(
    (await path.events(3)).map(({ rule, address }) => [rule, address]),
    [
      ['emulated-identity', undefined],
      ['emulated-identity', undefined],
      ['emulated-identity', undefined],
    ],
  );
});

test('a session that cannot have the credential is told nothing of it, and the address stays closed to it', async () => {
  await using path = open({ gcs: google });
  for (const principal of ['bob', 'alice/again']) {
    const { socket } = path.open({ authority: '169.254.169.254:80', mode: 'raw' }, principal);
    const response = await sendRaw(socket, get('169.254.169.254', token, flavour));
    assert.equal(response.status, principal === 'bob' ? 404 : 200);
    if (principal === 'bob')
      assert.doesNotMatch(response.body + response.head, /my-project|placeholder|Google/);
  }
  assert.deepEqual(
    (await path.events(2)).map(({ rule, address }) => [rule, address]),
    Array.from({ length: 2 }, () => ['emulated-identity', undefined]),
  );
});

test('another name for the same address is not the gateway: a Host that differs is refused', async () => {
  await using path = open({ gcs: google });
  const response = await sendRaw(
    path.open({ authority: '169.254.169.254:80', mode: 'raw' }).socket,
    get('metadata.google.internal', token, flavour),
  );
  assert.equal(response.status, 421);
});

test('without a credential that asks for it, the address is what it was: nobody is served, and nothing dialled', async () => {
  await using path = open({});
  const response = await sendRaw(
    path.open({ authority: '169.254.169.254:80', mode: 'raw' }).socket,
    get('169.254.169.254', token, flavour),
  );
  assert.equal(response.status, 403);
  assert.equal((await path.events(1))[0]?.rule, 'default-deny');
});
