import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number, limits: Parameters<typeof openRequestPath>[0]['limits']): RequestPath {
  return openRequestPath({
    policy: `rules: [{ name: r, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    ...(limits === undefined ? {} : { limits }),
  });
}

test('more requests a second than a session may make get 429 with the time to wait, and a neighbour notices nothing', async () => {
  await using origin = await httpsOrigin({ authority });
  await using path = pathTo(origin.port, { requestsPerSecondMax: 3 });
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  // Far more than can be refilled while they are read, however slow the machine is.
  const asked = 40;
  const one = `GET /hello HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
  const responses = sendRaw(socket, one.repeat(asked - 1) + get(at, '/hello'));
  const neighbour = await sendRaw(await path.tls(at, { principal: 'bob' }), get(at, '/hello'));
  assert.equal(neighbour.status, 200);
  await responses;
  const events = await path.events(asked + 1);
  const own = events.filter(({ principal }) => principal === 'issuer|alice');
  const refused = own.filter(({ status }) => status === 429);
  assert.equal(own.length, asked);
  assert.ok(refused.length > asked / 2, `${refused.length} refused`);
  assert.ok(own.length - refused.length >= 3, 'the burst of a second passes');
  for (const event of refused) {
    assert.deepEqual(
      [event.errorCode, event.limit, event.verdict],
      ['limit_exceeded', 'requestsPerSecondMax', 'deny'],
    );
  }
  // At once, on connections that stand: those of one connection run one after the other.
  const sockets = await Promise.all(Array.from({ length: 12 }, () => path.tls(at)));
  const again = await Promise.all(sockets.map((each) => sendRaw(each, get(at, '/hello'))));
  const told = again.find(({ status }) => status === 429);
  assert.equal(told?.headers.get('retry-after'), '1');
  assert.match(told.body, /requestsPerSecondMax/);
});

test('more streams a second than a session may open are refused, told once, and a neighbour notices nothing', async () => {
  await using origin = await httpsOrigin({ authority });
  const limits: string[] = [];
  await using path = pathTo(origin.port, { streamsPerSecondMax: 2 });
  Object.assign(path.parts, { onLimit: (name: string) => limits.push(name) });
  const at = `allowed.test:${origin.port}`;
  const opened = Array.from({ length: 50 }, () => path.open({ authority: at, mode: 'raw' }));
  const neighbour = await sendRaw(await path.tls(at, { principal: 'bob' }), get(at, '/hello'));
  assert.equal(neighbour.status, 200);
  for (const { socket } of opened) socket.destroy();
  const ends = await Promise.all(opened.map(({ ended }) => ended));
  const refused = ends.filter((error) => error?.limit === 'streamsPerSecondMax');
  assert.ok(refused.length > 25, `${refused.length} refused`);
  assert.equal(refused[0]?.code, 'limit_exceeded');
  assert.equal(refused[0]?.retryAfterSeconds, 1);
  assert.equal(limits.length, refused.length);
  const told = path.audit.filter(
    ({ limit, errorCode }) => limit === undefined && errorCode === 'limit_exceeded',
  );
  assert.ok(told.length >= 1 && told.length < refused.length, `${told.length} events`);
  assert.deepEqual(told[0]?.details, { refused: 1 });
});

test('refused streams are told with their number, at most once a second', () => {
  const budgets = new SessionBudgets(memoryBudgets(), {
    limits: { ...defaultLimits, streamsPerSecondMax: 1 },
  });
  budgets.admitStream('s', 0);
  const refuse = (nowMs: number): void =>
    assert.throws(() => budgets.admitStream('s', nowMs), { limit: 'streamsPerSecondMax' });
  refuse(0);
  assert.equal(budgets.takeRefusedStreams('s', 0), 1);
  refuse(1);
  refuse(2);
  assert.equal(budgets.takeRefusedStreams('s', 2), undefined);
  budgets.admitStream('s', 1_000);
  refuse(1_000);
  assert.equal(budgets.takeRefusedStreams('s', 1_000), 3);
});

test('rates are of a session, refilled with time, and forgotten with it', () => {
  const budgets = new SessionBudgets(memoryBudgets(), {
    limits: { ...defaultLimits, requestsPerSecondMax: 2 },
  });
  budgets.admitRequest('a', 0);
  budgets.admitRequest('a', 0);
  budgets.admitRequest('b', 0);
  assert.throws(() => budgets.admitRequest('a', 0), { code: 'limit_exceeded', retryAfterSeconds: 1 });
  budgets.admitRequest('a', 500);
  budgets.forget('a');
  budgets.forget('b');
  assert.equal(budgets.size, 0);
});
