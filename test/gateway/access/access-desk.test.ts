import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessDesk, type DeskResponse } from '../../../src/gateway/access/access-desk.ts';
import { AccessGrants, accessLookIntervalMs } from '../../../src/gateway/access/access-grants.ts';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AccessRecord } from '../../../src/store/access-store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { access, policyOf, principal } from '../../policy/fixture.ts';
import { RecordingAudit } from '../session-fixture.ts';

test('there are four looks in the five seconds in which what lives on a grant ends', () => {
  assert.ok(4 * accessLookIntervalMs <= 5000);
});

const who = principal({ sessionId: 'a' });
const asked = { url: 'https://asked.example.com/x', method: 'GET', reason: 'the build needs it' };

async function openDesk(limits = defaultLimits) {
  const store = await openStore('sqlite::memory:');
  await store.sessions.enrol(newSession('a', { commitByMs: 1e12 }), { enrolmentsPerTokenMax: 10 });
  const state = { nowMs: 1000 };
  let base = policyOf(
    'rules: [{ name: open, hosts: open.example.com }, { name: no, hosts: no.example.com, deny: closed }]',
  );
  const ended: AccessRecord[] = [];
  const faults: ProxyError[] = [];
  const grants = await AccessGrants.open({
    store: store.access,
    base: () => base,
    emulated: new Set(),
    limits,
    clock: () => state.nowMs,
    onEnded: async (record) => void ended.push(record),
    onFault: (error) => faults.push(error),
  });
  const audit = new RecordingAudit();
  const desk = new AccessDesk({
    store: store.access,
    audit: new SessionAudit(audit),
    policy: () => grants.policy(),
    limits,
    clock: () => state.nowMs,
  });
  const call = (method: string, path: string, body: unknown = '', from = who): Promise<DeskResponse> =>
    desk.respond({
      method,
      path,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      principal: from,
    });
  const verdict = (text = 'GET https://asked.example.com/x'): string => {
    const { effect, rule } = grants.policy().decide(who, access(text), state.nowMs);
    return `${effect} ${rule.name}`;
  };
  return {
    store,
    state,
    grants,
    audit,
    call,
    verdict,
    ended,
    faults,
    setPolicy: (text: string) => {
      base = policyOf(text);
    },
    [Symbol.asyncDispose]: async () => {
      await grants.close();
      await store.close();
    },
  };
}

test('a request is left at once, audited with its reason, and nothing is opened by it', async () => {
  await using desk = await openDesk();
  const { status, body } = await desk.call('POST', '/access', asked);
  assert.equal(status, 202);
  assert.equal(body['status'], 'pending');
  const [event] = desk.audit.events;
  assert.equal(event?.action, 'access_requested');
  assert.equal(event?.details?.['reason'], asked.reason);
  await desk.grants.look();
  assert.equal(desk.verdict(), 'deny default-deny');
  const again = await desk.call('POST', '/access', { ...asked, reason: 'please' });
  assert.deepEqual([again.status, again.body['id']], [200, body['id']]);
});

test('what a rule decides gets a response from the rule', async () => {
  await using desk = await openDesk();
  const ask = (host: string): Promise<DeskResponse> =>
    desk.call('POST', '/access', { url: `https://${host}/`, method: 'GET', reason: 'x' });
  assert.deepEqual((await ask('open.example.com')).body['status'], 'allowed');
  const refused = await ask('no.example.com');
  assert.deepEqual([refused.status, refused.body['rule'], refused.body['detail']], [403, 'no', 'closed']);
  const host = await desk.call('POST', '/access', { host: 'no.example.com', reason: 'x' });
  assert.equal(host.status, 403);
  assert.deepEqual(await desk.store.access.list({ limit: 10 }), []);
});

