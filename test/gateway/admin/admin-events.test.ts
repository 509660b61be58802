// Pages of events and what follows them: nothing twice, nothing left out, and slow readers cost themselves alone.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { eventMatcher } from '../../../src/api/admin/event-filter.ts';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { sendEvents } from '../../../src/gateway/admin/send-events.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { type AdminScene, event, openAdminScene } from './admin-fixture.ts';

type Page = OutputOf<'exchanges'>;

async function pages(scene: AdminScene, token: string, query: string): Promise<readonly Page[]> {
  const found: Page[] = [];
  let next: string | undefined;
  do {
    const before = next === undefined ? '' : `&before=${encodeURIComponent(next)}`;
    const { status, json, text } = await scene.call('GET', `/v1/exchanges?${query}${before}`, { token });
    assert.equal(status, 200, text);
    found.push(json as Page);
    next = (json as Page).next;
  } while (next !== undefined);
  return found;
}

const named = (i: number): string => `event-${String(i).padStart(6, '0')}`;

test('pages together have every event that fits, once, in the order of storing', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const hosts = ['api.example.com', 'b.example.com', 'example.org'];
  await scene.append(Array.from({ length: 1234 }, (_, i) => event(named(i), { host: hosts[i % 3] })));
  for (const [query, wanted] of [
    ['count=1000', () => true],
    ['count=100&host=b.example.com', (i: number) => i % 3 === 1],
    ['count=7&host=.example.com&rule=read', (i: number) => i % 3 !== 2],
    ['count=10&host=absent.example', () => false],
  ] as const) {
    const ids = (await pages(scene, token, query)).flatMap(({ items }) => items.map(({ id }) => id));
    const expected = Array.from({ length: 1234 }, (_, i) => i).filter(wanted);
    assert.deepEqual(ids, expected.map(named).toReversed(), query);
  }
  const { json } = await scene.call('GET', `/v1/exchanges?after=${named(1230)}`, { token });
  assert.deepEqual(
    (json as Page).items.map(({ id }) => id),
    [1231, 1232, 1233].map(named),
  );
});

test('a question that finds little says how far it looked, and goes on there', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const count = defaultLimits.adminScannedEventsMax + 5;
  await scene.append(
    Array.from({ length: count }, (_, i) =>
      event(named(i), {
        time: new Date(i * 1000).toISOString(),
        path: i === 0 ? '/old' : '/a',
      }),
    ),
  );
  const { json } = await scene.call('GET', '/v1/exchanges?path=/old', { token });
  const first = json as Page;
  assert.deepEqual([first.items.length, first.next], [0, named(5)]);
  assert.equal(first.searchedTo, new Date(5000).toISOString());
  const all = await pages(scene, token, 'path=/old');
  assert.deepEqual(
    all.map(({ items }) => items.length),
    [0, 1],
  );
});

