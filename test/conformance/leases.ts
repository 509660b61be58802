// What every engine of the store must do with leases of sessions; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseBounds, LeaseClaim, LeaseClaimed, NewLease } from '../../src/store/lease-store.ts';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';

const bounds: LeaseBounds = { leasesPerSessionMax: 3, leasesPerPrincipalMax: 4, leasesMax: 5 };
const hourMs = 3_600_000;
const leaseOf = (id: string, changes: Partial<NewLease> = {}): NewLease => ({
  id,
  sessionId: 'a',
  principalId: 'issuer|subject',
  credential: 'orders',
  holderId: 'g',
  ...changes,
});
const held = { sealed: 'sealed', lifetimeMs: hourMs };
const claimOf = (changes: Partial<LeaseClaim> = {}): LeaseClaim => ({
  claimMs: hourMs,
  limit: 10,
  holderId: 'other',
  holderAwayMs: 0,
  askedMs: hourMs,
  endedMs: 0,
  except: [],
  ...changes,
});
const idsOf = ({ leases }: LeaseClaimed): readonly string[] => leases.map(({ id }) => id).toSorted();

/** Sessions that live, and the gateway that has their leases. */
async function begin(store: Store, ...sessions: readonly string[]): Promise<void> {
  for (const id of sessions) {
    await store.sessions.enrol(newSession(id, { tokenKey: `token of ${id}` }), { enrolmentsPerTokenMax: 9 });
  }
  await present(store, 'serving');
}

function present(store: Store, state: 'serving' | 'left', leaseMs = hourMs): Promise<void> {
  const peer = { peerAddress: undefined, identityKeys: undefined, changeSeen: 0 };
  return store.gateways.note({ incarnation: 'g', state, ...peer }, leaseMs);
}