test('a grant opens at the next look, its changes are told, and it ends by the clock even if the store is gone', async () => {
  await using desk = await openDesk();
  const { body } = await desk.call('POST', '/access', asked);
  const id = String(body['id']);
  let changes = 0;
  desk.grants.onChange(() => {
    changes += 1;
  });
  const terms = { scope: 'exact', subject: 'session', endsMs: 5000 } as const;
  await desk.store.access.grant(id, terms, { nowMs: 1000, note: 'fine' });
  await desk.grants.look();
  await desk.grants.look();
  assert.deepEqual([desk.verdict(), changes], [`allow access-grant:${id}`, 1]);
  // A policy that is loaded anew keeps the grants on top of it.
  desk.setPolicy('rules: [{ name: other, hosts: other.example.com }]');
  assert.equal(desk.verdict(), `allow access-grant:${id}`);
  const state = await desk.call('GET', `/access/${id}`);
  assert.deepEqual([state.body['status'], state.body['note']], ['granted', 'fine']);
  desk.store.access.expire = () => Promise.reject(new Error('gone'));
  desk.state.nowMs = 5000;
  assert.equal(desk.verdict(), 'deny default-deny');
  await desk.grants.look();
  assert.equal(changes, 2);
  assert.equal(desk.faults.length, 1);
});

test('grants that ended are told once, by the process that ended them', async () => {
  await using desk = await openDesk();
  const id = String((await desk.call('POST', '/access', asked)).body['id']);
  await desk.store.access.grant(id, { scope: 'path', subject: 'session', endsMs: 5000 }, { nowMs: 1000 });
  desk.state.nowMs = 5000;
  await Promise.all([desk.grants.look(), desk.grants.look()]);
  assert.deepEqual(
    desk.ended.map((record) => [record.id, record.state]),
    [[id, 'granted']],
  );
});

test('a session sees its own requests and those of its principal, and nobody else does', async () => {
  await using desk = await openDesk();
  const id = String((await desk.call('POST', '/access', asked)).body['id']);
  const later = principal({ sessionId: 'later' });
  const stranger = principal({ id: 'issuer|stranger', sessionId: 'stranger' });
  assert.equal((await desk.call('GET', `/access/${id}`, '', later)).body['id'], id);
  const unknown = { name: 'ProxyError', code: 'access_unknown' };
  await assert.rejects(desk.call('GET', `/access/${id}`, '', stranger), unknown);
  await assert.rejects(desk.call('DELETE', `/access/${id}`), unknown);
  await assert.rejects(desk.call('GET', '/access/../etc'), unknown);
  const list = await desk.call('GET', '/access', '', stranger);
  assert.deepEqual(list.body['requests'], []);
});

test('the bounds are named in the refusal', async () => {
  await using desk = await openDesk({ ...defaultLimits, accessPendingPerSessionMax: 1 });
  await desk.call('POST', '/access', asked);
  const message = /there are 1 already \(accessPendingPerSessionMax\)/;
  await assert.rejects(desk.call('POST', '/access', { ...asked, method: 'PUT' }), {
    code: 'limit_exceeded',
    message,
  });
});

test('a request that cannot be audited is not confirmed', async () => {
  await using desk = await openDesk();
  desk.audit.flush = () => Promise.reject(new Error('the audit is gone'));
  await assert.rejects(desk.call('POST', '/access', asked), /the audit is gone/);
});

test('a grant with refs opens pushes of them alone, and one whose refs cannot be read opens nothing', async () => {
  await using desk = await openDesk();
  const { body } = await desk.call('POST', '/access', {
    url: 'https://git.example.com/acme/app',
    reason: 'a branch',
  });
  const id = String(body['id']);
  const grant = async (refs: readonly string[] | undefined): Promise<void> => {
    const terms = { scope: 'exact', subject: 'session', endsMs: 1e12 } as const;
    await desk.store.access.grant(id, refs === undefined ? terms : { ...terms, refs }, { nowMs: 2000 });
    await desk.grants.look();
  };
  const push = 'POST https://git.example.com/acme/app.git/git-receive-pack';
  const page = 'GET https://git.example.com/acme/app';
  await grant(['refs/heads/agent/**']);
  assert.deepEqual(
    [desk.verdict(push), desk.verdict(page)],
    [`allow access-grant:${id}`, 'deny default-deny'],
  );
  const told = await desk.call('GET', `/access/${id}`);
  assert.deepEqual(told.body['refs'], ['refs/heads/agent/**']);
  for (const refs of [[], ['main'], ['refs/heads/agent/**', 'refs/**/x']]) {
    await grant(refs);
    const verdicts = [push, page].map((text) => desk.verdict(text));
    assert.deepEqual(verdicts, ['deny default-deny', 'deny default-deny'], refs.join());
  }
  await grant(undefined);
  assert.deepEqual(
    [desk.verdict(push), desk.verdict(page)],
    ['deny default-deny', `allow access-grant:${id}`],
  );
});