test('a filter is read by every field, as it would be by hand', () => {
  const texts = fc.constantFrom('a', 'b', 'api.example.com', 'x.api.example.com');
  const one = fc.record({
    host: texts,
    rule: texts,
    method: fc.constantFrom('GET', 'POST'),
    verdict: fc.constantFrom('allow' as const, 'deny' as const),
    status: fc.constantFrom(200, 404),
    path: fc.constantFrom('/a', '/a/b', '/b'),
    injected: fc.subarray(['github', 'npm']),
  });
  const filter = fc.record(
    {
      host: fc.oneof(
        texts,
        texts.map((text) => `.${text}`),
      ),
      rule: texts,
      method: fc.constantFrom('get', 'POST'),
      verdict: fc.constantFrom('allow' as const, 'deny' as const),
      status: fc.constantFrom(200, 404),
      path: fc.constantFrom('/a', '/b'),
      credential: fc.constantFrom('github', 'npm'),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(one, filter, (facts, wanted) => {
      const expected =
        (wanted.host === undefined ||
          (wanted.host.startsWith('.') ? facts.host.endsWith(wanted.host) : facts.host === wanted.host)) &&
        (wanted.rule === undefined || facts.rule === wanted.rule) &&
        (wanted.method === undefined || facts.method === wanted.method.toUpperCase()) &&
        (wanted.verdict === undefined || facts.verdict === wanted.verdict) &&
        (wanted.status === undefined || facts.status === wanted.status) &&
        (wanted.path === undefined || facts.path.startsWith(wanted.path)) &&
        (wanted.credential === undefined || facts.injected.includes(wanted.credential));
      assert.equal(eventMatcher(wanted)(event('e', facts)), expected);
    }),
    { seed: 16, numRuns: 2000 },
  );
});

interface Follower extends Disposable {
  readonly response: IncomingMessage;
  /** Ids of events so far. */
  ids(): readonly string[];
  waitFor(count: number): Promise<void>;
}

async function follow(scene: AdminScene, token: string, query = ''): Promise<Follower> {
  const asked = request({
    socketPath: scene.socket,
    path: `/v1/exchanges/follow${query}`,
    agent: false,
    headers: { host: 'localhost', authorization: `Bearer ${token}` },
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let rest = '';
  const found: string[] = [];
  response.setEncoding('utf8');
  const ids = (): readonly string[] => found;
  const arrived = once(response, 'data');
  response.on('data', (piece: string) => {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('id: ')) found.push(line.slice(4));
  });
  response.on('error', () => undefined);
  await arrived;
  return {
    response,
    ids,
    waitFor: async (count) => {
      while (ids().length < count) await once(response, 'data');
    },
    [Symbol.dispose]: () => response.destroy(),
  };
}

test('a follower gets what is stored from then on, or from an event on, by its filter', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  await scene.append([event('a1'), event('a2', { verdict: 'deny' })]);
  using fresh = await follow(scene, token);
  using behind = await follow(scene, token, '?after=a1');
  using denied = await follow(scene, token, '?verdict=deny&after=a1');
  using theirs = await follow(scene, await scene.token('viewer', { id: 't2', sees: { team: 'blue' } }));
  assert.equal(scene.parts.followers.count, 4);
  await scene.append([event('a3'), event('a4', { verdict: 'deny' }), event('a5', { sessionId: 'blue' })]);
  await Promise.all([fresh.waitFor(3), behind.waitFor(4), denied.waitFor(2), theirs.waitFor(1)]);
  assert.deepEqual(fresh.ids(), ['a3', 'a4', 'a5']);
  assert.deepEqual(behind.ids(), ['a2', 'a3', 'a4', 'a5']);
  assert.deepEqual(denied.ids(), ['a2', 'a4']);
  assert.deepEqual(theirs.ids(), ['a5']);
  fresh.response.destroy();
  await once(fresh.response, 'close');
});

/** How often the store is asked while the loop turns. */
async function questionsMeanwhile(scene: AdminScene): Promise<number> {
  const { audit } = scene.store;
  const query = audit.query.bind(audit);
  let count = 0;
  audit.query = (asked) => {
    count += 1;
    return query(asked);
  };
  for (let turn = 0; turn < 500; turn += 1) await setImmediate();
  audit.query = query;
  return count;
}

test('who follows an empty store, or from an event that nobody has looked at yet, waits without asking', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  using empty = await follow(scene, token);
  assert.ok((await questionsMeanwhile(scene)) < 10);
  await scene.append([event('a1')]);
  using behind = await follow(scene, token, '?after=a1');
  assert.ok((await questionsMeanwhile(scene)) < 10);
  await scene.append([event('a2')]);
  await Promise.all([empty.waitFor(2), behind.waitFor(1)]);
  assert.deepEqual([empty.ids(), behind.ids()], [['a1', 'a2'], ['a2']]);
});

test('a cursor of an event that is not there is refused: nothing is searched for its place', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  await scene.append([event('a1'), event('a2')]);
  for (const target of ['?after=zzz', '?before=zzz', '?before=0', '/follow?after=zzz', '/follow?after=0']) {
    const { status, json } = await scene.call('GET', `/v1/exchanges${target}`, { token });
    assert.equal(status, 404, target);
    assert.match((json as { detail: string }).detail, /cursor/);
  }
});

