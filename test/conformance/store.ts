// What every engine of the store must do. A test file calls this once for each engine.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NewAccessRequest } from '../../src/store/access-store.ts';
import type { EndedPlace, Store } from '../../src/store/store.ts';
import { auditConformance } from './audit.ts';
import { auditSearchConformance } from './audit-search.ts';
import { budgetConformance } from './budgets.ts';
import { firstSeenConformance } from './first-seen.ts';
import { knownIdConformance } from './known-ids.ts';
import { keptTokenConformance } from './kept-tokens.ts';
import { leaseConformance } from './leases.ts';
import { treeHeadConformance } from './tree-heads.ts';
import { changeConformance } from './changes.ts';
import { restoringConformance } from './restoring.ts';
import { newSession } from './new-session.ts';
import { gatewayConformance } from './gateways.ts';
import { operatorConformance } from './operators.ts';
import { questionConformance } from './questions.ts';
import { policyConformance } from './policies.ts';
import { useConformance } from './uses.ts';
import { narrowingConformance } from './narrowing.ts';
import { withdrawingConformance } from './withdrawing.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const proofBounds = { nowMs: 1000, proofsPerKeyMax: 3, proofsMax: 5 };

/** Runs the suite against stores that `open` makes, each of them empty. */
export function storeConformance(name: string, open: () => Promise<Store>): void {
  describe(`store conformance: ${name}`, () => {
    sessionConformance(open);
    endingConformance(open);
    proofConformance(open);
    auditConformance(open);
    auditSearchConformance(open);
    presenceConformance(open);
    accessConformance(open);
    questionConformance(open);
    budgetConformance(open);
    knownIdConformance(open);
    firstSeenConformance(open);
    treeHeadConformance(open);
    leaseConformance(open);
    keptTokenConformance(open);
    operatorConformance(open);
    gatewayConformance(open);
    policyConformance(open);
    changeConformance(open);
    restoringConformance(open);
    withdrawingConformance(open);
    narrowingConformance(open);
    useConformance(open);
  });
}

function sessionConformance(open: () => Promise<Store>): void {
  test('a session is found as it enrolled', async () => {
    await using store = await open();
    const session = newSession('a');
    assert.deepEqual(await store.sessions.enrol(session, bounds), { kind: 'enrolled', superseded: [] });
    assert.deepEqual(await store.sessions.find('a'), { ...session, state: 'enrolled' });
    assert.equal(await store.sessions.find('b'), undefined);
  });

  test('enrolling again before the commit revokes the earlier session in the same step', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    const outcome = await store.sessions.enrol(newSession('b', { enrolledMs: 2000 }), bounds);
    assert.deepEqual(outcome, { kind: 'enrolled', superseded: ['a'] });
    const earlier = await store.sessions.find('a');
    assert.equal(earlier?.state, 'revoked');
    assert.equal(earlier?.overMs, 2000);
    assert.equal((await store.sessions.find('b'))?.state, 'enrolled');
  });

  test('sessions of other tokens are left alone', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    assert.equal((await store.sessions.find('a'))?.state, 'enrolled');
  });

  test('the commit consumes the token, once and for good', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal(await store.tokens.consumedBy('token-1'), undefined);
    assert.deepEqual(await store.sessions.commit('a', 3000), { kind: 'committed' });
    assert.deepEqual(await store.sessions.commit('a', 4000), { kind: 'already_committed' });
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
    const session = await store.sessions.find('a');
    assert.equal(session?.state, 'committed');
    assert.equal(session?.committedMs, 3000);
    assert.deepEqual(await store.sessions.enrol(newSession('b'), bounds), {
      kind: 'token_consumed',
      sessionId: 'a',
    });
    assert.equal(await store.sessions.find('b'), undefined);
  });

  test('a token stays consumed when its session has ended', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.commit('a', 3000);
    await store.sessions.end('a', { state: 'ended', reason: 'done' }, 4000);
    assert.equal((await store.sessions.enrol(newSession('b'), bounds)).kind, 'token_consumed');
  });

  for (const [how, end, fresh] of [
    [
      'an operator revokes it',
      (store: Store) => store.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000),
      false,
    ],
    [
      'its agent ends it',
      (store: Store) => store.sessions.end('a', { state: 'ended', reason: 'x' }, 2000),
      false,
    ],
    ['it is not committed in time', (store: Store) => store.sessions.expire(10_000), true],
    ['its token enrols again', (store: Store) => store.sessions.enrol(newSession('b'), bounds), true],
  ] as const) {
    test(`when ${how} before the commit, the token ${fresh ? 'stays fresh' : 'goes with the session'}`, async () => {
      await using store = await open();
      await store.sessions.enrol(newSession('a'), bounds);
      await end(store);
      assert.equal(await store.tokens.consumedBy('token-1'), fresh ? undefined : 'a');
      const next = await store.sessions.enrol(newSession('c'), bounds);
      if (fresh) assert.equal(next.kind, 'enrolled');
      else assert.deepEqual(next, { kind: 'token_revoked', sessionId: 'a' });
    });

    test(`when ${how} after the commit, the token is consumed`, async () => {
      await using store = await open();
      await store.sessions.enrol(newSession('a'), bounds);
      await store.sessions.commit('a', 1500);
      await end(store);
      assert.deepEqual(await store.sessions.enrol(newSession('c'), bounds), {
        kind: 'token_consumed',
        sessionId: 'a',
      });
    });
  }

  test('a session that is over, late or unknown does not commit', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal((await store.sessions.commit('a', 10_000)).kind, 'over');
    await store.sessions.end('a', { state: 'revoked', reason: 'test' }, 2000);
    const outcome = await store.sessions.commit('a', 3000);
    assert.equal(outcome.kind === 'over' && outcome.session?.state, 'revoked');
    assert.deepEqual(await store.sessions.commit('b', 3000), { kind: 'over', session: undefined });
  });

  test('a token enrols a bounded number of times', async () => {
    await using store = await open();
    const few = { enrolmentsPerTokenMax: 2 };
    await store.sessions.enrol(newSession('a'), few);
    await store.sessions.enrol(newSession('b'), few);
    assert.deepEqual(await store.sessions.enrol(newSession('c'), few), { kind: 'too_many_enrolments' });
    assert.equal((await store.sessions.find('b'))?.state, 'enrolled');
  });

  test('consumed tokens are forgotten only after they have expired', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.commit('a', 3000);
    assert.equal(await store.tokens.prune(49_999), 0);
    assert.equal(await store.tokens.consumedBy('token-1'), 'a');
    assert.equal(await store.tokens.prune(50_000), 1);
    assert.equal(await store.tokens.consumedBy('token-1'), undefined);
  });
}

