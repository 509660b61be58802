import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';

import type {
  EmulatedRequest,
  EmulatedResponse,
} from '../../../../src/gateway/credentials/emulation/emulations.ts';
import { googleMetadata } from '../../../../src/gateway/credentials/emulation/google-metadata.ts';

const email = 'agent@my-project.iam.gserviceaccount.com';
const placeholder = 'upstreamproxy-placeholder-gcs';
const nowMs = Date.UTC(2026, 10, 28);
const emulation = googleMetadata({
  project: 'my-project',
  projectNumber: '123',
  email,
  scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
  zone: 'europe-west1-b',
  placeholder,
});

function asked(
  path: string,
  {
    query = '',
    fields = { 'metadata-flavor': 'Google' },
    method = 'GET',
  }: {
    readonly query?: string;
    readonly fields?: Readonly<Record<string, string>>;
    readonly method?: string;
  } = {},
): EmulatedResponse | undefined {
  const field: EmulatedRequest['field'] = (name) => fields[name];
  return emulation.respond({ method, host: '169.254.169.254', path, query, field, body: '', nowMs });
}
const read = (path: string, query = ''): string => asked(`/computeMetadata/v1${path}`, { query })?.text ?? '';

test('paths of the documentation have the values of the configuration', () => {
  assert.equal(read('/project/project-id'), 'my-project');
  assert.equal(read('/project/numeric-project-id'), '123');
  assert.equal(read('/instance/zone'), 'projects/123/zones/europe-west1-b');
  assert.equal(read('/universe/universe-domain'), 'googleapis.com');
  assert.equal(read('/instance/service-accounts/'), `default/\n${email}/\n`);
  assert.equal(read(`/instance/service-accounts/${email}/email`), email);
  assert.equal(
    read('/instance/service-accounts/default/scopes'),
    'https://www.googleapis.com/auth/devstorage.read_only\n',
  );
  assert.deepEqual(JSON.parse(read('/instance/service-accounts/default/', 'recursive=true')), {
    aliases: ['default'],
    email,
    scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
  });
  assert.equal(read('/project/project-id', 'alt=json'), '"my-project"');
  assert.deepEqual(JSON.parse(read('/project/', 'recursive=true')), {
    attributes: {},
    numericProjectId: '123',
    projectId: 'my-project',
  });
});

test('a token is the placeholder, and an identity a look-alike for its audience that nobody signed', () => {
  assert.deepEqual(JSON.parse(read('/instance/service-accounts/default/token')), {
    access_token: placeholder,
    expires_in: 3599,
    token_type: 'Bearer',
  });
  const token = read(
    '/instance/service-accounts/default/identity',
    'audience=https%3A%2F%2Fservice.example.com&format=full',
  );
  const { aud, email: own, exp } = decodeJwt(token);
  assert.deepEqual([aud, own, exp], ['https://service.example.com', email, nowMs / 1000 + 3599]);
  assert.equal(Buffer.from(token.split('.')[2] ?? '', 'base64url').toString(), placeholder);
});

test('what does not say that it means this server, or came by a proxy, is refused as the real one refuses it', () => {
  const path = '/computeMetadata/v1/instance/service-accounts/default/token';
  assert.equal(asked(path, { fields: {} })?.status, 403);
  assert.equal(
    asked(path, { fields: { 'metadata-flavor': 'Google', 'x-forwarded-for': '1.2.3.4' } })?.status,
    403,
  );
  assert.equal(asked(path, { method: 'POST' })?.status, 405);
  assert.equal(asked('/computeMetadata/v1/instance/service-accounts/other@x/token')?.status, 404);
  assert.equal(asked('/computeMetadata/v1/instance/service-accounts/default/identity')?.status, 400);
  for (const path of ['/constructor', '/__proto__/x', '/instance/__proto__', '/project/project-id/length'])
    assert.equal(asked(`/computeMetadata/v1${path}`)?.status, 404, path);
});

test('paths of other clouds are left to their own', () => {
  for (const path of ['/latest/meta-data/', '/metadata/identity/oauth2/token', '/computeMetadata/v2/x'])
    assert.equal(asked(path), undefined, path);
  assert.deepEqual(asked('/', { fields: {} })?.headers?.['metadata-flavor'], 'Google');
});
