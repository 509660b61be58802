import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuestionDesk } from '../../../src/gateway/access/question-desk.ts';
import type { SessionStep } from '../../../src/gateway/audit/session-audit.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { QuestionAnswer, QuestionStore } from '../../../src/store/question-store.ts';
import { waitUntil } from '../../support/program.ts';
import { principal as principalOf } from '../../policy/fixture.ts';

const content = {
  rule: 'ask',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  method: 'POST',
  path: '/a?token=x',
  traceId: 'trace',
  policyVersion: 'v1',
  bound: [],
  body: 'seen',
  choices: ['once', 'session', 'minutes', 'always'],
} as const;
const asked = { rootId: 'session', onceKey: 'once', wideKey: 'wide', content, shown: undefined };
const holdMs = 60_000;
const principal = principalOf();

/** A desk with a store of its own, in which one approver is there. */
async function scene(change: (store: QuestionStore) => QuestionStore = (store) => store) {
  await using stack = new AsyncDisposableStack();
  const { questions } = stack.use(await openStore('sqlite::memory:'));
  const steps: SessionStep[] = [];
  const faults: ProxyError[] = [];
  const now = { ms: 1_000_000 };
  const desk = stack.use(
    new QuestionDesk({
      reachesPeople: () => false,
      store: change(questions),
      audit: { record: async (step) => void steps.push(step) },
      limits: defaultLimits,
      clock: () => now.ms,
      onFault: (error) => faults.push(error),
    }),
  );
  await questions.noteApprover({ name: 'ada', sees: undefined, untilMs: now.ms + 1000 });
  const owned = stack.move();
  const decide = async (id: string, answer: QuestionAnswer | undefined, endsMs?: number): Promise<boolean> =>
    await questions.decide(id, { answer, by: 'ada', nowMs: now.ms, endsMs: endsMs ?? now.ms + 1000 });
  const openId = async (): Promise<string> => {
    let id = '';
    await waitUntil('a question', async () => {
      id = (await questions.list({ state: 'pending', limit: 1 }))[0]?.id ?? '';
      return id !== '';
    });
    return id;
  };
  const ask = (signal = new AbortController().signal, ms = holdMs) =>
    desk.ask(asked, principal, { holdMs: ms, signal });
  return {
    desk,
    questions,
    steps,
    faults,
    now,
    decide,
    openId,
    ask,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test('all who wait for the same are told, and one of them goes on', async () => {
  await using it = await scene();
  const waiting = [it.ask(), it.ask()];
  await waitUntil('both wait', () => it.desk.held === 2);
  await it.decide(await it.openId(), 'once');
  const told = await Promise.all(waiting);
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['allowed', 'allowed'],
  );
  const used = await Promise.all(told.map((one) => ('record' in one ? it.desk.use(one.record) : false)));
  assert.deepEqual(used.toSorted(), [false, true]);
  assert.equal(it.desk.held, 0);
  assert.deepEqual(
    it.steps.map(({ action }) => action),
    ['question_asked'],
  );
  // What a query says can be a secret; it is not in the audit's sentence.
  assert.doesNotMatch(JSON.stringify(it.steps), /token=x/);
});

test('where nobody is there nothing is asked, and what was answered before holds', async () => {
  await using it = await scene();
  const waiting = it.ask();
  const id = await it.openId();
  it.now.ms += 1000;
  assert.deepEqual((await it.ask()).kind, 'open');
  await it.decide(id, 'session');
  await waiting;
  assert.equal((await it.ask()).kind, 'allowed');
  const other = { ...asked, onceKey: 'other', wideKey: 'other' };
  const nobody = await it.desk.ask(other, principal, { holdMs, signal: new AbortController().signal });
  assert.deepEqual(nobody, { kind: 'nobody' });
  assert.equal((await it.questions.list({ limit: 9 })).length, 1);
});

test('a wide answer that was taken back, or ran out, while a request waited on does not let it go', async () => {
  await using it = await scene();
  const waiting = it.ask();
  const id = await it.openId();
  await it.decide(id, 'minutes');
  const answered = await waiting;
  assert.ok('record' in answered);
  assert.equal(await it.desk.use(answered.record), true);
  it.now.ms += 1000;
  assert.equal(await it.desk.use(answered.record), false);
  it.now.ms -= 1000;
  await it.questions.close(id, { by: 'ada', nowMs: it.now.ms });
  assert.equal(await it.desk.use(answered.record), false);
});

test('an approver of other sessions is not there for this one', async () => {
  await using it = await scene();
  it.now.ms += 2000;
  const untilMs = it.now.ms + 1000;
  await it.questions.noteApprover({ name: 'bob', sees: '{"team":"other"}', untilMs });
  await it.questions.noteApprover({ name: 'eve', sees: 'not json', untilMs });
  assert.equal((await it.ask()).kind, 'nobody');
});

test('a client that leaves waits no more, and its question stays', async () => {
  await using it = await scene();
  const gone = new AbortController();
  const waiting = it.ask(gone.signal);
  const id = await it.openId();
  gone.abort();
  assert.equal((await waiting).kind, 'open');
  assert.equal((await it.questions.find(id))?.state, 'pending');
  assert.equal(it.desk.held, 0);
});

test('whoever waits until the end is told that it is open', async () => {
  await using it = await scene();
  assert.equal((await it.ask(undefined, 1)).kind, 'open');
});

test('another desk of the same store learns what was answered here, also behind faults of the store', async () => {
  let faults = 2;
  await using it = await scene(
    (store) =>
      new Proxy(store, {
        get: (target, name) => {
          if (name === 'findAll' && faults > 0) {
            return async () => {
              faults -= 1;
              throw new ProxyError('store_unavailable', 'away');
            };
          }
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  );
  const waiting = it.ask();
  await it.decide(await it.openId(), undefined);
  assert.equal((await waiting).kind, 'denied');
  assert.equal(it.faults.length, 2);
});

test('what was denied to a session is denied to those that it made and to theirs, and what was allowed is its own', async () => {
  await using it = await scene();
  const below = (sessionId: string) => principalOf({ sessionId, narrowed: { rootId: 'session', steps: [] } });
  const askAs = (sessionId: string, keys: { onceKey: string; wideKey: string }) =>
    it.desk.ask({ ...asked, ...keys }, below(sessionId), { holdMs, signal: AbortSignal.abort() });
  const denied = it.ask();
  await it.decide(await it.openId(), undefined);
  assert.equal((await denied).kind, 'denied');
  assert.equal((await askAs('child', asked)).kind, 'denied');
  const other = { onceKey: 'other', wideKey: 'other' };
  assert.equal((await askAs('child', other)).kind, 'open');
  await it.decide(await it.openId(), 'session');
  assert.equal((await askAs('child', other)).kind, 'allowed');
  const sibling = await askAs('sibling', other);
  assert.equal(sibling.kind, 'open');
  assert.equal('record' in sibling && sibling.record.sessionId, 'sibling');
  // The audit names the one above all, beside the one that asks.
  assert.deepEqual(
    it.steps.map(({ sessionId, details }) => [sessionId, details?.['root']]),
    [
      ['session', undefined],
      ['child', 'session'],
      ['sibling', 'session'],
    ],
  );
});

test('a session and those that it made wait for ten answers, however many they are', async () => {
  await using it = await scene();
  const kinds: string[] = [];
  for (let at = 0; at < 12; at += 1) {
    const sessionId = `child-${at}`;
    const one = { ...asked, onceKey: sessionId, wideKey: sessionId };
    const child = principalOf({ sessionId, narrowed: { rootId: 'session', steps: [] } });
    kinds.push((await it.desk.ask(one, child, { holdMs, signal: AbortSignal.abort() })).kind);
  }
  assert.deepEqual(kinds, [...Array.from({ length: 10 }, () => 'open'), 'full', 'full']);
});
