// Sessions by log-in, the sealed cookie on the way to the provider, and what log-ins may cost: each by itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogInBounds } from '../../../src/gateway/admin/log-in-bounds.ts';
import { LogInSeal, type SealedLogIn } from '../../../src/gateway/admin/log-in-seal.ts';
import { LogInSessions } from '../../../src/gateway/admin/log-in-sessions.ts';
import type { GroupRole } from '../../../src/gateway/config/oidc-settings.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';

const issuer = 'https://login.example.com';
const nowMs = 1_000_000;

test('what a group may do is what the configuration says now, not what it said at log-in', async () => {
  await using store = await openStore('sqlite::memory:');
  const sessions = (roles: readonly GroupRole[], as = issuer) =>
    new LogInSessions({
      operators: store.operators,
      settings: { issuer: as, roles },
      limits: defaultLimits,
      record: () => Promise.resolve(),
    });
  const first: GroupRole = { group: 'ops', role: 'administrator' };
  const ada = { issuer, subject: 'a-1', groups: ['ops'] };
  const secret = await sessions([first]).begin(ada, first, nowMs);
  const roleBy = async (one: LogInSessions) => {
    const { role, sees } = await one.operatorOf(secret, nowMs, true);
    return [role, sees];
  };
  assert.deepEqual(await roleBy(sessions([first])), ['administrator', undefined]);
  assert.deepEqual(await roleBy(sessions([first], `${issuer}/`)), ['administrator', undefined]);
  const sees = { team: 'web' };
  assert.deepEqual(await roleBy(sessions([{ group: 'ops', role: 'viewer', sees }])), ['viewer', sees]);
  const gone = { code: 'operator_unknown', message: /its group has no role here any more/ };
  await assert.rejects(roleBy(sessions([{ group: 'others', role: 'administrator' }])), gone);
  await assert.rejects(roleBy(sessions([first], 'https://other.example.com')), gone);
});

test('a log-in that cannot be recorded gives no session', async () => {
  await using store = await openStore('sqlite::memory:');
  const role: GroupRole = { group: 'ops', role: 'viewer' };
  const sessions = new LogInSessions({
    operators: store.operators,
    settings: { issuer, roles: [role] },
    limits: defaultLimits,
    record: () => Promise.reject(new Error('the audit is away')),
  });
  await assert.rejects(
    sessions.begin({ issuer, subject: 'a', groups: ['ops'] }, role, nowMs),
    /audit is away/,
  );
  assert.deepEqual(await store.operators.list(nowMs), []);
});

const logIn: SealedLogIn = {
  state: 's',
  nonce: 'n',
  verifier: 'v',
  redirectUri: 'https://console.example.com/log-in/oidc/callback',
  to: '/live',
  untilMs: nowMs + 1,
};

test('the sealed cookie opens for the key that sealed it, whole and in time', () => {
  const key = createSigningKey();
  const sealed = new LogInSeal(key).seal(logIn) ?? '';
  // Another gateway of the same identity.
  const other = new LogInSeal(key);
  assert.deepEqual(other.open(sealed, nowMs), logIn);
  assert.equal(other.open(sealed, nowMs + 1), undefined);
  assert.equal(new LogInSeal(createSigningKey()).open(sealed, nowMs), undefined);
  assert.doesNotMatch(Buffer.from(sealed, 'base64url').toString('latin1'), /live|console/);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    // The last character has bits that stand for nothing.
    if (at < sealed.length - 1) assert.equal(other.open(changed, nowMs), undefined, String(at));
  }
  for (const text of ['', 'x', '.'.repeat(50), sealed.slice(1), 'A'.repeat(100_000)])
    assert.equal(other.open(text, nowMs), undefined);
  assert.equal(other.seal({ ...logIn, to: 'x'.repeat(4_000) }), undefined, 'no cookie holds it');
});

test('log-ins are counted by address, a /64 as one, and what is remembered has a bound', () => {
  const bounds = new LogInBounds();
  const { logInsPerSourceMax, logInSourcesMax, logInsAtOnceMax, usedLogInsMax } = defaultLimits;
  const over = { code: 'limit_exceeded', limit: 'logInsPerSourceMax' };
  for (let i = 0; i < logInsPerSourceMax; i += 1) bounds.begin(`2001:db8::${i}`, nowMs);
  assert.throws(() => bounds.begin('2001:db8::ffff', nowMs), over);
  bounds.begin('2001:db8:0:1::1', nowMs);
  // So many others that the first is forgotten.
  for (let i = 0; i < logInSourcesMax; i += 1)
    bounds.begin(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, nowMs);
  bounds.begin('2001:db8::ffff', nowMs);
  const places = Array.from({ length: logInsAtOnceMax }, () => bounds.enter());
  assert.throws(() => bounds.enter(), { code: 'limit_exceeded', limit: 'logInsAtOnceMax' });
  places[0]?.[Symbol.dispose]();
  places[0]?.[Symbol.dispose]();
  bounds.enter();
  assert.throws(() => bounds.enter(), { code: 'limit_exceeded' });
  bounds.use('state', nowMs + 1, nowMs);
  assert.throws(() => bounds.use('state', nowMs + 1, nowMs), { code: 'operator_unknown' });
  for (let i = 0; i < usedLogInsMax; i += 1) bounds.use(`state ${i}`, nowMs + 1, nowMs);
  bounds.use('state', nowMs + 1, nowMs);
});
