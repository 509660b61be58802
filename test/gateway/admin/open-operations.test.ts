// What runs now, as the admin API tells it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { auditEventSchema, type AuditEvent } from '../../../src/api/audit-event.ts';
import type { AuditEntry } from '../../../src/store/store.ts';
import { event, openAdminScene, type AdminScene } from './admin-fixture.ts';

const agoMs = { o1: 90_000, o2: 60_000, o3: 2_000, o4: 0 } as const;

function marker(scene: AdminScene, id: keyof typeof agoMs, changes: Partial<AuditEvent> = {}): AuditEntry {
  const timeMs = scene.nowMs - agoMs[id];
  const time = new Date(timeMs).toISOString();
  const open = event(id, {
    verdict: 'unknown',
    decided: 'allow',
    time,
    message: 'The gateway ended',
    ...changes,
  });
  return { id, verdict: open.verdict, kind: open.kind, timeMs, json: JSON.stringify(open) };
}

async function openScene(): Promise<AdminScene> {
  const scene = await openAdminScene();
  await scene.store.audit.append(
    [],
    [
      marker(scene, 'o1'),
      marker(scene, 'o2', { sessionId: 'blue', principal: 'issuer|blue' }),
      marker(scene, 'o3', { kind: 'stream' }),
      marker(scene, 'o4'),
    ],
  );
  return scene;
}

type Page = OutputOf<'openExchanges'>;

async function asked(scene: AdminScene, token: string, query = ''): Promise<Page> {
  const { status, json, text } = await scene.call('GET', `/v1/exchanges/open${query}`, { token });
  assert.equal(status, 200, text);
  return json as Page;
}

const ids = ({ items }: Page): readonly string[] => items.map(({ id }) => id);

test('what is open is told oldest first, as events whose outcome is unknown, until its event is stored', async () => {
  await using scene = await openScene();
  const token = await scene.token('viewer');
  const page = await asked(scene, token);
  assert.deepEqual(ids(page), ['o1', 'o2', 'o3', 'o4']);
  assert.equal(page.now, new Date(scene.nowMs).toISOString());
  for (const item of page.items) {
    auditEventSchema.parse(item);
    assert.deepEqual([item.verdict, item.decided, item.message], ['unknown', 'allow', undefined]);
  }
  assert.deepEqual(ids(await asked(scene, token, '?seconds=2')), ['o1', 'o2', 'o3']);
  assert.deepEqual(ids(await asked(scene, token, '?session=blue')), ['o2']);
  const [first] = [await asked(scene, token, '?count=3')];
  assert.deepEqual(ids(first), ['o1', 'o2', 'o3']);
  assert.deepEqual(ids(await asked(scene, token, `?count=3&after=${first.next}`)), ['o4']);
  const ended = { ...marker(scene, 'o1'), wasOpen: true as const };
  await scene.store.audit.append([{ ...ended, verdict: 'allow' }]);
  assert.deepEqual(ids(await asked(scene, token)), ['o2', 'o3', 'o4']);
});

test('who sees only some sessions is told of no other, nor of its id, and can look behind none that they were not told', async () => {
  await using scene = await openScene();
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  const page = await asked(scene, token, '?count=1');
  assert.deepEqual(ids(page), ['o1']);
  assert.match(page.next ?? '', /^sealed\./);
  assert.deepEqual(ids(await asked(scene, token, `?after=${encodeURIComponent(page.next ?? '')}`)), [
    'o3',
    'o4',
  ]);
  assert.deepEqual(ids(await asked(scene, token, '?session=blue')), []);
  const { status } = await scene.call('GET', '/v1/exchanges/open?after=o2', { token });
  assert.equal(status, 400);
});

test('a page looks at no more than its bound, and says where to go on', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  const open = Array.from({ length: 20_500 }, (_, index) => {
    const id = `m${String(index).padStart(6, '0')}`;
    const json = JSON.stringify(event(id, { sessionId: 'blue', verdict: 'unknown' }));
    return { id, verdict: 'unknown', kind: 'exchange', timeMs: 1, json } as const;
  });
  await scene.store.audit.append([], open);
  const page = await asked(scene, token);
  assert.deepEqual(ids(page), []);
  assert.deepEqual(await asked(scene, token, `?after=${page.next}`), { items: [], now: page.now });
});
