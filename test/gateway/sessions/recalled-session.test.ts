// A session is known by the store, else by the event of its enrolment, which is found at once however much the session did.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recallSession } from '../../../src/gateway/sessions/recalled-session.ts';
import type { AuditQuery } from '../../../src/store/audit-search.ts';
import { event, openAdminScene } from '../admin/admin-fixture.ts';

const posture = { jailed: true, nondumpable: false };
const enrolled = (sessionId: string, changes: object = {}) =>
  event(`enrolled ${sessionId}`, {
    kind: 'session',
    action: 'enrolled',
    sessionId,
    principal: `issuer|${sessionId}`,
    details: { claims: { team: 'red' }, posture },
    ...changes,
  });

test('a session that the store has forgotten is who enrolled', async () => {
  await using scene = await openAdminScene();
  await scene.append([
    enrolled('old'),
    event('e1', { sessionId: 'old' }),
    enrolled('cut', { cut: { details: 100_000 } }),
    enrolled('later', { action: 'posture' }),
    enrolled('listed', { details: { claims: ['red'], posture } }),
    enrolled('blue'),
  ]);
  assert.deepEqual(await recallSession(scene.store, 'old'), {
    id: 'issuer|old',
    sessionId: 'old',
    claims: { team: 'red' },
    posture: ['jailed'],
  });
  for (const id of ['cut', 'later', 'listed', 'none'])
    assert.equal(await recallSession(scene.store, id), undefined, id);
  // Kept by the store, whatever an event says.
  assert.deepEqual((await recallSession(scene.store, 'blue'))?.claims, { team: 'blue' });
});

test('the audit is asked for the first events of the session, and looks through no others', async () => {
  await using scene = await openAdminScene();
  const asked: AuditQuery[] = [];
  const { sessions } = scene.store;
  const audit = {
    query: (query: AuditQuery) => {
      asked.push(query);
      return scene.store.audit.query(query);
    },
  };
  await scene.append([enrolled('old')]);
  assert.notEqual(await recallSession({ sessions, audit: audit as never }, 'old'), undefined);
  assert.equal(await recallSession({ sessions, audit: audit as never }, 'none'), undefined);
  assert.deepEqual(asked, [
    { sessionId: 'old', limit: 10 },
    { sessionId: 'none', limit: 10 },
  ]);
});
