// Log-in by a link: once, in time, and a second use ends it.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { LinkLogIn, randomLabel } from '../../../src/gateway/admin/link-log-in.ts';
import { operatorOfToken } from '../../../src/gateway/admin/operator.ts';
import type { SessionStep } from '../../../src/gateway/audit/session-audit.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openAdminScene } from './admin-fixture.ts';

const nowMs = Date.parse('2026-01-05T09:00:00.000Z');

interface Desk {
  readonly steps: SessionStep[];
  readonly record: (step: SessionStep) => Promise<void>;
}

function desk(fails = 0): Desk {
  const steps: SessionStep[] = [];
  let failed = 0;
  const record = async (step: SessionStep): Promise<void> => {
    await Promise.resolve();
    if (failed++ < fails) throw new ProxyError('audit_unavailable', 'the disk is full');
    steps.push(step);
  };
  return { steps, record };
}

const unknown = { code: 'operator_unknown' };

test('the secret gives a token once, which is stored before it is given', async () => {
  const link = new LinkLogIn(nowMs);
  const { steps, record } = desk();
  const { token, expiresMs } = await link.use(link.secret, nowMs, { record });
  const who = await operatorOfToken(link.operators, token, nowMs);
  assert.deepEqual([who.role, expiresMs], ['operator', nowMs + defaultLimits.linkTokenLifetimeMs]);
  assert.deepEqual(
    steps.map(({ action }) => action),
    ['operator_logged_in'],
  );
  assert.ok(!JSON.stringify(steps).includes(link.secret) && !JSON.stringify(steps).includes(token));
  await assert.rejects(operatorOfToken(link.operators, token, expiresMs), unknown);
});

test('a second use ends the log-in of the first, whoever came first, and leaves one alarm', async () => {
  const link = new LinkLogIn(nowMs);
  const { steps, record } = desk();
  const { token } = await link.use(link.secret, nowMs, { record });
  // Also long after the link itself was over.
  const later = nowMs + 10 * defaultLimits.linkLifetimeMs;
  for (let times = 0; times < 3; times += 1)
    await assert.rejects(link.use(link.secret, later, { record }), unknown);
  await assert.rejects(operatorOfToken(link.operators, token, later), unknown);
  assert.deepEqual(
    steps.map(({ action }) => action),
    ['operator_logged_in', 'operator_link_reused'],
  );
});

test('of two who come at the same moment neither is left with a token', async () => {
  const link = new LinkLogIn(nowMs);
  const { record } = desk();
  const results = await Promise.allSettled([1, 2].map(() => link.use(link.secret, nowMs, { record })));
  for (const result of results)
    if (result.status === 'fulfilled')
      await assert.rejects(operatorOfToken(link.operators, result.value.token, nowMs), unknown);
  assert.ok(results.some(({ status }) => status === 'rejected'));
});

test('the link is over after its time, and a wrong one opens nothing and locks nobody out', async () => {
  const late = new LinkLogIn(nowMs);
  const { steps, record } = desk();
  await assert.rejects(late.use(late.secret, nowMs + defaultLimits.linkLifetimeMs, { record }), unknown);
  await assert.rejects(late.use(late.secret, nowMs, { record }), unknown);
  const link = new LinkLogIn(nowMs);
  const codes: string[] = [];
  for (let times = 0; times <= defaultLimits.linkWrongPerMinuteMax; times += 1)
    await link.use(late.secret, nowMs, { record }).catch((error: ProxyError) => codes.push(error.code));
  assert.deepEqual([codes[0], codes.at(-1), new Set(codes).size], ['operator_unknown', 'limit_exceeded', 2]);
  assert.deepEqual(steps, []);
  await link.use(link.secret, nowMs, { record });
});

test('where the event cannot be stored nobody is in, and the link is as good as before', async () => {
  const link = new LinkLogIn(nowMs);
  const { record } = desk(1);
  await assert.rejects(link.use(link.secret, nowMs, { record }), { code: 'audit_unavailable' });
  const { token } = await link.use(link.secret, nowMs, { record });
  await operatorOfToken(link.operators, token, nowMs);
});

test('a label is of letters, and another each time', () => {
  const labels = Array.from({ length: 100 }, randomLabel);
  assert.equal(new Set(labels).size, 100);
  assert.ok(labels.every((label) => /^[a-z]{20}$/.test(label)));
});

interface Said {
  readonly status: number;
  readonly text: string;
}

test('behind a link its token alone is known, by the one name alone, and no page of elsewhere may log in', async () => {
  const link = new LinkLogIn(Date.now());
  const names = ['new.localhost'];
  const listen = { address: '127.0.0.1', port: 0, names, isByNameAlone: true };
  await using scene = await openAdminScene(new Map(), listen, undefined, link);
  const { port } = scene;
  const own = `new.localhost:${port}`;
  const ask = (path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<Said> =>
    new Promise((resolve, reject) => {
      const asked = request({
        port,
        path,
        method: body === undefined ? 'GET' : 'POST',
        agent: false,
        headers,
      });
      asked.on('error', reject).on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      asked.end(body);
    });
  const json = { 'content-type': 'application/json' };
  const secret = JSON.stringify({ secret: link.secret });
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `other.localhost:${port}`])
    assert.equal((await ask('/v1/log-in', { ...json, host }, secret)).status, 421, host);
  const pages: readonly Readonly<Record<string, string>>[] = [
    { origin: `http://127.0.0.1:${port + 1}` },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: `http://${own}` },
  ];
  for (const page of pages)
    assert.equal((await ask('/v1/log-in', { ...json, ...page, host: own }, secret)).status, 403);
  assert.equal(
    (await ask('/v1/log-in', { ...json, host: own }, JSON.stringify({ secret: 'x'.repeat(2000) }))).status,
    413,
  );
  // A token of the store is none here.
  const stored = await scene.token('administrator');
  assert.equal((await ask('/v1/who', { host: own, authorization: `Bearer ${stored}` })).status, 401);
  const logged = await ask(
    '/v1/log-in',
    { ...json, host: own, origin: `http://${own}`, 'sec-fetch-site': 'same-origin' },
    secret,
  );
  assert.equal(logged.status, 200, logged.text);
  const { token } = JSON.parse(logged.text) as { token: string };
  const who = await ask('/v1/who', { host: own, authorization: `Bearer ${token}` });
  assert.match(who.text, /"role":"operator","by":"link"/);
  assert.equal((await ask('/v1/tokens', { host: own, authorization: `Bearer ${token}` })).status, 403);
  assert.equal((await ask('/v1/log-in', { ...json, host: own }, secret)).status, 401);
  assert.equal((await ask('/v1/who', { host: own, authorization: `Bearer ${token}` })).status, 401);
  assert.ok(scene.audit.actions.includes('operator_link_reused'));
});

test('without a link there is no such log-in', async () => {
  await using scene = await openAdminScene();
  const response = await scene.call('POST', '/v1/log-in', { body: { secret: 'x' } });
  assert.equal(response.status, 404);
});
