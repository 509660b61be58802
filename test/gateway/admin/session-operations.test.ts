// What an operator is told of leases of a session: of which credential and until when, and never what they are worth.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { openAdminScene } from './admin-fixture.ts';

test('leases of a session are told by credential, state and end, and by nothing that opens anything', async () => {
  await using scene = await openAdminScene();
  const { leases } = scene.store;
  const bounds = { leasesPerSessionMax: 9, leasesPerPrincipalMax: 9, leasesMax: 9 };
  const lease = { sessionId: 'red', principalId: 'issuer|red', holderId: 'g' };
  await leases.ask({ ...lease, id: 'canary-1', credential: 'orders' }, bounds);
  await leases.hold('canary-1', { sealed: 'canary-sealed', lifetimeMs: 3_600_000 });
  await leases.ask({ ...lease, id: 'canary-2', credential: 'keys' }, bounds);
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  const { status, text, json } = await scene.call('GET', '/v1/sessions/red/leases', { token });
  assert.equal(status, 200, text);
  const { items } = json as OutputOf<'sessionLeases'>;
  assert.deepEqual(
    items
      .map(({ credential, state, attempts, expires }) => [credential, state, attempts, expires !== undefined])
      .toSorted(),
    [
      ['keys', 'asked', 0, false],
      ['orders', 'held', 0, true],
    ],
  );
  assert.doesNotMatch(text, /canary/);
  // Who sees only one team learns nothing of the others' sessions.
  for (const path of ['/v1/sessions/blue/leases', '/v1/sessions/none/leases'])
    assert.equal((await scene.call('GET', path, { token })).status, 404, path);
});
