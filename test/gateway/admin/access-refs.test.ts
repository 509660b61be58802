// Granting for refs by the admin API: of what was asked for, and nothing wider.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openAdminScene } from './admin-fixture.ts';

test('a grant for refs is for a repository that was asked for, and is shown with them', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('approver');
  const file = (id: string, asked: { readonly method?: string; readonly path?: string }) =>
    scene.store.access.file(
      {
        id,
        sessionId: 'red',
        principalId: 'issuer|red',
        scheme: 'https',
        host: 'git.example.com',
        port: 443,
        reason: 'a branch',
        createdMs: scene.nowMs,
        pendingUntilMs: scene.nowMs + 3_600_000,
        ...asked,
      },
      defaultLimits,
    );
  await file('repository', { path: '/acme/app' });
  await file('page', { method: 'GET', path: '/acme/app' });
  await file('host', {});
  const grant = (id: string, body: object) =>
    scene.call('POST', `/v1/access/${id}/grant`, { token, body: { seconds: 60, ...body } });
  const refs = ['refs/heads/agent/**'];
  for (const [id, body, told] of [
    ['page', { refs }, /refs bound a push/],
    ['host', { refs }, /refs bound a push/],
    ['repository', { refs, scope: 'path' }, /leave the scope out/],
    ['repository', { refs: [] }, /refs/],
    ['repository', { refs: ['main'] }, /write refs\/heads\/main/],
    ['repository', { refs: ['refs/heads/**/x'] }, /\*\*/],
    ['repository', { refs: Array.from({ length: 65 }, (_, i) => `refs/heads/${i}`) }, /refs/],
  ] as const) {
    const refused = await grant(id, body);
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.text, told);
    assert.equal((await scene.store.access.find(id))?.state, 'pending');
  }
  const granted = await grant('repository', { refs });
  assert.equal(granted.status, 200, granted.text);
  const { terms } = granted.json as { readonly terms: object };
  assert.deepEqual(terms, {
    scope: 'exact',
    subject: 'session',
    refs,
    ends: new Date(scene.nowMs + 60_000).toISOString(),
  });
  const told = scene.audit.events.at(-1);
  assert.match(
    told?.message ?? '',
    /, only pushes that create or update refs\/heads\/agent\/\*\*, for the session\.$/,
  );
  assert.deepEqual(told?.details?.['refs'], refs);
});
