import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CredentialConfig } from '../../../src/gateway/credentials/credential-kinds.ts';
import { foreignCredentials } from '../../../src/gateway/credentials/foreign-credentials.ts';
import { canary } from '../../support/canary.ts';
import { openCredentialScene } from './support/credential-scene.ts';
import type { CredentialScene } from './support/credential-scene.ts';

const source = { env: 'KEY' } as const;
const secret = canary('strip');
const open = (credential: CredentialConfig): Promise<CredentialScene> =>
  openCredentialScene({ credential, environment: { KEY: secret } });
const own = [
  'Cookie: session=ATTACKER',
  'X-API-Key: ATTACKER',
  'Authorization: Bearer ATTACKER',
  'X-Other: kept',
];
const target = '/in/a?q=1&%61ccess_token=ATTACKER&api_key=ATTACKER&key=theirs';

test('the account of the client is not used beside an injected credential, and the audit says what was taken off', async () => {
  for (const [credential, field] of [
    [{ kind: 'bearer', source }, 'authorization'],
    [{ kind: 'header', header: 'X-Token', source }, 'x-token'],
  ] as const) {
    await using scene = await open(credential);
    await scene.get(target, ...own);
    await scene.get2(target, {
      cookie: 'session=ATTACKER',
      'x-api-key': 'ATTACKER',
      authorization: 'Basic ATTACKER',
    });
    for (const seen of scene.seen) {
      assert.equal(seen.target, '/in/a?q=1&key=theirs');
      assert.ok(!JSON.stringify(seen.headers).includes('ATTACKER'), JSON.stringify(seen.headers));
      assert.match(String(seen.headers[field]), new RegExp(secret));
    }
    assert.equal(scene.seen[0]?.headers['x-other'], 'kept');
    for (const { details } of await scene.path.events(2))
      assert.deepEqual(details?.['stripped'], [
        'authorization',
        'cookie',
        'x-api-key',
        '?access_token',
        '?api_key',
      ]);
    // Positive control: where nothing is injected it all arrives.
    await scene.get(target.replace('/in/', '/out/'), ...own);
    assert.match(JSON.stringify(scene.seen.at(-1)), /session=ATTACKER.*Bearer ATTACKER/);
  }
});

test('what CGI-like origins read as the field of a credential does not stand beside it', async () => {
  for (const credential of [
    { kind: 'header', header: 'X-Service-Key', source },
    { kind: 'bearer', source, strip: { headers: ['X-Service-Key'] } },
  ] as const) {
    await using scene = await open(credential);
    await scene.get('/in/a', 'X_Service-Key: ATTACKER', 'x_service_key: ATTACKER', 'X_Service: kept');
    const { headers } = scene.seen[0] ?? {};
    assert.ok(!JSON.stringify(headers).includes('ATTACKER'), JSON.stringify(headers));
    assert.equal(headers?.['x_service'], 'kept');
  }
});

test('a credential can name what is taken off instead, of fields and of parameters', async () => {
  await using scene = await open({
    kind: 'bearer',
    source,
    strip: { headers: ['X-Tenant-Token'], parameters: ['key', 'weird name'] },
  });
  await scene.get(
    '/in/a?KEY2=kept&key=ATTACKER&weird+name=ATTACKER&api_key=kept',
    'Cookie: kept',
    'X-TENANT-TOKEN: ATTACKER',
  );
  assert.equal(scene.seen[0]?.target, '/in/a?KEY2=kept&api_key=kept');
  assert.equal(scene.seen[0]?.headers.cookie, 'kept');
  assert.equal(scene.seen[0]?.headers['x-tenant-token'], undefined);
  await using all = await open({ kind: 'bearer', source, strip: { headers: [], parameters: [] } });
  await all.get(target, ...own);
  assert.equal(all.seen[0]?.target, target);
  assert.equal(all.seen[0]?.headers['x-api-key'], 'ATTACKER');
});

test('what one credential is put into is not taken off for another one', () => {
  const bearer: CredentialConfig = { kind: 'bearer', source };
  const placeholder: CredentialConfig = { kind: 'placeholder', source, placeholder: { env: 'K' } };
  const signature: CredentialConfig = { kind: 'sigv4', source, accessKeyId: source };
  const certificate: CredentialConfig = { kind: 'mtls', source, certificate: '/c.pem' };
  assert.ok(foreignCredentials([bearer]).headers.includes('authorization'));
  assert.deepEqual(foreignCredentials([placeholder]), { headers: [], parameters: [] });
  assert.deepEqual(foreignCredentials([certificate]), { headers: [], parameters: [] });
  assert.deepEqual(foreignCredentials([bearer, placeholder]), { headers: [], parameters: [] });
  assert.deepEqual(foreignCredentials([]), { headers: [], parameters: [] });
  const signed = foreignCredentials([{ kind: 'header', header: 'x', source }, signature]).headers;
  assert.ok(!signed.includes('authorization') && signed.includes('cookie'));
  const explicit = foreignCredentials([{ ...certificate, strip: { headers: ['Cookie'] } }, placeholder]);
  assert.deepEqual(explicit, { headers: ['cookie'], parameters: [] });
});