function endingConformance(open: () => Promise<Store>): void {
  test('a session ends once, and its first reason stays', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    assert.equal(await store.sessions.end('a', { state: 'revoked', reason: 'first' }, 2000), true);
    assert.equal(await store.sessions.end('a', { state: 'ended', reason: 'second' }, 3000), false);
    assert.equal(await store.sessions.end('unknown', { state: 'ended', reason: 'x' }, 3000), false);
    const session = await store.sessions.find('a');
    assert.deepEqual([session?.state, session?.reason, session?.overMs], ['revoked', 'first', 2000]);
  });

  test('a follower of the change counter sees each ending once, in order', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a', { tokenKey: 'token-0' }), bounds);
    await store.sessions.end('a', { state: 'ended', reason: 'before' }, 2000);
    const start = await store.sessions.endingsSince(undefined);
    assert.deepEqual(start.endings, []);
    assert.deepEqual(await store.sessions.endingsSince(start.sequence), start);
    await store.sessions.enrol(newSession('b'), bounds);
    await store.sessions.enrol(newSession('c'), bounds);
    await store.sessions.end('c', { state: 'revoked', reason: 'operator' }, 3000);
    const { sequence, endings } = await store.sessions.endingsSince(start.sequence);
    assert.deepEqual(
      endings.map(({ sessionId, state }) => [sessionId, state]),
      [
        ['b', 'revoked'],
        ['c', 'revoked'],
      ],
    );
    assert.deepEqual((await store.sessions.endingsSince(sequence)).endings, []);
  });

  test('what ended is read by its time a page at a time, also where all of it ended at once', async () => {
    await using store = await open();
    for (const [id, overMs] of [
      ['d', 3000],
      ['a', 3000],
      ['before', 1999],
      ['c', 3000],
      ['e', 4000],
      ['b', 2000],
    ] as const) {
      await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
      await store.sessions.end(id, { state: 'revoked', reason: id }, overMs);
    }
    await store.sessions.enrol(newSession('living', { tokenKey: 'living' }), bounds);
    for (const limit of [1, 2, 5, 9]) {
      const seen: (readonly [string, string])[] = [];
      let pages = 0;
      for (let place: EndedPlace | undefined = { overMs: 2000, sessionId: '' }; place !== undefined;) {
        const page = await store.sessions.endedBehind(place, limit);
        assert.ok(page.endings.length <= limit && pages < 9);
        seen.push(...page.endings.map(({ sessionId, reason }) => [sessionId, reason] as const));
        ({ place } = page);
        pages += 1;
      }
      assert.deepEqual(
        seen,
        ['b', 'a', 'c', 'd', 'e'].map((id) => [id, id]),
      );
    }
  });

  test('sessions past their time are ended once, with the reason', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('late', { tokenKey: '1' }), bounds);
    await store.sessions.enrol(newSession('old', { tokenKey: '2', endsMs: 5000 }), bounds);
    await store.sessions.commit('old', 1500);
    await store.sessions.enrol(newSession('living', { tokenKey: '3' }), bounds);
    await store.sessions.commit('living', 1500);
    assert.deepEqual(await store.sessions.expire(4999), []);
    const expired = await store.sessions.expire(10_000);
    assert.deepEqual(expired.map(({ id, state, reason }) => [id, state, reason]).toSorted(), [
      ['late', 'ended', 'it was not committed in time'],
      ['old', 'ended', 'it reached its longest life'],
    ]);
    assert.deepEqual(await store.sessions.expire(10_000), []);
    assert.equal((await store.sessions.endingsSince(0)).endings.length, 2);
  });

  test('of a backlog of sessions one call ends no more than its limit, and the next ones go on', async () => {
    await using store = await open();
    for (const n of [1, 2, 3, 4, 5])
      await store.sessions.enrol(newSession(`s${n}`, { tokenKey: `${n}`, endsMs: 5000 + n }), bounds);
    await store.sessions.commit('s1', 1500);
    await store.sessions.commit('s2', 1500);
    const ended: string[] = [];
    for (const count of [2, 2, 1, 0]) {
      const expired = await store.sessions.expire(50_000, 2);
      assert.equal(expired.length, count);
      ended.push(...expired.map(({ id }) => id));
    }
    assert.deepEqual(ended.toSorted(), ['s1', 's2', 's3', 's4', 's5']);
    assert.equal((await store.sessions.endingsSince(0)).endings.length, 5);
  });

  test('sessions are listed newest first, all or the living, up to a limit', async () => {
    await using store = await open();
    for (const [index, id] of ['a', 'b', 'c'].entries()) {
      await store.sessions.enrol(newSession(id, { tokenKey: id, enrolledMs: 1000 + index }), bounds);
    }
    await store.sessions.end('b', { state: 'ended', reason: 'x' }, 2000);
    const ids = async (query: { living?: boolean; limit: number }): Promise<readonly string[]> =>
      (await store.sessions.list(query)).map(({ id }) => id);
    assert.deepEqual(await ids({ limit: 10 }), ['c', 'b', 'a']);
    assert.deepEqual(await ids({ living: true, limit: 10 }), ['c', 'a']);
    assert.deepEqual(await ids({ limit: 1 }), ['c']);
  });

  test('a list of sessions goes on behind a place, those of one moment by their ids, whether the record is there or not', async () => {
    await using store = await open();
    for (const [id, enrolledMs] of Object.entries({ b: 1000, a: 1000, d: 1000, c: 1001, e: 999 }))
      await store.sessions.enrol(newSession(id, { tokenKey: id, enrolledMs }), bounds);
    const ids = async (ms: number, id: string, limit = 10): Promise<readonly string[]> =>
      (await store.sessions.list({ limit, before: { ms, id } })).map((one) => one.id);
    assert.deepEqual(await ids(1001, 'c'), ['d', 'b', 'a', 'e']);
    assert.deepEqual(await ids(1000, 'd', 2), ['b', 'a']);
    assert.deepEqual(await ids(1000, 'c'), ['b', 'a', 'e']);
    assert.deepEqual(await ids(999, 'e'), []);
  });

  test('pruning forgets sessions that were over before a time, and the counter never goes back', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a', { tokenKey: 'a' }), bounds);
    await store.sessions.enrol(newSession('b', { tokenKey: 'b' }), bounds);
    await store.sessions.end('a', { state: 'ended', reason: 'x' }, 2000);
    const { sequence } = await store.sessions.endingsSince(undefined);
    assert.equal(await store.sessions.prune(2000), 0);
    assert.equal(await store.sessions.prune(2001), 1);
    assert.equal(await store.sessions.find('a'), undefined);
    await store.sessions.end('b', { state: 'ended', reason: 'x' }, 3000);
    assert.equal((await store.sessions.endingsSince(sequence)).endings.length, 1);
  });
}

