// What the page sends with what it asks: a token, or what goes with the cookie of a session.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AdminClient,
  askLogInWays,
  type Entrance,
  type Fetch,
} from '../../../src/console/api/admin-client.ts';
import { watchAttention } from '../../../src/console/parts/attention.ts';

/** What was asked, by method and path. */
function recorder(): {
  readonly fetch: Fetch;
  readonly asked: Record<string, { credentials: string; headers: Record<string, string> }>;
} {
  const asked: ReturnType<typeof recorder>['asked'] = {};
  const fetch: Fetch = (path, init = {}) => {
    const {
      'idempotency-key': _,
      'content-type': __,
      ...headers
    } = Object.fromEntries(new Headers(init.headers));
    asked[`${init.method ?? 'GET'} ${String(path)}`] = { credentials: init.credentials ?? '', headers };
    return Promise.resolve(Response.json({}));
  };
  return { fetch, asked };
}

async function askedBy(entrance: Entrance, isAttended = true): Promise<ReturnType<typeof recorder>['asked']> {
  const { fetch, asked } = recorder();
  const client = new AdminClient({
    entrance,
    fetch,
    onUnknown: () => undefined,
    isAttended: () => isAttended,
  });
  await client.get('who', '/v1/who');
  await client.post('logOut', '/v1/log-out');
  await client.remove('revokeToken', '/v1/tokens/a');
  return asked;
}

test('with a token no cookie goes along; with a session the cookie does, and each write has its own token', async () => {
  const own = { credentials: 'omit', headers: { authorization: 'Bearer t' } };
  assert.deepEqual(await askedBy({ by: 'token', token: 't' }, false), {
    'GET /v1/who': own,
    'POST /v1/log-out': own,
    'DELETE /v1/tokens/a': own,
  });
  const write = { credentials: 'same-origin', headers: { 'x-csrf-token': 'c' } };
  assert.deepEqual(await askedBy({ by: 'session', csrf: 'c' }), {
    'GET /v1/who': { credentials: 'same-origin', headers: {} },
    'POST /v1/log-out': write,
    'DELETE /v1/tokens/a': write,
  });
  const [first] = Object.values(await askedBy({ by: 'session', csrf: 'c' }, false));
  assert.deepEqual(first?.headers, { 'x-unattended': '1' });
  const { fetch, asked } = recorder();
  await askLogInWays(fetch);
  assert.deepEqual(asked, { 'GET /v1/log-in': { credentials: 'omit', headers: {} } });
});

test('a page at which nothing was done for a minute is left alone', () => {
  const page = new EventTarget();
  let nowMs = 0;
  const isAttended = watchAttention(page, () => nowMs);
  nowMs = 59_999;
  assert.equal(isAttended(), true);
  nowMs = 60_000;
  assert.equal(isAttended(), false);
  page.dispatchEvent(new Event('keydown'));
  assert.equal(isAttended(), true);
  nowMs = 120_000;
  assert.equal(isAttended(), false);
});
