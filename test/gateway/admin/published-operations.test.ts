// Policies are published by the admin API: upon what was seen, by who may, and whole or not at all.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import { type AdminResponse, type AdminScene, openAdminScene } from './admin-fixture.ts';

const rule = (host: string): string => `rules: [{ name: r, hosts: ${host} }]\n`;
const files = (text: string) => [{ name: 'p.yaml', text }];
const at = '/v1/policy/published/main';

interface Version {
  readonly id: string;
  readonly number: number;
  readonly note?: string;
  readonly files: readonly { readonly text: string }[];
}
const publishedOf = ({ json }: AdminResponse): Version => (json as { version: Version }).version;

async function numbers({ store }: AdminScene): Promise<readonly number[]> {
  return (await store.policies.history({ limit: 100 })).map(({ number }) => number);
}

test('a policy is published upon the version that was seen, by its number or its ETag, and each act is an event', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const post = (body: object, headers = {}) => scene.call('POST', at, { token, body, headers });
  assert.equal((await scene.call('GET', at, { token })).status, 404);
  const first = await post({ files: files(rule('a.example.com')), seen: 0, note: 'first' });
  assert.equal(first.status, 201, first.text);
  assert.deepEqual([publishedOf(first).id, publishedOf(first).note], ['main@1', 'first']);
  const head = await scene.call('GET', at, { token });
  const { etag } = head.headers;
  assert.ok(typeof etag === 'string');
  const second = await post({ files: files(rule('b.example.com')) }, { 'if-match': etag });
  assert.equal(second.status, 201, second.text);
  assert.match((second.json as { diff: string }).diff, /opened:\n +https:\/\/b\.example\.com/);
  for (const [body, headers, status, why] of [
    [{ files: files(rule('c.example.com')) }, { 'if-match': etag }, 409, /state_changed/],
    [{ files: files(rule('c.example.com')), seen: 1 }, {}, 409, /version 2 is published, by administrator/],
    [{ files: files(rule('c.example.com')), seen: 0 }, {}, 409, /state_changed/],
    [{ files: files(rule('c.example.com')) }, {}, 400, /say what is to be replaced/],
    [{ files: files('rules: [{ name: x }]'), seen: 2 }, {}, 400, /p\.yaml:1:/],
    [
      { files: files('rules: [{ name: x, hosts: a.example.com, inject: no }]'), seen: 2 },
      {},
      400,
      /no credential/,
    ],
    [{ files: [], seen: 2 }, {}, 400, /files/],
    [{ files: [...files(''), ...files('')], seen: 2 }, {}, 400, /two files are called p\.yaml/],
    [{ files: [{ name: '../x', text: '' }], seen: 2 }, {}, 400, /names of published files/],
    [{ files: files(rule('c.example.com')), seen: 2, for: { team: 'web' } }, {}, 400, /is for every session/],
  ] as const) {
    const refused = await post(body, headers);
    assert.equal(refused.status, status, refused.text);
    assert.match(refused.text, why);
  }
  assert.deepEqual(await numbers(scene), [2, 1]);
  const back = await scene.call('POST', `${at}/rollback`, { token, body: { to: 1, seen: 2 } });
  assert.equal(back.status, 201, back.text);
  assert.equal(publishedOf(back).files[0]?.text, rule('a.example.com'));
  const gone = await scene.call('POST', `${at}/withdraw`, { token, body: { seen: 3 } });
  assert.equal(gone.status, 201, gone.text);
  assert.equal((await scene.call('POST', `${at}/rollback`, { token, body: { to: 9, seen: 4 } })).status, 404);
  assert.deepEqual(
    scene.audit.events.map(({ action, details }) => [action, details?.['number'], details?.['before']]),
    [1, 2, 3, 4].map((number) => ['policy_published', number, number - 1]),
  );
  assert.match(String(scene.audit.events[0]?.details?.['operator']), /^administrator \(token /);
  const history = await scene.call('GET', '/v1/policy/history?policy=main&count=3', { token });
  const { items, next } = history.json as { items: { id: string; backTo?: number }[]; next: string };
  assert.deepEqual([items.map(({ id }) => id), next], [['main@4', 'main@3', 'main@2'], '2']);
  assert.equal(items[1]?.backTo, 1);
});

