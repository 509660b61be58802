// What every engine of the store must do with the numbers of changes; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';
import { newPolicy, policyBounds } from './policies.ts';

const bounds = { enrolmentsPerTokenMax: 10 };

export function changeConformance(open: () => Promise<Store>): void {
  test('what others must take has a higher number each time, and nothing else has one', async () => {
    await using store = await open();
    const { sessions, access, policies, changes } = store;
    let before = await changes.newest();
    const changing = async (what: string, act: () => Promise<unknown>): Promise<void> => {
      await act();
      const now = await changes.newest();
      assert.ok(now > before, what);
      before = now;
    };
    const unchanged = async (what: string, act: () => Promise<unknown>): Promise<void> => {
      await act();
      assert.equal(await changes.newest(), before, what);
    };
    const request = {
      id: 'r',
      sessionId: 'a',
      principalId: 'issuer|subject',
      scheme: 'https',
      host: 'api.test',
      port: 443,
      reason: 'a test',
      createdMs: 1000,
      pendingUntilMs: 50_000,
    } as const;
    await unchanged('an enrolment', () => sessions.enrol(newSession('a'), bounds));
    await unchanged('a commit', () => sessions.commit('a', 2000));
    await unchanged('a request', () => access.file(request, defaultLimits));
    const terms = { scope: 'host', subject: 'session', endsMs: 90_000 } as const;
    await changing('a grant', () => access.grant('r', terms, { nowMs: 2000 }));
    await changing('a grant for longer', () =>
      access.grant('r', { ...terms, endsMs: 95_000 }, { nowMs: 2000 }),
    );
    await changing('a grant that is taken back', () => access.revoke('r', { nowMs: 3000 }));
    await unchanged('one that is not there', () => access.revoke('r', { nowMs: 3000 }));
    await changing('a policy', () => policies.publish(newPolicy('one'), 0, policyBounds));
    await changing('an end', () => sessions.end('a', { state: 'revoked', reason: 'a test' }, 4000));
    await unchanged('one that is over', () => sessions.end('a', { state: 'revoked', reason: 'again' }, 5000));
    await sessions.enrol(newSession('b', { tokenKey: 'token-2' }), bounds);
    await sessions.enrol(newSession('c', { tokenKey: 'token-3' }), bounds);
    await changing('ends that are due', () => sessions.expire(100_000));
  });
}
