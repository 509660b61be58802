// Sessions that others made, explained and replayed by what they were narrowed by. Where that is gone nothing is shown as allowed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { VisibleEvents } from '../../../src/gateway/admin/visible-events.ts';
import { recallSession } from '../../../src/gateway/sessions/recalled-session.ts';
import { newSession } from '../../conformance/new-session.ts';
import { type AdminScene, event, openAdminScene } from './admin-fixture.ts';

const files = [
  { name: 'p.yaml', text: 'rules: [{ name: api, hosts: api.example.com, methods: [GET, POST] }]' },
];
const readOnly = 'rules: [{ name: read, hosts: api.example.com, methods: [GET] }]';

/** With a session of the team red that may make others. */
async function openScene(): Promise<AdminScene> {
  const scene = await openAdminScene();
  const { sessions } = scene.store;
  await sessions.enrol(newSession('root', { tokenKey: 'token of root', claims: { team: 'red' } }), {
    enrolmentsPerTokenMax: 10,
  });
  await sessions.commit('root', 2000);
  return scene;
}

async function narrow(
  { store }: AdminScene,
  id: string,
  policy = readOnly,
  parentId = 'root',
): Promise<void> {
  const { kind } = await store.sessions.narrow(
    {
      id,
      parentId,
      policy,
      keyThumbprint: `key of ${id}`,
      agentVersion: '0.1.0',
      isConfined: true,
      nowMs: 3000,
      endsMs: 90_000,
    },
    { livingMax: 10, storedMax: 10, depthMax: 4 },
  );
  assert.equal(kind, 'narrowed');
}

/** As the audit has it, of a session that the store has forgotten. */
const narrowed = (sessionId: string, changes: Partial<AuditEvent> = {}): AuditEvent =>
  event(`narrowed ${sessionId}`, {
    kind: 'session',
    action: 'narrowed',
    sessionId,
    details: { parent: 'root', above: ['root'] },
    ...changes,
  });

interface Explained {
  readonly effect: string;
  readonly rule: string;
  readonly text: string;
}

let explanations = 0;

async function explained(scene: AdminScene, session: string, method: string): Promise<Explained> {
  const body = { session, method, url: 'https://api.example.com/v1/items', files };
  const { status, json, text } = await scene.call('POST', '/v1/policy/explain', {
    token: await scene.token('viewer', { id: `viewer ${++explanations}` }),
    body,
  });
  assert.equal(status, 200, text);
  return json as Explained;
}

test('an explanation asks all that a session was narrowed by, and shows its rules', async () => {
  await using scene = await openScene();
  await narrow(scene, 'kid');
  await narrow(scene, 'grandkid', 'rules: [{ name: any, hosts: api.example.com, paths: /v1/** }]', 'kid');
  const effects = async (session: string): Promise<readonly string[]> => [
    (await explained(scene, session, 'GET')).effect,
    (await explained(scene, session, 'POST')).effect,
  ];
  assert.deepEqual(await effects('root'), ['allow', 'allow']);
  assert.deepEqual(await effects('kid'), ['allow', 'deny']);
  assert.deepEqual(await effects('grandkid'), ['allow', 'deny']);
  const { rule, text } = await explained(scene, 'kid', 'POST');
  assert.equal(rule, 'narrowed-deny');
  assert.match(text, /policy of session kid:\n[^]*does not match: read /);
  const allowed = await explained(scene, 'grandkid', 'GET');
  assert.match(allowed.text, /^ALLOW [^]*policy of session kid:[^]*policy of session grandkid:/);
});

test('where it is gone or cannot be read nothing is shown as allowed, and that is said', async () => {
  await using scene = await openScene();
  await narrow(scene, 'kid');
  await narrow(scene, 'odd', 'rules: {');
  await scene.append([
    narrowed('old'),
    narrowed('unsaid', { cut: { details: { bytes: 9000, sha256: 'x' } }, details: {} }),
  ]);
  const { sessions } = scene.store;
  const given = sessions.narrowingsOf.bind(sessions);
  sessions.narrowingsOf = async (ids) => (await given(ids)).filter(({ sessionId }) => sessionId !== 'kid');
  for (const id of ['kid', 'odd', 'old', 'unsaid']) {
    assert.equal((await recallSession(scene.store, id))?.isNarrowingGone, true, id);
    for (const method of ['GET', 'POST']) {
      const { effect, rule, text } = await explained(scene, id, method);
      assert.deepEqual([effect, rule], ['deny', 'narrowing-gone'], id);
      assert.match(text, /^DENY [^]*it cannot be told/, id);
    }
  }
  sessions.narrowingsOf = () => Promise.reject(new Error('the store is away'));
  await assert.rejects(recallSession(scene.store, 'kid'), /the store is away/);
});

const recorded = (id: string, sessionId: string, method: string, isAllowed: boolean): AuditEvent =>
  event(id, {
    scheme: 'https',
    port: 443,
    path: '/v1/items',
    sessionId,
    method,
    rule: isAllowed ? 'api' : 'narrowed-deny',
    ...(isAllowed ? {} : { verdict: 'deny', errorCode: 'policy_denied', status: 403 }),
  });

test('a replay decides by what a session was narrowed by, and is not sure where that is gone or looks at what is not recorded', async () => {
  await using scene = await openScene();
  await narrow(scene, 'kid');
  await narrow(
    scene,
    'mcp',
    'rules: [{ name: tools, hosts: api.example.com, paths: /v1/items, mcp: { tools: [search] } }]',
  );
  await scene.append([
    narrowed('old'),
    recorded('e1', 'kid', 'GET', true),
    recorded('e2', 'kid', 'POST', false),
    recorded('e3', 'root', 'POST', true),
    recorded('e4', 'old', 'POST', false),
    recorded('e5', 'mcp', 'POST', false),
  ]);
  const token = await scene.token('viewer');
  const { json, text } = await scene.call('POST', '/v1/policy/replay', { token, body: { files } });
  const { flipped, unchanged, unsure } = json as {
    readonly flipped: number;
    readonly unchanged: number;
    readonly unsure: readonly { readonly reason: string }[];
  };
  assert.deepEqual([flipped, unchanged], [0, 3], text);
  assert.deepEqual(unsure.map(({ reason }) => reason).toSorted(), [
    'depends on its header fields or its body, which are not recorded: allow by api or deny by narrowed-deny',
    'depends on the policy that its session was narrowed by, which is not kept',
  ]);
});

test('events of sessions that others made are shown to whom those are shown, whatever is left of their policies', async () => {
  await using scene = await openScene();
  await narrow(scene, 'kid');
  await scene.append([narrowed('old')]);
  scene.store.sessions.narrowingsOf = () => Promise.reject(new Error('nobody asks for them'));
  for (const [team, isShown] of [
    ['red', true],
    ['blue', false],
  ] as const) {
    const visible = new VisibleEvents({ sees: { team } }, scene.store);
    for (const sessionId of ['root', 'kid', 'old'])
      assert.equal(await visible.sees({ sessionId }), isShown, `${team} ${sessionId}`);
  }
});
