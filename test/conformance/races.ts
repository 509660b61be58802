// What every engine of the store must do when two gateways want the same at the same moment. A test file calls this for each engine.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Store } from '../../src/store/store.ts';
import { newSession } from './new-session.ts';
import { newPolicy } from './policies.ts';
import { auditEntry } from './audit.ts';
import { accessRequest } from './store.ts';

const bounds = { enrolmentsPerTokenMax: 10 };

export interface TwoStores extends AsyncDisposable {
  readonly one: Store;
  readonly other: Store;
}

/** Runs the suite with two stores on one empty database, each as another gateway has it. */
export function raceConformance(name: string, open: () => Promise<TwoStores>, rounds: number): void {
  // No round is refused for how many there were before it.
  const max = 1000 + 2 * rounds;
  const proofBounds = { nowMs: 1000, proofsPerKeyMax: max, proofsMax: max };
  const accessBounds = {
    accessPendingPerSessionMax: max,
    accessRequestsPerSessionMax: max,
    accessPendingPerPrincipalMax: max,
    accessRequestsPerPrincipalMax: max,
    accessRequestsMax: max,
  };
  describe(`races: ${name}`, () => {
    const everyRound = async (round: (id: string) => Promise<void>): Promise<void> => {
      for (let i = 0; i < rounds; i += 1) await round(`r${i}`);
    };

    test('of a commit and a withdrawal of its token, one holds, and the other is told so', async () => {
      await using stores = await open();
      const { one, other } = stores;
      await everyRound(async (token) => {
        await one.sessions.enrol(newSession(token, { tokenKey: token }), bounds);
        const [commit, withdrawal] = await Promise.all([
          one.sessions.commit(token, 2000),
          other.sessions.withdraw({ tokenKey: token, tokenExpiresMs: 50_000 }, 'a test', 2000),
        ]);
        const isCommitted = commit.kind === 'committed';
        assert.equal(withdrawal.kind, isCommitted ? 'token_consumed' : 'withdrawn');
        assert.equal((await one.sessions.find(token))?.state, isCommitted ? 'committed' : 'revoked');
        const again = await one.sessions.enrol(newSession(`${token}b`, { tokenKey: token }), bounds);
        assert.equal(again.kind, isCommitted ? 'token_consumed' : 'token_revoked');
      });
    });

    test('of two that enrol and commit by one token, one session is committed and one refusal is told', async () => {
      await using stores = await open();
      const { one, other } = stores;
      await everyRound(async (token) => {
        const [a, b] = [`${token}a`, `${token}b`];
        const enrolled = await Promise.all([
          one.sessions.enrol(newSession(a, { tokenKey: token }), bounds),
          other.sessions.enrol(newSession(b, { tokenKey: token }), bounds),
        ]);
        // The later one replaced the earlier one, whichever that was.
        assert.deepEqual(
          enrolled.map(({ kind }) => kind),
          ['enrolled', 'enrolled'],
        );
        const superseded = enrolled.flatMap((outcome) =>
          outcome.kind === 'enrolled' ? outcome.superseded : [],
        );
        assert.equal(superseded.length, 1);
        const kinds = (await Promise.all([one.sessions.commit(a, 2000), other.sessions.commit(b, 2000)])).map(
          ({ kind }) => kind,
        );
        assert.deepEqual(kinds.toSorted(), ['committed', 'over']);
        const winner = kinds[0] === 'committed' ? a : b;
        assert.notEqual(superseded[0], winner);
        assert.deepEqual(await other.sessions.enrol(newSession(`${token}c`, { tokenKey: token }), bounds), {
          kind: 'token_consumed',
          sessionId: winner,
        });
      });
    });

    test('a commit and a new enrolment by the same token: the session lives, or the token is fresh, never both', async () => {
      await using stores = await open();
      const { one, other } = stores;
      await everyRound(async (token) => {
        await one.sessions.enrol(newSession(token, { tokenKey: token }), bounds);
        const [commit, enrol] = await Promise.all([
          one.sessions.commit(token, 2000),
          other.sessions.enrol(newSession(`${token}b`, { tokenKey: token }), bounds),
        ]);
        const isCommitted = commit.kind === 'committed';
        assert.equal(enrol.kind, isCommitted ? 'token_consumed' : 'enrolled');
        assert.equal((await one.sessions.find(token))?.state, isCommitted ? 'committed' : 'revoked');
      });
    });

    test('a commit and a revocation of one session: the token is used up either way', async () => {
      await using stores = await open();
      const { one, other } = stores;
      await everyRound(async (token) => {
        await one.sessions.enrol(newSession(token, { tokenKey: token }), bounds);
        const [commit, isEnded] = await Promise.all([
          one.sessions.commit(token, 2000),
          other.sessions.end(token, { state: 'revoked', reason: 'x' }, 2000),
        ]);
        assert.equal(isEnded, true);
        const { kind } = await one.sessions.enrol(newSession(`${token}b`, { tokenKey: token }), bounds);
        assert.equal(kind, commit.kind === 'committed' ? 'token_consumed' : 'token_revoked');
      });
    });

    test('a proof counts once, a grant is taken back once, a session ends once', async () => {
      await using stores = await open();
      const { one, other } = stores;
      const both = <T>(ask: (store: Store) => Promise<T>): Promise<T[]> =>
        Promise.all([ask(one), ask(other)]);
      await everyRound(async (id) => {
        const proof = { keyThumbprint: 'k', jti: id, expiresMs: 2000 };
        assert.deepEqual((await both((s) => s.proofs.remember(proof, proofBounds))).toSorted(), [
          'new',
          'seen',
        ]);
        await one.sessions.enrol(newSession(id, { tokenKey: id, endsMs: 5000 }), bounds);
        await one.access.file(accessRequest(id, { sessionId: id }), accessBounds);
        await one.access.grant(id, { scope: 'exact', subject: 'session', endsMs: 5000 }, { nowMs: 2000 });
        assert.deepEqual((await both((s) => s.access.revoke(id, { nowMs: 3000 }))).toSorted(), [false, true]);
        if (id.endsWith('1')) {
          assert.equal((await both((s) => s.sessions.expire(9999))).flat().length, 1);
        } else {
          const ending = { state: 'ended', reason: 'x' } as const;
          assert.deepEqual((await both((s) => s.sessions.end(id, ending, 3000))).toSorted(), [false, true]);
        }
      });
    });

    test('of one budget no more is lent than there is, and the same request for access is filed once', async () => {
      await using stores = await open();
      const { one, other } = stores;
      await everyRound(async (id) => {
        await one.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
        const borrow = (store: Store): Promise<number> =>
          store.budgets.borrow({ sessionId: id, budget: 'b' }, 3, { max: 8, budgetsPerSessionMax: 2 });
        const lent = await Promise.all([borrow(one), borrow(other), borrow(one), borrow(other)]);
        assert.deepEqual(lent.toSorted(), [0, 2, 3, 3]);
        const file = (store: Store, name: string) =>
          store.access.file(accessRequest(`${id}${name}`, { sessionId: id, path: '/same' }), accessBounds);
        const filed = await Promise.all([file(one, 'a'), file(other, 'b')]);
        assert.deepEqual(filed.map(({ kind }) => kind).toSorted(), ['already', 'filed']);
      });
    });

    test('of two that publish upon the same version one does, the other is told what it missed, and no number is left out', async () => {
      await using stores = await open();
      const { one, other } = stores;
      // As programs have it: each is looked for among all that are kept.
      const policyBounds = { policiesMax: 10, policyVersionsMax: defaultLimits.policyVersionsMax };
      let seen = 0;
      await everyRound(async (id) => {
        const outcomes = await Promise.all([
          one.policies.publish(newPolicy(`${id}a`, { note: 'a' }), seen, policyBounds),
          other.policies.publish(newPolicy(`${id}b`, { note: 'b' }), seen, policyBounds),
        ]);
        assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['changed', 'published']);
        const winner = outcomes.find((outcome) => outcome.kind === 'published')?.version;
        const loser = outcomes.find((outcome) => outcome.kind === 'changed')?.published;
        assert.equal(winner?.number, seen + 1);
        assert.deepEqual(loser, winner);
        for (const store of [one, other]) {
          const [head] = await store.policies.published();
          assert.deepEqual(head, winner);
          assert.equal((await store.policies.files(head?.hash ?? ''))?.[0]?.text, `${id}${winner?.note}`);
        }
        seen += 1;
      });
    });

    test('who follows endings and events while two write misses none and sees none twice', async () => {
      await using stores = await open();
      const { one, other } = stores;
      const seenEndings: string[] = [];
      const seenEvents: string[] = [];
      let sequence = 0;
      let sinceId: string | undefined;
      const look = async (): Promise<void> => {
        const { endings, ...next } = await one.sessions.endingsSince(sequence);
        sequence = next.sequence;
        seenEndings.push(...endings.map(({ sessionId }) => sessionId));
        const events = await other.audit.query({
          limit: 1000,
          ...(sinceId === undefined ? {} : { sinceId }),
        });
        seenEvents.push(...events.map(({ id }) => id));
        sinceId = seenEvents.at(-1);
      };
      const written: string[] = [];
      const write = async (store: Store, name: string): Promise<void> => {
        for (let i = 0; i < rounds; i += 1) {
          const id = `${name}${i}`;
          written.push(id);
          await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
          await Promise.all([
            store.sessions.end(id, { state: 'revoked', reason: 'x' }, 2000),
            store.audit.append([auditEntry(id)]),
          ]);
        }
      };
      const writers = Promise.all([write(one, 'a'), write(other, 'b')]);
      const end = writers.then(() => 'over');
      do await look();
      while ((await Promise.race([end, nextTurn('writing')])) !== 'over');
      await writers;
      await look();
      assert.deepEqual(seenEndings.toSorted(), written.toSorted());
      assert.deepEqual(seenEvents.toSorted(), written.toSorted());
    });
  });
}