test('of two who publish upon the same version one does, ten times over', async () => {
  await using scene = await openAdminScene();
  const tokens = await Promise.all(Array.from({ length: 2 }, () => scene.token('administrator')));
  for (let seen = 0; seen < 10; seen += 1) {
    const responses = await Promise.all(
      tokens.map((token, i) =>
        scene.call('POST', at, { token, body: { files: files(rule(`r${seen}x${i}.example.com`)), seen } }),
      ),
    );
    assert.deepEqual(
      responses.map(({ status }) => status).toSorted(),
      [201, 409],
      responses.map(({ text }) => text).join(),
    );
  }
  assert.equal((await numbers(scene)).length, 10);
  assert.equal(scene.audit.events.length, 10);
});

test('who lost the token while the body came publishes nothing', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator', { id: 'lost' });
  const body = JSON.stringify({ files: files(rule('a.example.com')), seen: 0 });
  const slow = request({
    socketPath: scene.socket,
    method: 'POST',
    path: at,
    headers: {
      host: 'localhost',
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  });
  const response = once(slow, 'response') as Promise<[{ readonly statusCode: number; resume(): void }]>;
  slow.write(body.slice(0, 20));
  // The token was used, so the head was read and the role was looked at.
  while ((await scene.store.operators.find('lost'))?.usedMs === undefined)
    await scene.call('GET', '/v1/who', {});
  await scene.store.operators.revoke('lost', scene.nowMs);
  slow.end(body.slice(20));
  const [head] = await response;
  head.resume();
  assert.equal(head.statusCode, 401);
  assert.deepEqual(await numbers(scene), []);
  assert.deepEqual(scene.audit.events, []);
});

test('who lost the token while the policy was read publishes nothing', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator', { id: 'lost' });
  const read = scene.parts.policyReads.read.bind(scene.parts.policyReads);
  scene.parts.policyReads.read = async (...input) => {
    await scene.store.operators.revoke('lost', scene.nowMs);
    return await read(...input);
  };
  const body = { files: files(rule('a.example.com')), seen: 0 };
  const refused = await scene.call('POST', at, { token, body });
  assert.equal(refused.status, 401, refused.text);
  assert.deepEqual(await numbers(scene), []);
});

test('who only looks keeps no administrator from publishing and rolling back, and reads to publish are counted too', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const { policyReads } = scene.parts;
  const sources = [{ file: 'p.yaml', text: rule('a.example.com') }];
  const read = policyReads.read.bind(policyReads);
  const looks: Promise<unknown>[] = [];
  policyReads.read = async (...input) => {
    // All that may look do so at this moment.
    for (let i = 0; i < defaultLimits.adminPolicyReadsMax; i += 1)
      looks.push(read(sources, {}).catch((error: ProxyError) => assert.equal(error.code, 'limit_exceeded')));
    return await read(...input);
  };
  for (const [path, body] of [
    [at, { files: files(rule('a.example.com')), seen: 0 }],
    [at, { files: files(rule('b.example.com')), seen: 1 }],
    [`${at}/rollback`, { to: 1, seen: 2 }],
  ] as const) {
    const response = await scene.call('POST', path, { token, body });
    assert.equal(response.status, 201, response.text);
  }
  await Promise.all(looks);
  const max = defaultLimits.adminPublishReadsMax;
  const all = await Promise.allSettled(Array.from({ length: max + 1 }, () => read(sources, {}, 'publish')));
  assert.deepEqual(
    all.map((one) => (one.status === 'rejected' ? (one.reason as ProxyError).limit : 'read')),
    [...Array.from({ length: max }, () => 'read'), 'adminPublishReadsMax'],
  );
});

test('the same request with the same key publishes once', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const body = { files: files(rule('a.example.com')), seen: 0 };
  const headers = { 'idempotency-key': 'one' };
  const both = await Promise.all([1, 2].map(() => scene.call('POST', at, { token, body, headers })));
  assert.deepEqual(
    both.map(({ status }) => status),
    [201, 201],
  );
  assert.equal(both[0]?.text, both[1]?.text);
  assert.deepEqual(await numbers(scene), [1]);
});

