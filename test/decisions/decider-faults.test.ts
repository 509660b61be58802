// What holds for every decider: slow, dead, given up, cached, on trial, and requests of which it would see a part.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { AuditEvent } from '../../src/api/audit-event.ts';
import { openExtAuthz, writeCheckResponse } from '../support/ext-authz-server.ts';
import { openOpa } from '../support/opa-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { authority, authorityFile, deciderHost, openScene } from './decider-scene.ts';

const yes = { 'gateway/yes': () => true, 'gateway/no': () => false };

async function openWebhook(
  respond: () => { readonly text: string; readonly headers?: Readonly<Record<string, string>> },
) {
  return await openOpa({
    documents: {},
    instead: (_request, response) => {
      const { text, headers } = respond();
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(text);
    },
  });
}

test('a webhook allows by a plain true, and what two readers could read in two ways is no response', async () => {
  let next: { readonly text: string; readonly headers?: Readonly<Record<string, string>> } = { text: '' };
  await using hook = await openWebhook(() => next);
  await using scene = await openScene({
    settings: { judge: { kind: 'webhook', url: hook.url('x'), ca: [] } },
    decide: '{ by: judge, timeoutMs: 60000, mayAdd: [x-team], mayRemove: [x-debug] }',
  });
  const table = [
    ['{"allow":true}', 200, 'allowed'],
    ['{"allow":true,"id":"7","fields":{"set":{"x-team":"a"},"remove":["x-debug"]}}', 200, 'allowed'],
    ['{"allow":false,"reason":"row 17"}', 403, 'denied'],
    ['{"allow":"true"}', 403, 'denied'],
    ['{"allow":1}', 403, 'denied'],
    ['{}', 403, 'undefined'],
    ['{"allow":null}', 403, 'undefined'],
    ['{"allow":true,"fields":{"set":{"host":"a"}}}', 403, 'denied'],
    ['{"allow":true,"fields":{"set":{"x-team":""}}}', 403, 'denied'],
    ['{"allow":true,"field":{}}', 503, 'unavailable'],
    ['{"allow":true,"fields":{"add":{}}}', 503, 'unavailable'],
    ['{"allow":true,"Allow":false}', 503, 'unavailable'],
    ['{"allow":false,"allow":true}', 503, 'unavailable'],
    ['{"allow":true}{', 503, 'unavailable'],
    ['true', 503, 'unavailable'],
    ['', 503, 'unavailable'],
    [`{"allow":true,"reason":"${'a'.repeat(70_000)}"}`, 503, 'unavailable'],
  ] as const;
  for (const [i, [text, status, outcome]] of table.entries()) {
    next = { text };
    const response = await scene.send();
    assert.equal(response.status, status, text.slice(0, 80));
    assert.doesNotMatch(response.body, /row 17/);
    assert.equal((await scene.path.events(i + 1)).at(-1)?.deciders?.[0]?.outcome, outcome, text.slice(0, 80));
  }
  for (const [name, value] of [
    ['content-type', 'text/html'],
    ['content-encoding', 'gzip'],
  ] as const) {
    next = { text: '{"allow":true}', headers: { [name]: value } };
    assert.equal((await scene.send()).status, 503);
  }
});

test('a decider that is slow, dead or speaks something else denies, in a sentence that names it and nothing of it', async () => {
  await using opa = await openOpa({ documents: {}, instead: () => undefined });
  await using authz = await openExtAuthz({ check: () => undefined });
  const silent = createNetServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const closed = createNetServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port: closedPort } = closed.address() as AddressInfo;
  closed.close();
  const late = /the decider it did not decide within 60 ms/;
  const settings = [
    [{ kind: 'opa', url: opa.url('gateway/yes'), ca: [] }, late],
    [{ kind: 'ext-authz', url: authz.url, ca: [] }, late],
    [{ kind: 'opa', url: `http://127.0.0.1:${String(port)}/v1/data/a`, ca: [] }, late],
    [{ kind: 'ext-authz', url: `http://127.0.0.1:${String(port)}`, ca: [] }, late],
    [
      { kind: 'webhook', url: `http://127.0.0.1:${String(closedPort)}/`, ca: [] },
      /the decider it (?:cannot be asked|did not)/,
    ],
    [
      { kind: 'ext-authz', url: `http://127.0.0.1:${String(closedPort)}`, ca: [] },
      /the decider it (?:cannot be asked|did not)/,
    ],
    [
      { kind: 'ext-authz', url: opa.url('').replace('/v1/data/', ''), ca: [] },
      /the decider it (?:cannot be asked|did not)/,
    ],
  ] as const;
  for (const [one, expected] of settings) {
    await using scene = await openScene({ settings: { it: one }, decide: '{ by: it, timeoutMs: 60 }' });
    const { status, body } = await scene.send();
    assert.equal(status, 503, one.url);
    assert.match(body, expected);
    assert.doesNotMatch(body, /127\.0\.0\.1|ECONN/);
    assert.equal(scene.got.length, 0);
    const [event] = await scene.path.events(1);
    assert.equal(event?.deciders?.[0]?.outcome, 'unavailable');
    assert.equal(event?.errorCode, 'decider_unavailable');
  }
  silent.close();
});

