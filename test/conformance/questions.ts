// What every engine does with questions of rules.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decided, NewQuestion } from '../../src/store/question-store.ts';
import type { Store } from '../../src/store/store.ts';
import { newChild, newSession } from './new-session.ts';

const bounds = { askPendingPerSessionMax: 2, askQuestionsPerSessionMax: 3, askQuestionsMax: 4 };

function question(id: string, changes: Partial<NewQuestion> = {}): NewQuestion {
  return {
    id,
    sessionId: 'a',
    rootId: changes.sessionId ?? 'a',
    principalId: 'issuer|a',
    onceKey: `once-${id}`,
    wideKey: `wide-${id}`,
    content: {
      rule: 'ask',
      scheme: 'https',
      host: 'api.test',
      port: 443,
      method: 'POST',
      path: '/issues',
      traceId: 'trace',
      policyVersion: 'v1',
      bound: [{ name: 'request', value: 'POST https://api.test/issues' }],
      body: 'seen',
      choices: ['once', 'session'],
    },
    shown: 'title=hello',
    createdMs: 1000,
    heldUntilMs: 2000,
    pendingUntilMs: 9000,
    ...changes,
  };
}

const answered = (changes: Partial<Decided> = {}): Decided => ({
  answer: 'once',
  by: 'ada',
  nowMs: 1500,
  endsMs: 8000,
  ...changes,
});

export function questionConformance(open: () => Promise<Store>): void {
  answering(open);
  joining(open);
  bounding(open);
  below(open);
  presence(open);
}

function answering(open: () => Promise<Store>): void {
  test('a question is found as it was asked, and whoever is first has answered it', async () => {
    await using store = await open();
    const { questions } = store;
    assert.equal((await questions.ask(question('q'), bounds)).kind, 'asked');
    assert.deepEqual(await questions.find('q'), { ...question('q'), state: 'pending' });
    assert.equal(await questions.find('other'), undefined);
    assert.equal(await questions.decide('q', answered({ note: 'fine' })), true);
    assert.equal(await questions.decide('q', answered({ answer: undefined, by: 'eve' })), false);
    const { shown: _shown, ...rest } = question('q');
    const record = {
      ...rest,
      state: 'allowed',
      answer: 'once',
      decidedMs: 1500,
      decidedBy: 'ada',
      endsMs: 8000,
      note: 'fine',
    };
    assert.deepEqual(await questions.findAll(['q', 'other']), [record]);
  });

  test('nobody answers what nobody waits for any more, nor uses up what is over', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.ask(question('q'), bounds);
    assert.equal(await questions.decide('q', answered({ nowMs: 9000 })), false);
    assert.equal(await questions.take('q', 1500), false);
    assert.equal(await questions.decide('q', answered()), true);
    assert.equal(await questions.take('q', 8000), false);
  });

  test('what is allowed once goes on once, whoever asks at the same time', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.ask(question('q'), bounds);
    await questions.decide('q', answered());
    const taken = await Promise.all([1, 2, 3].map(() => questions.take('q', 1600)));
    assert.deepEqual(taken.filter(Boolean).length, 1);
    assert.equal((await questions.find('q'))?.state, 'used');
    assert.equal(await questions.close('q', { by: 'ada', nowMs: 1700 }), false);
  });

  test('what was allowed and is not used is taken back', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.ask(question('q'), bounds);
    assert.equal(await questions.close('q', { by: 'ada', nowMs: 1400 }), false);
    await questions.decide('q', answered());
    assert.equal(await questions.close('q', { by: 'bob', nowMs: 1700, note: 'no' }), true);
    assert.equal(await questions.take('q', 1800), false);
    const { state, decidedBy, note } = (await questions.find('q')) ?? {};
    assert.deepEqual([state, decidedBy, note], ['ended', 'bob', 'no']);
  });
}