function proofConformance(open: () => Promise<Store>): void {
  test('a proof counts once for its key', async () => {
    await using store = await open();
    const proof = { keyThumbprint: 'k', jti: '1', expiresMs: 2000 };
    assert.equal(await store.proofs.remember(proof, proofBounds), 'new');
    assert.equal(await store.proofs.remember(proof, proofBounds), 'seen');
    assert.equal(await store.proofs.remember({ ...proof, keyThumbprint: 'l' }, proofBounds), 'new');
  });

  test('a proof is remembered until it would be too old anyway', async () => {
    await using store = await open();
    const proof = { keyThumbprint: 'k', jti: '1', expiresMs: 2000 };
    await store.proofs.remember(proof, proofBounds);
    assert.equal(await store.proofs.remember(proof, { ...proofBounds, nowMs: 1999 }), 'seen');
    assert.equal(await store.proofs.remember(proof, { ...proofBounds, nowMs: 2000 }), 'new');
    assert.equal(await store.proofs.prune(1999), 0);
    assert.equal(await store.proofs.prune(2000), 1);
  });

  test('one key fills its own room only, and all together have a bound', async () => {
    await using store = await open();
    const remember = (keyThumbprint: string, jti: string): Promise<string> =>
      store.proofs.remember({ keyThumbprint, jti, expiresMs: 2000 }, proofBounds);
    for (const jti of ['1', '2', '3']) assert.equal(await remember('greedy', jti), 'new');
    assert.equal(await remember('greedy', '4'), 'full');
    assert.equal(await remember('other', '1'), 'new');
    assert.equal(await remember('third', '1'), 'new');
    assert.equal(await remember('fourth', '1'), 'full');
  });
}

