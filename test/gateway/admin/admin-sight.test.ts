// Who sees only some sessions: of the others there is nothing to find, to follow, to count or to decide.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { event, openAdminScene, policyText, type AdminScene } from './admin-fixture.ts';

async function openScene(): Promise<{ readonly scene: AdminScene; readonly token: string }> {
  const scene = await openAdminScene();
  await scene.append([
    event('e1'),
    event('e2', { sessionId: 'blue', principal: 'issuer|blue' }),
    // Refused before there was a session.
    { ...event('e3'), sessionId: undefined, principal: undefined } as never,
    event('e4', { sessionId: 'forgotten' }),
  ]);
  return { scene, token: await scene.token('approver', { sees: { team: 'red' } }) };
}

test('lists have what is theirs alone', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  const ids = async (path: string) => {
    const { json } = await scene.call('GET', path, { token });
    return (json as OutputOf<'sessions'>).items.map(({ id }) => id);
  };
  assert.deepEqual(await ids('/v1/exchanges'), ['e1']);
  assert.deepEqual(await ids('/v1/sessions?all=true'), ['red']);
  assert.deepEqual(await ids('/v1/access'), ['wish of red']);
  // Nor by asking for the other one by name.
  assert.deepEqual(await ids('/v1/exchanges?session=blue'), []);
  assert.deepEqual(await ids('/v1/access?session=blue'), []);
});

test('an event of a session that the store has forgotten is theirs by the claims of its enrolment', async () => {
  await using scene = await openAdminScene();
  const enrolled = (sessionId: string, team: string, more: object = {}) =>
    event(`enrolled ${sessionId}`, {
      kind: 'session',
      action: 'enrolled',
      sessionId,
      details: { claims: { team } },
      ...more,
    });
  await scene.append([
    enrolled('old red', 'red'),
    event('e1', { sessionId: 'old red' }),
    enrolled('old blue', 'blue'),
    event('e2', { sessionId: 'old blue' }),
    // What was cut says nothing for certain.
    enrolled('cut', 'red', { cut: { details: 100_000 } }),
    event('e3', { sessionId: 'cut' }),
    // Nor does what another event says.
    enrolled('posture', 'red', { action: 'posture' }),
    event('e4', { sessionId: 'posture' }),
    // Kept by the store, whatever an event says.
    enrolled('blue', 'red'),
  ]);
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  for (const path of ['/v1/exchanges/export', '/v1/exchanges']) {
    const { json } = await scene.call('GET', path, { token });
    const ids = (json as OutputOf<'exportEvents'>).items.map(({ id }) => id);
    assert.deepEqual(ids.toSorted(), ['e1', 'enrolled old red'], path);
  }
  assert.equal((await scene.call('GET', '/v1/exchanges/e1', { token })).status, 200);
  assert.equal((await scene.call('GET', '/v1/exchanges/e2', { token })).status, 404);
});

test('a cursor of a list that is not theirs is as unknown as one that is not there', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  for (const [before, status] of [
    ['none', 404],
    ['blue', 404],
    ['red', 200],
    ['2026-99-99T00:00:00Z', 400],
    ['2026-01-01T00:00:00.000Z', 200],
  ] as const)
    assert.equal(
      (await scene.call('GET', `/v1/sessions?before=${before}`, { token })).status,
      status,
      before,
    );
  const { json } = await scene.call('GET', '/v1/sessions?before=2100-01-01T00:00:00Z', { token });
  assert.deepEqual(
    (json as OutputOf<'sessions'>).items.map(({ id }) => id),
    ['red'],
  );
});

test('what is not theirs is as unknown as what is not there', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  const body = { method: 'GET', url: 'https://api.example.com/', session: 'blue' };
  for (const [theirs, none, method, sent] of [
    ['/v1/exchanges/e2', '/v1/exchanges/none', 'GET', undefined],
    ['/v1/exchanges/e3', '/v1/exchanges/none', 'GET', undefined],
    ['/v1/exchanges/e4', '/v1/exchanges/none', 'GET', undefined],
    ['/v1/sessions/blue', '/v1/sessions/none', 'GET', undefined],
    ['/v1/access/wish%20of%20blue', '/v1/access/none', 'GET', undefined],
    ['/v1/access/wish%20of%20blue/grant', '/v1/access/none/grant', 'POST', { seconds: 60 }],
    ['/v1/access/wish%20of%20blue/deny', '/v1/access/none/deny', 'POST', {}],
    ['/v1/access/wish%20of%20blue/revoke', '/v1/access/none/revoke', 'POST', {}],
    ['/v1/policy/explain', '/v1/sessions/none', 'POST', body],
  ] as const) {
    const hidden = await scene.call(method, theirs, { token, body: sent });
    assert.equal(hidden.status, 404, theirs);
    if (theirs === '/v1/policy/explain') continue;
    const absent = await scene.call(method, none, { token, body: sent });
    const text = ({ text: all }: { readonly text: string }) => all.replace(/"trace_id":"[0-9a-f]+"/, '');
    assert.equal(text(hidden), text(absent), theirs);
  }
  assert.equal((await scene.store.access.find('wish of blue'))?.state, 'pending');
});