test('what no index of the store serves is looked for within the bound of a page', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const count = defaultLimits.adminScannedEventsMax + 5;
  await scene.append(Array.from({ length: count }, (_, i) => event(named(i), { verdict: 'deny' })));
  for (const query of ['kind=session', 'host=other.example', 'verdict=error', 'principal=p&verdict=deny']) {
    const { json } = await scene.call('GET', `/v1/exchanges?${query}`, { token });
    assert.deepEqual(json, { items: [] }, query);
  }
  for (const query of ['verdict=allow', 'method=PUT', 'verdict=allow&rule=r']) {
    const { json } = await scene.call('GET', `/v1/exchanges?${query}`, { token });
    const { items, next } = json as Page;
    assert.deepEqual([items.length, next], [0, named(5)], query);
  }
});

test('an export of small pages asks the store no more often than one of large ones', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  await scene.append(Array.from({ length: 60 }, (_, i) => event(named(i))));
  const { json } = await scene.call('GET', '/v1/exchanges/export?count=1&host=none.test', { token });
  const { items, next } = json as Page;
  assert.equal(items.length, 0);
  assert.notEqual(next, undefined, 'the rest is of another request');
});

test('what follows ends with its token', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer', { id: 'theirs' });
  await scene.append([event('a1')]);
  using follower = await follow(scene, token);
  await scene.store.operators.revoke('theirs', scene.nowMs);
  await once(follower.response, 'end');
  await scene.append([event('a2')]);
  assert.deepEqual(follower.ids(), []);
});

test('who is further behind than the ring holds misses nothing', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const count = defaultLimits.adminFollowedEventsMax + 700;
  await scene.append([event(named(0))]);
  using follower = await follow(scene, token, `?after=${named(0)}`);
  await scene.append(Array.from({ length: count }, (_, i) => event(named(i + 1))));
  await follower.waitFor(count);
  assert.deepEqual(
    follower.ids(),
    Array.from({ length: count }, (_, i) => named(i + 1)),
  );
});

test('a follower who does not read holds no more than its bound, and gets the rest when it reads', async () => {
  const path = `/${'x'.repeat(20_000)}`;
  const count = 600;
  let held = 0;
  let sent: Promise<void> | undefined;
  const server = createServer((_, response) => {
    async function* all(): AsyncGenerator<AuditEvent> {
      for (let i = 0; i < count; i += 1) {
        yield event(named(i), { path });
        held = Math.max(held, response.writableLength);
      }
    }
    sent = sendEvents(response, all(), new AbortController().signal);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const asked = request({ port: (server.address() as AddressInfo).port, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.pause();
  // The server has turns enough to fill what it may.
  for (let turn = 0; turn < 2000; turn += 1) await setImmediate();
  assert.ok(held > 0 && held < defaultLimits.adminFollowerBytesMax + 50_000, `${held} bytes`);
  let bytes = 0;
  response.on('data', (piece: Buffer) => (bytes += piece.length));
  response.resume();
  await once(response, 'end');
  await sent;
  assert.ok(bytes > count * path.length);
  assert.ok(held < defaultLimits.adminFollowerBytesMax + 50_000, `${held} bytes`);
  server.close();
});

test('there are so many followers at once, and one who leaves makes room', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  using stack = new DisposableStack();
  const all: Follower[] = [];
  for (let i = 0; i < defaultLimits.adminFollowersMax; i += 1)
    all.push(stack.use(await follow(scene, token)));
  const refused = await scene.call('GET', '/v1/exchanges/follow', { token });
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '5']);
  assert.deepEqual(scene.limits, ['adminFollowersMax']);
  all[0]?.response.destroy();
  let status = 429;
  while (status === 429) {
    const asked = request({
      socketPath: scene.socket,
      path: '/v1/exchanges/follow',
      agent: false,
      headers: { host: 'localhost', authorization: `Bearer ${token}` },
    });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    status = response.statusCode ?? 0;
    response.destroy();
  }
  assert.equal(status, 200);
});