function presenceConformance(open: () => Promise<Store>): void {
  const presence = {
    sessionId: 'a',
    gatewayId: 'g1',
    tunnels: 1,
    seenMs: 1000,
    policyVersion: 'v',
  } as const;

  test('each gateway replaces only what it said itself, and strangers are left out', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.presence.note([presence, { ...presence, sessionId: 'stranger' }]);
    await store.presence.note([{ ...presence, gatewayId: 'g2', tunnels: 2, seenMs: 1500 }]);
    await store.presence.note([{ ...presence, tunnels: 0, seenMs: 2000 }]);
    assert.deepEqual(await store.presence.of('a'), [
      { ...presence, tunnels: 0, seenMs: 2000 },
      { ...presence, gatewayId: 'g2', tunnels: 2, seenMs: 1500 },
    ]);
    assert.deepEqual(await store.presence.of('stranger'), []);
  });

  test('with the session goes what was seen of it', async () => {
    await using store = await open();
    await store.sessions.enrol(newSession('a'), bounds);
    await store.presence.note([presence]);
    await store.sessions.end('a', { state: 'ended', reason: 'x' }, 2000);
    await store.sessions.prune(2001);
    assert.deepEqual(await store.presence.of('a'), []);
  });
}

const accessBounds = {
  accessPendingPerSessionMax: 3,
  accessRequestsPerSessionMax: 5,
  accessPendingPerPrincipalMax: 4,
  accessRequestsPerPrincipalMax: 7,
  accessRequestsMax: 9,
};
const accessTerms = { scope: 'exact', subject: 'session', endsMs: 5000 } as const;

export function accessRequest(id: string, changes: Partial<NewAccessRequest> = {}): NewAccessRequest {
  return {
    id,
    sessionId: 'a',
    principalId: 'issuer|subject',
    scheme: 'https',
    host: 'example.com',
    port: 443,
    method: 'GET',
    path: `/${id}`,
    reason: 'needed for the build',
    createdMs: 1000,
    pendingUntilMs: 9000,
    ...changes,
  };
}

