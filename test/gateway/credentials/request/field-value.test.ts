import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { openCredentialScene } from '../support/credential-scene.ts';

const source = { env: 'KEY' } as const;
const placeholder = 'upstreamproxy-placeholder-it';

/** As an origin that takes the bytes of a field for Latin-1, or for UTF-8, would give them back. */
test('a secret beyond ASCII goes into no field, where an origin could give it back in other bytes', async () => {
  for (const letter of ['ä', '€']) {
    const secret = `${canary('field')}-${letter}-1`;
    const rows: readonly (readonly [CredentialConfig, ...string[]])[] = [
      [{ kind: 'bearer', source }],
      [{ kind: 'header', header: 'X-Key', source }],
      [{ kind: 'placeholder', source, placeholder: { env: 'P' } }, `X-Key: ${placeholder}`],
      [{ kind: 'placeholder', source, placeholder: { env: 'P' } }, `Authorization: token ${placeholder}`],
    ];
    for (const [credential, ...fields] of rows) {
      await using scene = await openCredentialScene({ credential, environment: { KEY: secret } });
      const response = await scene.get('/in/a', ...fields);
      assert.equal(response.headers.get('x-deny-reason'), 'credential_unavailable', credential.kind);
      assert.equal(scene.seen.length, 0);
      const [event] = await scene.path.events(1);
      assert.match(String(event?.details?.['operator']), /outside of ASCII/);
      assert.equal(JSON.stringify(event).includes(secret), false);
    }
  }
});

test('where it is encoded it goes out and does not come back', async () => {
  const plain = canary('field');
  const secret = `${plain}-ä€-1`;
  for (const credential of [
    { kind: 'basic', username: 'u', source },
    { kind: 'query', parameter: 'k', source },
  ] as const) {
    await using scene = await openCredentialScene({ credential, environment: { KEY: secret } });
    assert.equal((await scene.get('/in/a')).status, 200);
    assert.notDeepEqual(findCanary(JSON.stringify(scene.seen), plain), []);
    assert.deepEqual(findCanary(scene.received(), plain), []);
  }
});