test('a request is explained by the policy of their sessions, and by that of no others', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  const all = await scene.token('viewer');
  const status = async (more: object, by = token): Promise<number> => {
    const body = { method: 'GET', url: 'https://api.example.com/', ...more };
    return (await scene.call('POST', '/v1/policy/explain', { token: by, body })).status;
  };
  const version = scene.parts.policies.current().version;
  const files = [{ name: 'p.yaml', text: policyText }];
  for (const [more, wanted] of [
    [{}, 403],
    [{ claims: { team: 'blue' } }, 403],
    [{ claims: { team: ['red', 'blue'] } }, 403],
    [{ claims: { team: 'red', repository: 'of/blue' } }, 403],
    [{ claims: { team: 'red' }, version }, 403],
    [{ version }, 403],
    [{ claims: { team: 'red' } }, 200],
    [{ session: 'red' }, 200],
    [{ session: 'red', version }, 200],
    [{ session: 'blue' }, 404],
    [{ files, claims: { team: 'blue' } }, 200],
  ] as const)
    assert.equal(await status(more), wanted, JSON.stringify(more));
  assert.equal(await status({ claims: { team: 'blue' } }, all), 200);
});

test('a grant of theirs is for the session, not for all of its principal', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  const grant = (body: object) => scene.call('POST', '/v1/access/wish%20of%20red/grant', { token, body });
  assert.equal((await grant({ seconds: 60, subject: 'principal' })).status, 403);
  assert.equal((await scene.store.access.find('wish of red'))?.state, 'pending');
  assert.equal((await grant({ seconds: 60 })).status, 200);
});

test('what is told of all sessions together is not told', async () => {
  const { scene, token } = await openScene();
  await using _ = scene;
  for (const path of ['/v1/limits', '/v1/metrics', '/v1/credentials'])
    assert.equal((await scene.call('GET', path, { token })).status, 403, path);
});

test('an administrator who sees only some could give themselves the rest, so there is none', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const body = { name: 'x', role: 'administrator', seconds: 60, sees: { team: 'red' } };
  assert.equal((await scene.call('POST', '/v1/tokens', { token, body })).status, 400);
});

test('where a page goes on is sealed for who sees only some sessions, and an event of others is no cursor', async () => {
  await using scene = await openAdminScene();
  const id = (n: number): string => `0190${String(n).padStart(4, '0')}-0000-7000-8000-000000000000`;
  const times = Array.from({ length: 9 }, (_, n) => new Date(scene.nowMs + n * 1234).toISOString());
  await scene.append(times.map((time, n) => event(id(n), { time, sessionId: n % 3 === 0 ? 'red' : 'blue' })));
  const token = await scene.token('viewer', { sees: { team: 'red' } });
  const found: string[] = [];
  let next: string | undefined;
  do {
    const before = next === undefined ? '' : `&before=${encodeURIComponent(next)}`;
    const { status, json, text } = await scene.call('GET', `/v1/exchanges?count=1${before}`, { token });
    assert.equal(status, 200, text);
    const page = json as { items: { id: string }[]; next?: string; searchedTo?: string };
    found.push(...page.items.map((one) => one.id));
    ({ next } = page);
    assert.match(page.searchedTo ?? '00.000Z', /:00\.000Z$|^00/);
    assert.doesNotMatch(next ?? '', /0190/);
  } while (next !== undefined);
  assert.deepEqual(found, [id(6), id(3), id(0)]);
  for (const [cursor, status] of [
    [id(3), 200],
    [id(4), 404],
    ['sealed.AAAA', 404],
  ] as const)
    for (const direction of ['before', 'after'])
      assert.equal(
        (await scene.call('GET', `/v1/exchanges?${direction}=${cursor}`, { token })).status,
        status,
        `${direction} ${cursor}`,
      );
  // Who sees all names any event.
  const all = await scene.token('viewer');
  assert.equal((await scene.call('GET', `/v1/exchanges?before=${id(4)}`, { token: all })).status, 200);
});