function joining(open: () => Promise<Store>): void {
  test('the same joins what is asked already, of its own session alone', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.ask(question('q', { onceKey: 'k' }), bounds);
    const again = question('r', { onceKey: 'k', createdMs: 3000, heldUntilMs: 4000 });
    const outcome = await questions.ask(again, bounds);
    assert.deepEqual([outcome.kind, 'record' in outcome && outcome.record.id], ['joined', 'q']);
    assert.equal((await questions.find('q'))?.heldUntilMs, 4000);
    const other = await questions.ask(question('s', { onceKey: 'k', sessionId: 'b' }), bounds);
    assert.equal(other.kind, 'asked');
    const late = await questions.ask(
      question('t', { onceKey: 'k', createdMs: 9000, pendingUntilMs: 20_000 }),
      bounds,
    );
    assert.equal(late.kind, 'asked');
  });

  test('an answer of once is for the same alone, a wider one for what is alike, until its end', async () => {
    await using store = await open();
    const { questions } = store;
    const kindOf = async (one: NewQuestion) =>
      (await questions.ask(one, { ...bounds, askPendingPerSessionMax: 0 })).kind;
    await questions.ask(question('q', { onceKey: 'k', wideKey: 'w' }), bounds);
    await questions.decide('q', answered());
    assert.equal(await kindOf(question('r', { onceKey: 'k', wideKey: 'w', createdMs: 1600 })), 'allowed');
    assert.equal(await kindOf(question('r', { onceKey: 'k2', wideKey: 'w', createdMs: 1600 })), 'full');
    assert.equal(await kindOf(question('r', { onceKey: 'k', wideKey: 'w', createdMs: 8000 })), 'full');
    await questions.ask(question('s', { onceKey: 'k3', wideKey: 'w3' }), bounds);
    await questions.decide('s', answered({ answer: 'session', endsMs: undefined }));
    assert.equal(
      await kindOf(question('t', { onceKey: 'k4', wideKey: 'w3', createdMs: 99_000_000 })),
      'allowed',
    );
    assert.equal(await kindOf(question('t', { onceKey: 'k4', wideKey: 'w4' })), 'full');
    assert.equal(await kindOf(question('t', { onceKey: 'k4', wideKey: 'w3', sessionId: 'b' })), 'full');
  });

  test('what was denied stays denied, whatever was allowed wider', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.ask(question('q', { onceKey: 'k', wideKey: 'w' }), bounds);
    await questions.decide('q', answered({ answer: undefined }));
    await questions.ask(question('r', { onceKey: 'k2', wideKey: 'w' }), bounds);
    await questions.decide('r', answered({ answer: 'session', endsMs: undefined }));
    const same = { onceKey: 'k', wideKey: 'w' };
    assert.equal((await questions.ask(question('s', { ...same, createdMs: 7999 }), bounds)).kind, 'denied');
    assert.equal((await questions.ask(question('s', { ...same, createdMs: 8000 }), bounds)).kind, 'allowed');
  });
}

function bounding(open: () => Promise<Store>): void {
  test('questions are bounded: those that wait of a session, all of a session, and all', async () => {
    await using store = await open();
    const { questions } = store;
    const ask = (id: string, changes: Partial<NewQuestion> = {}) =>
      questions.ask(question(id, changes), bounds);
    const full = (bound: string) => ({ kind: 'full', bound });
    await ask('q1');
    await ask('q2');
    assert.deepEqual(await ask('q3'), full('askPendingPerSessionMax'));
    await questions.decide('q1', answered({ answer: undefined }));
    assert.equal((await ask('q3')).kind, 'asked');
    await questions.decide('q2', answered({ answer: undefined }));
    assert.deepEqual(await ask('q4'), full('askQuestionsPerSessionMax'));
    assert.equal((await ask('q4', { sessionId: 'b' })).kind, 'asked');
    // The oldest that is over makes room.
    assert.equal((await ask('q5', { sessionId: 'b', createdMs: 1100 })).kind, 'asked');
    assert.equal(await questions.find('q1'), undefined);
    assert.equal((await ask('q6', { sessionId: 'c' })).kind, 'asked');
    assert.deepEqual(await ask('q7', { sessionId: 'c' }), full('askQuestionsMax'));
  });

  test('questions are listed newest first, a page at a time, and forgotten', async () => {
    await using store = await open();
    const { questions } = store;
    const many = { askPendingPerSessionMax: 9, askQuestionsPerSessionMax: 9, askQuestionsMax: 9 };
    for (const [at, id] of ['x', 'y', 'z'].entries())
      await questions.ask(question(id, { createdMs: 1000 + at }), many);
    await questions.decide('y', answered());
    const ids = async (query: Parameters<Store['questions']['list']>[0]) =>
      (await questions.list(query)).map(({ id }) => id);
    assert.deepEqual(await ids({ limit: 9 }), ['z', 'y', 'x']);
    assert.deepEqual(await ids({ limit: 9, state: 'pending', sessionId: 'a' }), ['z', 'x']);
    assert.deepEqual(await ids({ limit: 1, before: { ms: 1002, id: 'z' } }), ['y']);
    assert.equal(await questions.prune(1001, 9001), 1);
    assert.deepEqual(await ids({ limit: 9 }), ['z', 'y']);
    // What nobody answered is over; what was sent is kept no longer.
    assert.equal((await questions.find('z'))?.shown, undefined);
  });
}

