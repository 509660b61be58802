// An answer and its event: nothing is allowed that the audit does not tell of, and a denial needs nobody's leave.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerQuestion } from '../../../src/gateway/access/decide-question.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';

const nowMs = 1_000_000;

async function scene() {
  await using stack = new AsyncDisposableStack();
  const { questions } = stack.use(await openStore('sqlite::memory:'));
  const outcome = await questions.ask(
    {
      id: 'q1',
      sessionId: 's',
      rootId: 's',
      principalId: 'p',
      onceKey: 'once',
      wideKey: 'wide',
      content: {
        rule: 'ask',
        scheme: 'https',
        host: 'api.test',
        port: 443,
        method: 'POST',
        path: '/a',
        traceId: 'trace',
        policyVersion: 'v1',
        bound: [],
        body: 'seen',
        choices: ['once', 'session'],
      },
      createdMs: nowMs,
      heldUntilMs: nowMs + 1000,
      pendingUntilMs: nowMs + 1000,
    },
    defaultLimits,
  );
  assert.equal(outcome.kind, 'asked');
  assert.ok('record' in outcome);
  const owned = stack.move();
  return { questions, asked: outcome.record, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const away = async (): Promise<void> => {
  throw new ProxyError('audit_unavailable', 'the audit cannot be written');
};

const desk = { operator: 'ada', limits: defaultLimits };

test('what cannot be recorded is not allowed, and is denied all the same', async () => {
  await using it = await scene();
  const { questions, asked: record } = it;
  const input = { record, nowMs };
  for (const answer of ['once', 'session'] as const) {
    await assert.rejects(answerQuestion({ ...desk, questions, record: away }, input, answer), {
      code: 'audit_unavailable',
    });
    assert.equal((await questions.find('q1'))?.state, 'pending');
  }
  await assert.rejects(answerQuestion({ ...desk, questions, record: away }, input, 'deny'), {
    code: 'audit_unavailable',
  });
  assert.equal((await questions.find('q1'))?.state, 'denied');
});

test('what is over has no second event', async () => {
  await using it = await scene();
  const { questions, asked } = it;
  const actions: string[] = [];
  const records = {
    ...desk,
    questions,
    record: async ({ action }: { action: string }) => void actions.push(action),
  };
  const late = { record: asked, nowMs: asked.pendingUntilMs };
  await assert.rejects(answerQuestion(records, late, 'once'), { code: 'state_changed' });
  assert.deepEqual(actions, []);
  await answerQuestion(records, { record: asked, nowMs }, 'once');
  const [record] = await questions.findAll(['q1']);
  assert.ok(record !== undefined);
  await assert.rejects(answerQuestion(records, { record, nowMs }, 'session'), { code: 'state_changed' });
  assert.deepEqual(actions, ['question_answered']);
});

test('who answers second, and had an event by then, has another one that says that it does not count', async () => {
  await using it = await scene();
  const { questions, asked } = it;
  const actions: string[] = [];
  const records = {
    ...desk,
    questions,
    // Somebody else denies it while the event is stored.
    record: async ({ action, message }: { action: string; message?: string | undefined }) => {
      actions.push(action);
      if (action === 'question_overtaken')
        assert.match(message ?? '', /was not open any more when this answer/);
      await questions.decide('q1', { answer: undefined, by: 'bob', nowMs, endsMs: nowMs + 1000 });
    },
  };
  await assert.rejects(answerQuestion(records, { record: asked, nowMs }, 'once'), { code: 'state_changed' });
  assert.deepEqual(actions, ['question_answered', 'question_overtaken']);
  assert.equal((await questions.find('q1'))?.state, 'denied');
});