test('five megabytes and aliases that multiply are refused, and the gateway goes on', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 0; i < 12; i += 1) {
    const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
    bomb.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`);
  }
  const half = `# ${'x'.repeat(1_000_000)}\n`;
  for (const [sent, status, why] of [
    [files('x'.repeat(5_000_000)), 400, /files/],
    [
      Array.from({ length: 5 }, (_, i) => ({ name: `${i}.yaml`, text: half })),
      400,
      /policyPublishedBytesMax/,
    ],
    [Array.from({ length: 9 }, (_, i) => ({ name: `${i}.yaml`, text: half })), 413, /adminBodyBytesMax/],
    [files(bomb.join('\n')), 400, /p\.yaml:/],
    [files('['.repeat(200_000)), 400, /p\.yaml:/],
  ] as const) {
    const refused = await scene.call('POST', at, { token, body: { files: sent, seen: 0 } });
    assert.equal(refused.status, status, refused.text.slice(0, 300));
    assert.match(refused.text, why);
    assert.ok(refused.text.length < 20_000);
  }
  assert.equal((await scene.call('GET', '/v1/who', { token })).status, 200);
  assert.deepEqual(await numbers(scene), []);
});

test('policies are compared by version and by text, and what does not exist is said', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  await scene.call('POST', at, { token, body: { files: files(rule('a.example.com')), seen: 0 } });
  const diff = (before: object, after: object) =>
    scene.call('POST', '/v1/policy/diff', { token, body: { before, after } });
  const found = await diff({ version: 'main' }, { files: files(rule('b.example.com')) });
  assert.equal(found.status, 200, found.text);
  const { opened, changed } = found.json as { opened: string[]; changed: string[] };
  assert.deepEqual([opened, changed], [['https://b.example.com'], ['allow r: changed']]);
  for (const [before, status] of [
    [{ version: 'main@7' }, 404],
    [{ version: 'main@x' }, 404],
    [{ version: 'other' }, 404],
    [{}, 400],
    [{ version: 'main', files: files('') }, 400],
  ] as const)
    assert.equal((await diff(before, { version: 'main@1' })).status, status);
});

test('text and history of policies are not for who sees only some sessions', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator', { sees: { team: 'red' } });
  for (const path of ['text', 'history', 'versions/main@1', 'published/main'])
    assert.equal((await scene.call('GET', `/v1/policy/${path}`, { token })).status, 403, path);
});

test('a request is explained as of an event: by the policy of then and at its time, where that is kept', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const text = 'rules: [{ name: then, hosts: api.example.com, expires: 2030-01-01T00:00:00Z }]';
  const version = versionOf([{ file: 'p.yaml', text }]);
  await scene.store.policies.keep(
    { version, content: JSON.stringify({ files: [{ name: 'p.yaml', text }] }), seenMs: 1 },
    { keptMax: 10 },
  );
  const explain = async (more: object) => {
    const body = { method: 'POST', url: 'https://api.example.com/x', ...more };
    const { json } = await scene.call('POST', '/v1/policy/explain', { token, body });
    const { policy, effect, rule: by } = json as { policy: string; effect: string; rule: string };
    return [policy === version ? 'then' : 'now', effect, by];
  };
  assert.deepEqual(await explain({ version, at: '2029-12-31T23:59:59Z' }), ['then', 'allow', 'then']);
  assert.deepEqual(await explain({ version, at: '2030-01-01T00:00:01Z' }), ['then', 'deny', 'default-deny']);
  assert.deepEqual(await explain({ version: 'gone' }), ['now', 'deny', 'default-deny']);
  assert.deepEqual(await explain({}), ['now', 'deny', 'default-deny']);
  const body = { method: 'GET', url: 'https://a.example.com/', version, files: files(text) };
  assert.equal((await scene.call('POST', '/v1/policy/explain', { token, body })).status, 400);
});