export function leaseConformance(open: () => Promise<Store>): void {
  test('a lease of a session that lives is asked for and held, and nobody gives it back before the session is over', async () => {
    await using store = await open();
    await begin(store, 'a', 'b');
    for (const sessionId of ['a', 'b'])
      assert.deepEqual(await store.leases.ask(leaseOf(sessionId, { sessionId }), bounds), { kind: 'asked' });
    assert.equal(await store.leases.hold('a', held), true);
    assert.equal(await store.leases.hold('b', held), true);
    assert.equal(await store.leases.hold('none', held), false);
    assert.deepEqual(await store.leases.claim(claimOf()), { leases: [], failing: 0 });
    await store.sessions.end('a', { state: 'revoked', reason: 'x' }, 1);
    const { leases } = await store.leases.claim(claimOf());
    assert.deepEqual(leases, [{ ...leaseOf('a'), sealed: 'sealed', attempts: 0, isEnded: false }]);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf())), [], 'another one has it');
    assert.equal(await store.leases.forget('a'), true);
    assert.equal(await store.leases.forget('a'), false);
    assert.deepEqual(await store.leases.ask(leaseOf('c'), bounds), { kind: 'over' });
    const unknown = leaseOf('d', { sessionId: 'nobody' });
    assert.deepEqual(await store.leases.ask(unknown, bounds), { kind: 'over' });
  });

  test('leases are bounded for a session, a principal and the store', async () => {
    await using store = await open();
    await begin(store, 'a', 'b', 'c');
    for (const id of ['1', '2', '3'])
      assert.equal((await store.leases.ask(leaseOf(id), bounds)).kind, 'asked');
    const full = async (lease: NewLease, bound: keyof LeaseBounds): Promise<void> =>
      assert.deepEqual(await store.leases.ask(lease, bounds), { kind: 'full', bound });
    await full(leaseOf('4'), 'leasesPerSessionMax');
    assert.equal((await store.leases.ask(leaseOf('5', { sessionId: 'b' }), bounds)).kind, 'asked');
    await full(leaseOf('6', { sessionId: 'b' }), 'leasesPerPrincipalMax');
    const other = { sessionId: 'c', principalId: 'issuer|other' };
    assert.equal((await store.leases.ask(leaseOf('7', other), bounds)).kind, 'asked');
    await full(leaseOf('8', other), 'leasesMax');
    // What is still to be given back counts.
    await store.leases.release('1');
    await full(leaseOf('9', other), 'leasesMax');
    await store.leases.forget('1');
    assert.equal((await store.leases.ask(leaseOf('9', other), bounds)).kind, 'asked');
  });

  test('of many that ask at once, no more have one than may', async () => {
    await using store = await open();
    await begin(store, 'a');
    const all = Array.from({ length: 12 }, (_, at) => store.leases.ask(leaseOf(`l${at}`), bounds));
    const kinds = (await Promise.all(all)).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'asked').length, 3);
  });

  test('a lease whose holder has left, says nothing any more, or released it, and one that has ended, are given back', async () => {
    await using store = await open();
    await begin(store, 'a');
    const ask = async (id: string, lifetimeMs = hourMs): Promise<void> => {
      await store.leases.ask(leaseOf(id), { leasesPerSessionMax: 9, leasesPerPrincipalMax: 9, leasesMax: 9 });
      await store.leases.hold(id, { sealed: 'sealed', lifetimeMs });
    };
    await ask('released');
    await store.leases.release('released');
    assert.equal(await store.leases.hold('released', held), false, 'it is not prolonged');
    await ask('ended', -1);
    const due = await store.leases.claim(claimOf());
    assert.deepEqual(idsOf(due), ['ended', 'released']);
    assert.deepEqual(due.leases.find(({ id }) => id === 'ended')?.isEnded, true);
    await ask('long ended', -hourMs);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf({ endedMs: 2 * hourMs }))), []);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf({ endedMs: hourMs / 2 }))), ['long ended']);
    await ask('kept');
    await present(store, 'serving', 0);
    const own = claimOf({ holderId: 'g' });
    assert.deepEqual(idsOf(await store.leases.claim(own)), [], 'whoever looks lives');
    assert.deepEqual(idsOf(await store.leases.claim(claimOf({ holderAwayMs: hourMs }))), []);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf())), ['kept']);
    await ask('left');
    await present(store, 'left');
    assert.deepEqual(idsOf(await store.leases.claim(claimOf({ holderAwayMs: hourMs }))), ['left']);
    await ask('unknown');
    assert.deepEqual(idsOf(await store.leases.claim(claimOf({ holderAwayMs: hourMs }))), ['unknown']);
  });

  test('one that was asked for is lost once nobody can have a response any more, whatever becomes of its session', async () => {
    await using store = await open();
    await begin(store, 'a', 'b');
    await store.leases.ask(leaseOf('a'), bounds);
    await store.leases.ask(leaseOf('b', { sessionId: 'b' }), bounds);
    await store.sessions.end('a', { state: 'ended', reason: 'x' }, 1);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf())), []);
    const { leases } = await store.leases.claim(claimOf({ askedMs: 0 }));
    assert.deepEqual(leases.map(({ id, sealed }) => [id, sealed]).toSorted(), [
      ['a', undefined],
      ['b', undefined],
    ]);
  });

  test('leases of a session are shown without what they are given back by', async () => {
    await using store = await open();
    await begin(store, 'a', 'b');
    const { leases } = store;
    for (const [id, sessionId] of [
      ['1', 'a'],
      ['2', 'a'],
      ['3', 'b'],
    ] as const)
      await leases.ask(leaseOf(id, { sessionId, credential: `of ${id}` }), bounds);
    await leases.hold('1', { sealed: 'canary', lifetimeMs: hourMs });
    await leases.release('1');
    const shown = await leases.ofSession('a', 9);
    assert.deepEqual(
      shown.map(({ credential, state, attempts }) => [credential, state, attempts]).toSorted(),
      [
        ['of 1', 'released', 0],
        ['of 2', 'asked', 0],
      ],
    );
    const first = shown.find(({ endsMs }) => endsMs !== undefined);
    assert.equal((first?.endsMs ?? 0) > (first?.askedMs ?? 0), true);
    assert.ok(!JSON.stringify(shown).includes('canary'));
    assert.equal((await leases.ofSession('a', 1)).length, 1);
    assert.deepEqual(await leases.ofSession('none', 9), []);
  });

  test('what one process cannot give back is left to others at once, until it has ended', async () => {
    await using store = await open();
    await begin(store, 'a');
    const { leases } = store;
    for (const id of ['1', '2']) {
      await leases.ask(leaseOf(id), bounds);
      await leases.hold(id, { ...held, lifetimeMs: id === '1' ? hourMs : -1 });
    }
    await store.sessions.end('a', { state: 'revoked', reason: 'x' }, 1);
    assert.deepEqual(
      idsOf(await leases.claim(claimOf({ except: ['1', '2', 'other'] }))),
      ['2'],
      'it has ended',
    );
    assert.deepEqual(idsOf(await leases.claim(claimOf())), ['1']);
    await leases.postpone('1', 0);
    assert.deepEqual(idsOf(await leases.claim(claimOf({ except: ['1'] }))), []);
    assert.deepEqual(idsOf(await leases.claim(claimOf({ holderId: 'third' }))), ['1']);
  });

  test('what could not be given back is claimed again, by one at a time, a few in a turn', async () => {
    await using store = await open();
    await begin(store, 'a');
    for (const id of ['1', '2', '3']) {
      await store.leases.ask(leaseOf(id), bounds);
      await store.leases.hold(id, held);
    }
    await store.sessions.end('a', { state: 'ended', reason: 'x' }, 1);
    const both = await Promise.all([1, 2].map(() => store.leases.claim(claimOf({ limit: 2 }))));
    assert.deepEqual(both.flatMap(idsOf).toSorted(), ['1', '2', '3'], 'each by one of them');
    await store.leases.postpone('1', hourMs);
    await store.leases.postpone('2', 0);
    const again = await store.leases.claim(claimOf({ claimMs: 0 }));
    assert.deepEqual(
      again.leases.map(({ id, attempts }) => [id, attempts]),
      [['2', 1]],
    );
    assert.equal(again.failing, 1);
    assert.deepEqual(idsOf(await store.leases.claim(claimOf())), ['2'], 'the claim is over');
  });
}
