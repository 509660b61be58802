// What is left when something stops in the middle: a crash between two steps, or a store call that fails.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProxyError } from '../../../src/protocol/error.ts';
import { sessionCommitPath, sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { openTestSessions, type TestSessions } from '../session-fixture.ts';

/** A store whose n-th call fails, before it does anything or after it has done everything. */
function failingStore(
  inner: Store,
  failAt: number,
  when: 'before' | 'after',
): { store: Store; calls(): number } {
  let calls = 0;
  const wrap = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...parameters: unknown[]): Promise<unknown> => {
          calls += 1;
          const fails = calls === failAt;
          const error = new ProxyError('store_unavailable', 'The store failed, as the test wants.');
          if (fails && when === 'before') throw error;
          const result: unknown = await Reflect.apply(member, target, parameters);
          if (fails) throw error;
          return result;
        };
      },
    });
  const close = (): Promise<void> => inner.close();
  const store: Store = {
    sessions: wrap(inner.sessions),
    tokens: wrap(inner.tokens),
    presence: wrap(inner.presence),
    proofs: wrap(inner.proofs),
    access: wrap(inner.access),
    questions: wrap(inner.questions),
    budgets: wrap(inner.budgets),
    knownIds: wrap(inner.knownIds),
    firstSeen: wrap(inner.firstSeen),
    treeHeads: wrap(inner.treeHeads),
    leases: wrap(inner.leases),
    keptTokens: wrap(inner.keptTokens),
    operators: wrap(inner.operators),
    gateways: wrap(inner.gateways),
    identity: wrap(inner.identity),
    policies: wrap(inner.policies),
    changes: wrap(inner.changes),
    audit: wrap(inner.audit),
    uses: wrap(inner.uses),
    acts: inner.acts,
    onChange: (listener) => inner.onChange(listener),
    close,
    [Symbol.asyncDispose]: close,
  };
  return { store, calls: () => calls };
}

/** What an agent does from its start to its commit, then one tunnel. */
async function wholeLife(sessions: TestSessions, token: string): Promise<void> {
  const agent = await sessions.enrol(token);
  await sessions.service.authenticate(agent.request('GET', tunnelPath));
  await sessions.service.commit(agent.request('POST', sessionCommitPath));
}

for (const when of ['before', 'after'] as const) {
  test(`a store call that fails ${when} its work leaves nothing half-done, for each call`, async () => {
    let failAt = 1;
    let retried = 0;
    for (; ; failAt += 1) {
      await using inner = await openStore('sqlite::memory:');
      const signingKey = createSigningKey();
      const failing = failingStore(inner, failAt, when);
      const opened = await openTestSessions({ store: failing.store, signingKey }).catch(() => undefined);
      if (opened === undefined) {
        assert.ok(failAt <= 2, 'only the first two calls belong to opening');
        continue;
      }
      const token = opened.token();
      const failed = await wholeLife(opened, token).then(
        () => false,
        () => true,
      );
      await opened.service.close();
      if (!failed && failing.calls() < failAt) break;
      if (failed) retried += 1;
      await using healthy = await openTestSessions({ store: inner, signingKey });
      await assertRecovers(healthy, token);
    }
    assert.ok(failAt > 7, `the life of a session makes several store calls, counted ${failAt - 1}`);
    assert.ok(retried > 5);
  });
}

/** Either the token is consumed by exactly one committed session, or it can start all over again. */
async function assertRecovers({ enrol, service, store }: TestSessions, token: string): Promise<void> {
  const before = await store.sessions.list({ living: true, limit: 10 });
  assert.ok(before.length <= 1);
  if (before[0]?.state === 'committed') {
    assert.equal(await store.tokens.consumedBy(before[0].tokenKey), before[0].id);
    await assert.rejects(enrol(token), { code: 'token_reused' });
    return;
  }
  const agent = await enrol(token);
  await service.commit(agent.request('POST', sessionCommitPath));
  const living = await store.sessions.list({ living: true, limit: 10 });
  assert.deepEqual(
    living.map(({ id }) => id),
    [agent.sessionId],
  );
}

test('an agent that crashed after it enrolled starts again with the same token', async () => {
  await using sessions = await openTestSessions();
  const token = sessions.token();
  const crashed = await sessions.enrol(token);
  const again = await sessions.enrol(token);
  await sessions.service.commit(again.request('POST', sessionCommitPath));
  await assert.rejects(sessions.service.authenticate(crashed.request('GET', tunnelPath)), {
    code: 'session_revoked',
  });
});

test('an agent whose commit got a response into the void repeats it and goes on', async () => {
  await using inner = await openStore('sqlite::memory:');
  const signingKey = createSigningKey();
  const opened = await openTestSessions({ store: inner, signingKey });
  const agent = await opened.enrol(opened.token());
  await opened.service.commit(agent.request('POST', sessionCommitPath));
  await opened.service.close();
  // The gateway restarts on the same store with the same key.
  await using restarted = await openTestSessions({ store: inner, signingKey });
  await restarted.service.commit(agent.request('POST', sessionCommitPath));
  await restarted.service.authenticate(agent.request('GET', tunnelPath));
  await restarted.service.renew(agent.request('POST', sessionPath));
});

test('a proof that was seen before a restart is still seen after it', async () => {
  await using inner = await openStore('sqlite::memory:');
  const signingKey = createSigningKey();
  const opened = await openTestSessions({ store: inner, signingKey });
  const agent = await opened.enrol(opened.token());
  const request = agent.request('GET', tunnelPath);
  await opened.service.authenticate(request);
  await opened.service.close();
  await using restarted = await openTestSessions({ store: inner, signingKey });
  await assert.rejects(restarted.service.authenticate(request), { code: 'proof_invalid' });
});