test('a kept connection that ends when it is used is no fault', async () => {
  let served = 0;
  await using hook = await openOpa({
    documents: {},
    instead: (request, response) => {
      served += 1;
      // The second question on a connection gets nothing.
      if (served === 2) request.socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"allow":true}');
    },
  });
  await using scene = await openScene({
    settings: { judge: { kind: 'webhook', url: hook.url('x'), ca: [] } },
    decide: '{ by: judge, timeoutMs: 60000 }',
  });
  assert.equal((await scene.send()).status, 200);
  assert.equal((await scene.send()).status, 200);
  assert.equal(hook.connections, 2);
});

test('a question is given up with its request', async () => {
  const { promise: isAsked, resolve } = Promise.withResolvers<void>();
  await using authz = await openExtAuthz({
    check: () => {
      resolve();
      return undefined;
    },
  });
  await using scene = await openScene({
    settings: { authz: { kind: 'ext-authz', url: authz.url, ca: [] } },
    decide: '{ by: authz, timeoutMs: 60000 }',
  });
  const leaving = new AbortController();
  const sent = scene.send({ signal: leaving.signal });
  await isAsked;
  leaving.abort();
  await assert.rejects(sent);
  const [event] = await scene.path.events(1);
  assert.equal(event?.errorCode, 'cancelled');
  assert.equal(event?.deciders, undefined);
  assert.equal(scene.got.length, 0);
  while (authz.cancelled === 0) await new Promise((next) => setImmediate(next));
});

test('what is said is used again as long as the rule and the decider let it, and for the same question alone', async () => {
  let headers: Readonly<Record<string, string>> = {};
  let allow = true;
  await using hook = await openWebhook(() => ({ text: JSON.stringify({ allow }), headers }));
  await using scene = await openScene({
    settings: { judge: { kind: 'webhook', url: hook.url('x'), ca: [] } },
    decide: '{ by: judge, timeoutMs: 60000, cacheMs: 3600000 }',
  });
  const asked = async (options: Parameters<typeof scene.send>[0]): Promise<boolean> => {
    const before = hook.asked.length;
    await scene.send(options);
    return hook.asked.length > before;
  };
  assert.equal(await asked({}), true);
  assert.equal(await asked({}), false);
  const post = { method: 'POST', body: 'a', headers: { 'content-type': 'text/plain' } };
  for (const other of [
    { target: '/b' },
    { headers: { 'x-other': '1' } },
    { principal: 'bob' },
    { principal: 'alice/second' },
    post,
    { ...post, body: 'b' },
  ])
    assert.equal(await asked(other), true, JSON.stringify(other));
  assert.equal(await asked(post), false);
  const cached = (await scene.path.events(9)).filter(
    (one: AuditEvent) => one.deciders?.[0]?.isCached === true,
  );
  assert.equal(cached.length, 2);
  // What it denies is used again too, and what it does not let be used is not.
  allow = false;
  assert.equal(await asked({ target: '/denied' }), true);
  assert.equal(await asked({ target: '/denied' }), false);
  for (const [i, said] of ['no-store', 'max-age=0', 'max-age=60, no-cache', 'max-age=x'].entries()) {
    headers = { 'cache-control': said };
    assert.equal(await asked({ target: `/c${String(i)}` }), true);
    assert.equal(await asked({ target: `/c${String(i)}` }), true, said);
  }
});