function accessConformance(open: () => Promise<Store>): void {
  const file = (store: Store, id: string, changes: Partial<NewAccessRequest> = {}) =>
    store.access.file(accessRequest(id, changes), accessBounds);
  const openWithSession = async (): Promise<Store> => {
    const store = await open();
    await store.sessions.enrol(newSession('a', { commitByMs: 100_000 }), bounds);
    return store;
  };

  test('a request for access is found as it was left', async () => {
    await using store = await openWithSession();
    const request = accessRequest('r', { traceId: 't' });
    assert.deepEqual(await store.access.file(request, accessBounds), { kind: 'filed' });
    assert.deepEqual(await store.access.find('r'), { ...request, state: 'pending' });
    const { method: _method, path: _path, ...wide } = accessRequest('s');
    await store.access.file(wide, accessBounds);
    assert.deepEqual(await store.access.find('s'), { ...wide, state: 'pending' });
    assert.equal(await store.access.find('unknown'), undefined);
  });

  test('asking for the same again gives what is there, until it was decided against', async () => {
    await using store = await openWithSession();
    await file(store, 'r', { path: '/x' });
    const again = await file(store, 's', { path: '/x' });
    assert.equal(again.kind === 'already' && again.record.id, 'r');
    assert.equal((await file(store, 't', { path: '/x', method: 'PUT' })).kind, 'filed');
    await store.access.deny('r', { nowMs: 2000 });
    assert.equal((await file(store, 's', { path: '/x' })).kind, 'filed');
  });

  test('pending requests and all requests of a session are bounded', async () => {
    await using store = await openWithSession();
    for (const id of ['1', '2', '3']) assert.equal((await file(store, id)).kind, 'filed');
    assert.deepEqual(await file(store, '4'), { kind: 'full', bound: 'accessPendingPerSessionMax' });
    for (const id of ['1', '2', '3']) await store.access.deny(id, { nowMs: 2000 });
    for (const id of ['4', '5']) assert.equal((await file(store, id)).kind, 'filed');
    assert.deepEqual(await file(store, '6'), { kind: 'full', bound: 'accessRequestsPerSessionMax' });
  });

  test('so are those of all sessions of a principal', async () => {
    await using store = await openWithSession();
    const next = (id: string) => file(store, id, { sessionId: `s${id}` });
    for (const id of ['1', '2', '3', '4']) assert.equal((await next(id)).kind, 'filed');
    assert.deepEqual(await next('5'), { kind: 'full', bound: 'accessPendingPerPrincipalMax' });
    assert.equal((await file(store, '5', { sessionId: 'o', principalId: 'other' })).kind, 'filed');
    for (const id of ['1', '2', '3', '4']) await store.access.deny(id, { nowMs: 2000 });
    for (const id of ['6', '7', '8']) assert.equal((await next(id)).kind, 'filed');
    assert.deepEqual(await next('9'), { kind: 'full', bound: 'accessRequestsPerPrincipalMax' });
  });

  test('where the store is full, the oldest decided request of whoever has most makes room', async () => {
    await using store = await openWithSession();
    for (const id of ['1', '2', '3', '4', '5', '6']) {
      await file(store, id, { sessionId: `s${id}`, principalId: 'greedy', createdMs: 1000 + Number(id) });
      await store.access.deny(id, { nowMs: 2000 });
    }
    await file(store, 'm', { sessionId: 'm', principalId: 'modest' });
    await store.access.deny('m', { nowMs: 2000 });
    const others = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const full = async (id: string) => (await file(store, id, { sessionId: id, principalId: id })).kind;
    for (const id of others.slice(0, 3)) assert.equal(await full(id), 'filed');
    assert.equal(await store.access.find('1'), undefined);
    assert.equal((await store.access.find('2'))?.state, 'denied');
    assert.equal((await store.access.find('m'))?.state, 'denied');
    for (const id of others.slice(3)) assert.equal(await full(id), 'filed');
    // All that is left is open, and what is open goes for nobody.
    assert.equal(await full('z'), 'full');
  });

  test('a grant holds until its time is over or it is taken back', async () => {
    await using store = await openWithSession();
    await file(store, 'r');
    assert.deepEqual(await store.access.inForce(2000), []);
    assert.equal(await store.access.grant('r', accessTerms, { nowMs: 2000, note: 'fine' }), true);
    const [granted] = await store.access.inForce(4999);
    assert.deepEqual(granted, {
      ...accessRequest('r'),
      state: 'granted',
      decidedMs: 2000,
      note: 'fine',
      terms: accessTerms,
    });
    assert.deepEqual(await store.access.inForce(5000), []);
    assert.equal(await store.access.revoke('r', { nowMs: 3000 }), true);
    assert.equal(await store.access.revoke('r', { nowMs: 3000 }), false);
    assert.deepEqual(await store.access.inForce(3000), []);
    assert.equal(await store.access.grant('r', accessTerms, { nowMs: 4000 }), false);
  });

  test('the refs of a grant are kept with it, and a later grant of the same request replaces them', async () => {
    await using store = await openWithSession();
    await file(store, 'r');
    const refs = ['refs/heads/agent/**', 'refs/tags/"v"'];
    await store.access.grant('r', { ...accessTerms, refs }, { nowMs: 2000 });
    assert.deepEqual((await store.access.inForce(2000))[0]?.terms, { ...accessTerms, refs });
    assert.deepEqual((await store.access.list({ limit: 1 }))[0]?.terms?.refs, refs);
    await store.access.grant('r', accessTerms, { nowMs: 2000 });
    assert.deepEqual((await store.access.find('r'))?.terms, accessTerms);
  });

  test('a denied request may still be granted, an unknown one not', async () => {
    await using store = await openWithSession();
    await file(store, 'r');
    assert.equal(await store.access.deny('r', { nowMs: 2000, note: 'no' }), true);
    assert.equal(await store.access.deny('r', { nowMs: 2000 }), false);
    assert.equal(await store.access.grant('r', accessTerms, { nowMs: 3000 }), true);
    assert.equal(await store.access.grant('unknown', accessTerms, { nowMs: 3000 }), false);
    assert.equal(await store.access.deny('r', { nowMs: 2000 }), false);
  });

  test('the grant of a session ends with it, that of a principal does not', async () => {
    await using store = await openWithSession();
    await file(store, 'r');
    await file(store, 's');
    await file(store, 't');
    await store.access.grant('r', accessTerms, { nowMs: 2000 });
    await store.access.grant('s', { ...accessTerms, subject: 'principal' }, { nowMs: 2000 });
    assert.deepEqual(await store.access.expire(2500), []);
    await store.sessions.end('a', { state: 'revoked', reason: 'x' }, 3000);
    const ids = (records: readonly { id: string }[]): readonly string[] => records.map(({ id }) => id);
    assert.deepEqual(ids(await store.access.inForce(3000)), ['s']);
    assert.deepEqual(ids(await store.access.expire(3000)).toSorted(), ['r', 't']);
    assert.deepEqual(ids(await store.access.expire(5000)), ['s']);
    assert.deepEqual(await store.access.expire(5000), []);
    assert.equal((await store.access.find('t'))?.state, 'ended');
  });

  test('of a backlog of requests one call ends no more than its limit', async () => {
    await using store = await openWithSession();
    for (const id of ['r', 's', 't']) await file(store, id);
    for (const count of [2, 1, 0]) assert.equal((await store.access.expire(9000, 2)).length, count);
  });

  test('a request that nobody decides ends by itself', async () => {
    await using store = await openWithSession();
    await file(store, 'r');
    assert.deepEqual(await store.access.expire(8999), []);
    assert.equal((await store.access.expire(9000))[0]?.state, 'pending');
    assert.equal((await store.access.find('r'))?.state, 'ended');
    assert.equal(await store.access.grant('r', accessTerms, { nowMs: 9000 }), false);
  });

  test('requests are listed newest first, by state and session', async () => {
    await using store = await openWithSession();
    await file(store, '1');
    await file(store, '2', { createdMs: 2000 });
    await file(store, '3', { sessionId: 'b', createdMs: 3000 });
    await store.access.deny('1', { nowMs: 2000 });
    const list = async (query: Parameters<Store['access']['list']>[0]): Promise<readonly string[]> =>
      (await store.access.list(query)).map(({ id }) => id);
    assert.deepEqual(await list({ limit: 10 }), ['3', '2', '1']);
    assert.deepEqual(await list({ limit: 10, state: 'pending' }), ['3', '2']);
    assert.deepEqual(await list({ limit: 10, sessionId: 'a' }), ['2', '1']);
    assert.deepEqual(await list({ limit: 1 }), ['3']);
    assert.deepEqual(await list({ limit: 10, before: { ms: 2000, id: '2' } }), ['1']);
    assert.deepEqual(await list({ limit: 10, before: { ms: 2000, id: '9' }, sessionId: 'a' }), ['2', '1']);
    assert.deepEqual(await list({ limit: 1, before: { ms: 9000, id: '' } }), ['3']);
  });

  test('pruning forgets what is over, never what is open', async () => {
    await using store = await openWithSession();
    await file(store, 'open');
    await file(store, 'over');
    await store.access.deny('over', { nowMs: 2000 });
    assert.equal(await store.access.prune(1000), 0);
    assert.equal(await store.access.prune(1001), 1);
    assert.equal((await store.access.find('open'))?.state, 'pending');
  });
}
