// Recorded requests are decided again by another policy: what flips, within bounds, and ended with who asks.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { PolicyReplay } from '../../../src/gateway/policies/policy-replay.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { policyOf } from '../../policy/fixture.ts';
import { waitUntil } from '../../support/program.ts';
import { type AdminScene, event, openAdminScene } from './admin-fixture.ts';

const files = (text: string) => [{ name: 'p.yaml', text }];
const reads = 'rules: [{ name: read, hosts: api.example.com, methods: GET }]';

function recorded(id: string, changes: Partial<AuditEvent> = {}): AuditEvent {
  return event(id, { scheme: 'https', port: 443, path: '/v1/items', ...changes });
}

interface Replayed {
  readonly replayed: number;
  readonly unchanged: number;
  readonly flipped: number;
  readonly flips: readonly { readonly change: string; readonly request: string; readonly count: number }[];
  readonly searchedTo?: string;
}

async function replayed(scene: AdminScene, body: object): Promise<Replayed> {
  const token = await scene.token('viewer');
  const { status, json, text } = await scene.call('POST', '/v1/policy/replay', { token, body });
  assert.equal(status, 200, text);
  return json as Replayed;
}

test('requests that would be decided otherwise are told, alike ones together, by claims of their session', async () => {
  await using scene = await openAdminScene();
  await scene.append([
    recorded('e1'),
    recorded('e2', { method: 'POST', verdict: 'allow' }),
    recorded('e3', { method: 'POST', verdict: 'allow' }),
    recorded('e4', {
      verdict: 'deny',
      errorCode: 'policy_denied',
      status: 403,
      rule: 'default-deny',
      method: 'PUT',
    }),
    recorded('e5', { kind: 'session', action: 'renewed' }),
  ]);
  const same = await replayed(scene, { files: files(reads) });
  assert.deepEqual([same.replayed, same.unchanged, same.flipped], [4, 2, 2]);
  assert.deepEqual(
    same.flips.map(({ change, request: what, count }) => [change, what, count]),
    [['allow → deny', 'POST https://api.example.com/v1/items', 2]],
  );
  const ofRed = `for: { team: red }\n${reads.replace('methods: GET', 'methods: [GET, POST, PUT]')}`;
  const other = await replayed(scene, { files: files(ofRed) });
  assert.deepEqual(
    other.flips.map(({ change }) => change),
    ['deny → allow'],
  );
  const ofBlue = await replayed(scene, { files: files(ofRed.replace('red', 'blue')) });
  assert.equal(ofBlue.flips.filter(({ change }) => change === 'allow → deny').length, 2);
});

test('it looks at as many as were asked for, the newest, and says how far', async () => {
  await using scene = await openAdminScene();
  const all = Array.from({ length: 1200 }, (_, i) =>
    recorded(`e${String(i).padStart(5, '0')}`, { time: new Date(scene.nowMs + i * 1000).toISOString() }),
  );
  await scene.append(all);
  const some = await replayed(scene, { files: files(reads), count: 700 });
  assert.deepEqual([some.replayed, some.searchedTo], [700, all[500]?.time]);
  const whole = await replayed(scene, { files: files(reads) });
  assert.deepEqual([whole.replayed, whole.searchedTo], [1200, undefined]);
  const young = await replayed(scene, { files: files(reads), since: all[1100]?.time });
  assert.equal(young.replayed, 100);
});

interface Told {
  readonly looked: number;
  readonly searchedTo?: string;
  readonly oldest?: string;
  readonly result?: Replayed;
}

async function whole(scene: AdminScene, body: object): Promise<readonly Told[]> {
  const token = await scene.token('viewer');
  const { status, text } = await scene.call('POST', '/v1/policy/replay/whole', { token, body });
  assert.equal(status, 200, text);
  const told = text.split('\n').filter((line) => line.startsWith('data: '));
  return told.map((line) => JSON.parse(line.slice(6)) as Told);
}

test('the whole audit is replayed, however long it is, and counted as it is piece by piece', async () => {
  await using scene = await openAdminScene();
  const all = Array.from({ length: 21_000 }, (_, i) =>
    recorded(`e${String(i).padStart(5, '0')}`, {
      time: new Date(scene.nowMs + i * 1000).toISOString(),
      method: i % 3 === 0 ? 'POST' : 'GET',
    }),
  );
  await scene.append(all);
  const told = await whole(scene, { files: files(reads) });
  const { looked, oldest, result } = told.at(-1)!;
  assert.deepEqual([looked, result?.replayed, result?.flipped], [21_000, 21_000, 7_000]);
  assert.equal(result?.flips.length, 1);
  assert.equal(oldest, all[0]?.time);
  assert.ok(told.slice(0, -1).every((one) => one.result === undefined && one.searchedTo !== undefined));
  const since = all[20_500]?.time;
  const late = (await whole(scene, { files: files(reads), since })).at(-1)!;
  assert.deepEqual([late.looked, late.oldest], [500, since]);
});