test('never on a part: what is too long, has no end or comes behind the body is refused, and unseen if the rule says so', async () => {
  await using opa = await openOpa({ documents: yes });
  const settings = { opa: { kind: 'opa', url: opa.url('gateway/yes'), ca: [] } } as const;
  const limits = { deciderBodyBytesMax: 1000 };
  const post = { method: 'POST', headers: { 'content-type': 'text/plain' } };
  const long = { ...post, body: 'a'.repeat(1001) };
  const upgrade = {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  };
  {
    await using scene = await openScene({ settings, decide: '{ by: opa, timeoutMs: 60000 }', limits });
    assert.equal((await scene.send({ ...post, body: 'a'.repeat(1000) })).status, 200);
    assert.equal((await scene.send(long)).status, 413);
    const chunked = { ...long, headers: { ...post.headers, 'transfer-encoding': 'chunked' } };
    assert.equal((await scene.send(chunked)).status, 413);
    const { status, body } = await scene.send(upgrade);
    assert.equal(status, 403);
    assert.match(body, /does not see what a WebSocket carries/);
    assert.equal(opa.asked.length, 1);
    assert.equal(scene.got.length, 1);
  }
  await using scene = await openScene({
    settings,
    decide: '{ by: opa, timeoutMs: 60000, body: unseen }',
    limits,
  });
  assert.equal((await scene.send(long)).status, 200);
  assert.equal(scene.got[0]?.body.length, 1001);
  assert.deepEqual(opa.asked.at(-1)?.input.body, { seen: false });
  await scene.send(upgrade).catch(() => undefined);
  assert.equal(opa.asked.length, 3);
});

test('on trial it is asked, and what it denies is recorded and let through without what the rule gives', async () => {
  await using opa = await openOpa({ documents: yes });
  await using scene = await openScene({
    settings: { opa: { kind: 'opa', url: opa.url('gateway/no'), ca: [] } },
    decide: '{ by: opa, timeoutMs: 60000 }',
    keys: ', mode: observe',
  });
  // The rule opens the network that the origin is in, and what is let through by observing has none.
  assert.equal((await scene.send()).status, 403);
  const [event] = await scene.path.events(1);
  assert.equal(event?.errorCode, 'address_denied');
  assert.equal(event?.observed, 'api');
  assert.deepEqual(
    { ...event?.deciders?.[0], durationMs: 0 },
    { name: 'opa', outcome: 'denied', durationMs: 0, isOnTrial: true },
  );
});

test('one session has so many questions at once, and leaves room for others', async () => {
  const waiting: (() => void)[] = [];
  await using authz = await openExtAuthz({
    check: () =>
      new Promise((resolve) => waiting.push(() => resolve(writeCheckResponse({ status: { code: 0 } })))),
  });
  await using scene = await openScene({
    settings: { authz: { kind: 'ext-authz', url: authz.url, ca: [] } },
    decide: '{ by: authz, timeoutMs: 60000 }',
    limits: { deciderCallsPerSessionMax: 2, deciderCallsMax: 3 },
  });
  const first = [scene.send(), scene.send(), scene.send({ principal: 'bob' })];
  while (waiting.length < 3) await new Promise((next) => setImmediate(next));
  for (const [principal, limit] of [
    ['alice', 'deciderCallsPerSessionMax'],
    ['bob', 'deciderCallsMax'],
  ] as const) {
    const { status, body } = await scene.send({ principal });
    assert.equal(status, 429);
    assert.match(body, new RegExp(limit));
  }
  for (const go of waiting) go();
  assert.deepEqual(
    (await Promise.all(first)).map(({ status }) => status),
    [200, 200, 200],
  );
});

test('without the decider of a rule nothing goes out', async () => {
  await using scene = await openScene({ settings: {}, decide: '{ by: gone }' });
  assert.equal((await scene.send()).status, 503);
  assert.equal(scene.got.length, 0);
});

test('a decider whose certificate is of an authority that nobody named is not asked, whatever it would say', async () => {
  const another = createTestAuthority();
  const documents = { 'gateway/yes': () => true };
  await using impostor = await openOpa({ documents, tls: { authority: another, host: deciderHost } });
  await using genuine = await openOpa({ documents, tls: { authority, host: deciderHost } });
  const check = (): Uint8Array => writeCheckResponse({ status: { code: 0 } });
  await using authz = await openExtAuthz({ check, tls: { authority: another, host: deciderHost } });
  using file = authorityFile();
  for (const [settings, status] of [
    [{ kind: 'opa', url: genuine.url('gateway/yes'), ca: [file.ca] }, 200],
    [{ kind: 'opa', url: genuine.url('gateway/yes'), ca: [] }, 503],
    [{ kind: 'opa', url: impostor.url('gateway/yes'), ca: [file.ca] }, 503],
    [{ kind: 'ext-authz', url: authz.url, ca: [file.ca] }, 503],
  ] as const) {
    await using scene = await openScene({
      settings: { it: settings },
      decide: '{ by: it, timeoutMs: 60000 }',
    });
    const response = await scene.send();
    assert.equal(response.status, status, `${settings.url} ${response.body}`);
    if (status === 503) assert.match(response.body, /the decider it cannot be asked/);
  }
  assert.equal(impostor.asked.length, 0);
});
