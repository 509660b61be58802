import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event, openAdminScene } from './admin-fixture.ts';
import { accessRequest } from '../../conformance/store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { startMs } from '../session-fixture.ts';

const hourMs = 3_600_000;

test('uses of rules and credentials are told with their last failure, and what was not used is not there', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const time = new Date(scene.nowMs - 60_000).toISOString();
  await scene.append([
    event('1', { time, injected: ['github'] }),
    event('2', { time, verdict: 'deny', rule: 'default-deny', count: 5 }),
    event('3', {
      time,
      verdict: 'error',
      errorCode: 'credential_unavailable',
      failedCredential: 'github',
      traceId: 'f'.repeat(32),
    }),
  ]);
  const rules = await scene.call('GET', '/v1/uses?kind=rule', { token });
  const { since, from, items } = rules.json as Record<string, unknown>;
  assert.ok(typeof since === 'string' && Date.parse(since) <= Date.now());
  const fromMs = Math.floor((scene.nowMs - 24 * hourMs) / hourMs) * hourMs;
  assert.equal(from, new Date(fromMs).toISOString());
  const failure = { time, code: 'credential_unavailable', trace: 'f'.repeat(32) };
  assert.deepEqual(items, [
    { name: 'default-deny', uses: 5, lastUsed: time, recent: { allowed: 0, denied: 5, failed: 0 } },
    {
      name: 'read',
      uses: 2,
      lastUsed: time,
      recent: { allowed: 1, denied: 0, failed: 1 },
      lastFailure: failure,
    },
  ]);
  const credentials = (await scene.call('GET', '/v1/credentials', { token })).json as {
    items: Record<string, unknown>[];
  };
  const named = credentials.items.find(({ name }) => name === 'github');
  assert.equal(named?.['state'], 'failing');
  assert.equal(named?.['lastUsed'], time);
  assert.deepEqual(named?.['lastError'], failure);
  const hours = (await scene.call('GET', '/v1/uses/hours?hours=2', { token })).json as { items: unknown[] };
  assert.deepEqual(hours.items.at(-1), {
    time: new Date(Math.floor((scene.nowMs - 60_000) / hourMs) * hourMs).toISOString(),
    allowed: 1,
    denied: 5,
    failed: 1,
  });
});

test('a grant says whether it was used, to who sees its session, and of a whole principal not to who sees some', async () => {
  await using scene = await openAdminScene();
  const { access } = scene.store;
  for (const [id, sessionId, subject] of [
    ['granta', 'red', 'session'],
    ['grantb', 'blue', 'session'],
    ['grantc', 'red', 'principal'],
  ] as const) {
    await access.file(
      {
        ...accessRequest(id),
        sessionId,
        principalId: 'p',
        path: `/${id}`,
        createdMs: startMs,
        pendingUntilMs: startMs + hourMs,
      },
      defaultLimits,
    );
    await access.grant(id, { scope: 'host', subject, endsMs: scene.nowMs + hourMs }, { nowMs: scene.nowMs });
  }
  const time = new Date(scene.nowMs).toISOString();
  await scene.append(
    ['granta', 'grantb', 'grantc'].map((id) => event(`e ${id}`, { time, rule: `access-grant:${id}` })),
  );
  const path = '/v1/uses/grants?ids=granta,grantb,grantc,none';
  const bound = await scene.token('viewer', { sees: { team: 'red' } });
  const asked = async (token: string): Promise<unknown> => {
    const { items, unknown } = (await scene.call('GET', path, { token })).json as {
      items: { id: string; uses: number }[];
      unknown: string[];
    };
    return { used: items.map(({ id, uses }) => `${id} ${uses}`).toSorted(), unknown };
  };
  assert.deepEqual(await asked(bound), { used: ['granta 1'], unknown: ['grantc'] });
  assert.deepEqual(await asked(await scene.token('viewer')), {
    used: ['granta 1', 'grantb 1', 'grantc 1'],
    unknown: [],
  });
  for (const other of ['/v1/uses?kind=rule', '/v1/uses/hours', '/v1/gateways'])
    assert.equal((await scene.call('GET', other, { token: bound })).status, 403, other);
});

test('a gateway is as the worst of its processes, and one that is lost is told', async () => {
  await using scene = await openAdminScene();
  const note = {
    peerAddress: 'a.example.com:1',
    state: 'serving',
    changeSeen: 0,
    identityKeys: undefined,
  } as const;
  await scene.store.gateways.note({ ...note, incarnation: 'a'.repeat(32) }, 60_000);
  await scene.store.gateways.note(
    { ...note, incarnation: 'a'.repeat(16) + 'b'.repeat(16), state: 'draining' },
    60_000,
  );
  await scene.store.gateways.note({ ...note, incarnation: 'c'.repeat(32), peerAddress: undefined }, -1);
  const token = await scene.token('viewer');
  const { items } = (await scene.call('GET', '/v1/gateways', { token })).json as {
    items: Record<string, unknown>[];
  };
  const [first, second] = items.toSorted((a, b) => String(a['gateway']).localeCompare(String(b['gateway'])));
  assert.deepEqual(
    [first?.['gateway'], first?.['state'], first?.['processes'], first?.['address']],
    ['a'.repeat(16), 'draining', 2, 'a.example.com:1'],
  );
  assert.deepEqual([second?.['gateway'], second?.['state']], ['c'.repeat(16), 'lost']);
});