function below(open: () => Promise<Store>): void {
  const many = { askPendingPerSessionMax: 9, askQuestionsPerSessionMax: 9, askQuestionsMax: 9 };
  const child = { sessionId: 'child', rootId: 'a' };

  test("what was denied is denied to all with the same root until it ends, and what was allowed is the own session's", async () => {
    await using store = await open();
    const { questions } = store;
    const kindOf = async (one: NewQuestion) => (await questions.ask(one, many)).kind;
    const keys = { onceKey: 'k', wideKey: 'w' };
    await questions.ask(question('q', { ...keys, ...child }), many);
    assert.equal((await questions.find('q'))?.rootId, 'a');
    // Each waits for an answer of its own.
    assert.equal(await kindOf(question('r', keys)), 'asked');
    await questions.decide('q', answered());
    assert.equal(await kindOf(question('s', keys)), 'joined');
    assert.equal(await kindOf(question('s', { ...keys, sessionId: 'sibling', rootId: 'a' })), 'asked');
    await questions.decide('r', answered({ answer: undefined }));
    const again = { ...keys, createdMs: 7999 };
    assert.equal(await kindOf(question('t', again)), 'denied');
    assert.equal(await kindOf(question('t', { ...again, sessionId: 'new', rootId: 'a' })), 'denied');
    assert.equal(await kindOf(question('t', { ...again, sessionId: 'b' })), 'asked');
    // It is of this very request.
    assert.equal(
      await kindOf(question('u', { ...child, wideKey: 'w', createdMs: 1600, sessionId: 'new' })),
      'asked',
    );
    assert.equal(await kindOf(question('v', { ...keys, ...child, createdMs: 8000 })), 'asked');
  });

  test('the bounds of a session are those of all with the same root, and of no other', async () => {
    await using store = await open();
    const { questions } = store;
    const ask = (id: string, changes: Partial<NewQuestion> = {}) =>
      questions.ask(question(id, changes), { ...bounds, askQuestionsMax: 9 });
    const full = (bound: string) => ({ kind: 'full', bound });
    await ask('q1', child);
    await ask('q2', { sessionId: 'sibling', rootId: 'a' });
    for (const sessionId of ['a', 'child', 'new'])
      assert.deepEqual(await ask('q3', { sessionId, rootId: 'a' }), full('askPendingPerSessionMax'));
    await questions.decide('q1', answered({ answer: undefined }));
    assert.equal((await ask('q3', { sessionId: 'new', rootId: 'a' })).kind, 'asked');
    await questions.decide('q2', answered({ answer: undefined }));
    for (const sessionId of ['a', 'child', 'newer'])
      assert.deepEqual(await ask('q4', { sessionId, rootId: 'a' }), full('askQuestionsPerSessionMax'));
    assert.equal((await ask('q4', { sessionId: 'b' })).kind, 'asked');
  });

  test('with a session its open questions end, and those of the sessions below it, and they make room', async () => {
    await using store = await open();
    const { questions, sessions } = store;
    await sessions.enrol(newSession('a'), { enrolmentsPerTokenMax: 9 });
    await sessions.commit('a', 1000);
    const living = { livingMax: 16, storedMax: 1000, depthMax: 4 };
    for (const [id, parentId] of [
      ['b', 'a'],
      ['c', 'b'],
      ['d', 'a'],
    ] as const)
      assert.equal((await sessions.narrow(newChild(id, parentId), living)).kind, 'narrowed');
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of [...ids, 'other'])
      await questions.ask(question(id, { sessionId: id, rootId: id === 'other' ? id : 'a' }), many);
    await questions.ask(question('denied', { sessionId: 'b', rootId: 'a', ...sameKeys }), many);
    await questions.decide('denied', answered({ answer: undefined }));
    const states = async () =>
      (await questions.findAll([...ids, 'other', 'denied']))
        .toSorted((one, two) => (one.id < two.id ? -1 : 1))
        .map(({ id, state, shown }) => `${id} ${state}${shown === undefined ? '' : ' shown'}`);
    assert.equal(await sessions.end('b', { state: 'ended', reason: 'done' }, 1500), true);
    assert.deepEqual(await states(), [
      'a pending shown',
      'b ended',
      'c ended',
      'd pending shown',
      'denied denied',
      'other pending shown',
    ]);
    assert.equal(await questions.decide('c', answered()), false);
    // A session that it makes next is denied what this one was.
    const next = question('next', { sessionId: 'd', rootId: 'a', ...sameKeys });
    assert.equal((await questions.ask(next, many)).kind, 'denied');
    // What is over makes room for those of others.
    const crowded = { ...many, askQuestionsMax: 6 };
    assert.equal((await questions.ask(question('room', { sessionId: 'other' }), crowded)).kind, 'asked');
    assert.equal(await sessions.end('a', { state: 'revoked', reason: 'stop' }, 1600), true);
    assert.deepEqual(
      (await questions.list({ state: 'pending', limit: 9 })).map(({ id }) => id),
      ['room', 'other'],
    );
  });
}

const sameKeys = { onceKey: 'k', wideKey: 'w' };

function presence(open: () => Promise<Store>): void {
  test('who may answer is there until their time is over', async () => {
    await using store = await open();
    const { questions } = store;
    await questions.noteApprover({ name: 'ada', sees: undefined, untilMs: 50_000 });
    await questions.noteApprover({ name: 'ada', sees: '{"team":"a"}', untilMs: 60_000 });
    await questions.noteApprover({ name: 'ada', sees: undefined, untilMs: 90_000 });
    const seen = async (nowMs: number) =>
      (await questions.approvers(nowMs)).map(({ sees, untilMs }) => [sees, untilMs]).toSorted();
    assert.deepEqual(
      await seen(49_999),
      [
        [undefined, 90_000],
        ['{"team":"a"}', 60_000],
      ].toSorted(),
    );
    assert.deepEqual(await seen(60_000), [[undefined, 90_000]]);
    await questions.prune(0, 90_001);
    assert.deepEqual(await seen(0), []);
  });
}