test('one at a time goes over the whole audit; it ends with who asked, or with their token', async () => {
  await using scene = await openAdminScene();
  await scene.append([recorded('e1')]);
  const inner = scene.store.audit.query.bind(scene.store.audit);
  let asked = 0;
  scene.store.audit.query = async (query) => {
    asked += 1;
    const [one] = await inner({ ...query, limit: 1 });
    // There is no end of it.
    return Array.from({ length: query.limit }, (_, i) => ({ ...one!, id: `x${i}` }));
  };
  const body = JSON.stringify({ files: files(reads) });
  const begin = async (token: string): Promise<ClientRequest> => {
    const headers = {
      host: 'localhost',
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    };
    const path = '/v1/policy/replay/whole';
    const one = request({ socketPath: scene.socket, method: 'POST', path, headers });
    one.on('error', () => undefined).end(body);
    const [response] = (await once(one, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    await once(response, 'data');
    response.on('error', () => undefined).resume();
    return one;
  };
  const token = await scene.token('viewer');
  const other = await scene.token('viewer', { id: 'other' });
  const isFree = async (): Promise<boolean> => {
    using place = tryBegin(scene);
    return place !== undefined;
  };
  const first = await begin(token);
  for (const [path, sent] of [
    ['/v1/policy/replay/whole', JSON.parse(body) as object],
    ['/v1/audit/verify', {}],
  ] as const) {
    const second = await scene.call('POST', path, { token: other, body: sent });
    assert.equal(second.status, 429);
    assert.match(second.text, /adminWholeReadsMax/);
  }
  first.destroy();
  await waitUntil('it has ended with who asked', isFree);
  const next = await begin(other);
  await scene.store.operators.revoke('other', scene.nowMs);
  await waitUntil('it has ended with the token', isFree);
  const before = asked;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(asked, before);
  next.destroy();
});

function tryBegin({ parts }: AdminScene): Disposable | undefined {
  try {
    return parts.wholeAudit.begin();
  } catch {
    return undefined;
  }
}

test('however many requests differ, those that are told apart are bounded, and none is left uncounted', async () => {
  const judged = new PolicyReplay(policyOf('rules: []'), { get: () => ({ claims: {}, posture: [] }) });
  const { replayGroupsMax: max } = defaultLimits;
  const count = 3 * max;
  for (let i = 0; i < count; i += 1)
    judged.note(
      recorded(`e${i}`, { path: `/v1/${i}`, host: i % 2 === 0 ? 'api.example.com' : `h${i}.example.com` }),
    );
  const { flips, replayed } = judged.result();
  assert.equal(replayed, count);
  assert.ok(flips.length <= 2 * max + 5, String(flips.length));
  assert.equal(
    flips.reduce((sum, one) => sum + one.count, 0),
    count,
  );
  const ofHost = flips.find((one) => one.request === 'GET https://api.example.com/…');
  assert.equal(ofHost?.count, count / 2 - max / 2);
  assert.ok(flips.some((one) => one.request === 'other requests, which are too many to be told apart'));
});

test('who asks for more, for nothing, or without the right is refused', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const ask = (body: object, as = token) => scene.call('POST', '/v1/policy/replay', { token: as, body });
  assert.equal((await ask({ files: files(reads), count: 20_001 })).status, 400);
  assert.equal((await ask({})).status, 400);
  assert.equal((await ask({ version: 'main@1' })).status, 404);
  assert.match((await ask({ files: files('rules: {') })).text, /p\.yaml:/);
  const bound = await scene.token('operator', { sees: { team: 'red' } });
  assert.equal((await ask({ files: files(reads) }, bound)).status, 403);
});

test('no more than two at once, and one whose asker has gone ends and makes room', async () => {
  await using scene = await openAdminScene();
  await scene.append([recorded('e1')]);
  const token = await scene.token('viewer');
  const held = Promise.withResolvers<void>();
  const inner = scene.store.audit.query.bind(scene.store.audit);
  let waiting = 0;
  scene.store.audit.query = async (query) => {
    waiting += 1;
    await held.promise;
    // More than one portion, so that it is looked whether anybody waits.
    const [one] = await inner(query);
    return Array.from({ length: query.limit }, (_, i) => ({ ...one!, id: `x${i}` }));
  };
  const body = JSON.stringify({ files: files(reads), count: 20_000 });
  const headers = { host: 'localhost', authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const gone = [1, 2].map(() => {
    const one = request({ socketPath: scene.socket, method: 'POST', path: '/v1/policy/replay', headers });
    one.on('error', () => undefined);
    one.end(body);
    return one;
  });
  await waitUntil('both look', () => waiting === 2);
  const third = await scene.call('POST', '/v1/policy/replay', { token, body: { files: files(reads) } });
  assert.equal(third.status, 429);
  assert.match(third.text, /adminReplaysMax/);
  for (const one of gone) one.destroy();
  held.resolve();
  const before = waiting;
  await waitUntil('there is room', async () => {
    const again = await scene.call('POST', '/v1/policy/replay', {
      token,
      body: { files: files(reads), count: 1 },
    });
    return again.status === 200;
  });
  // Forty questions to the store each, had they gone on.
  assert.ok(waiting - before < 40, String(waiting - before));
});
