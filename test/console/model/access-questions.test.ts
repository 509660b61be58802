import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answeredText, decisionsOf, heldQuestions } from '../../../src/console/model/access-questions.ts';
import { groupsOf } from '../../../src/console/model/access-groups.ts';

const access = (id: string, until?: string) => ({
  id,
  session: 's',
  principal: 'p',
  state: 'pending' as const,
  asked: { scheme: 'https' as const, host: 'api.example.com', port: 443 },
  reason: '',
  created: '2026-01-05T09:00:00.000Z',
  pendingUntil: '2026-01-05T10:00:00.000Z',
  ...(until === undefined
    ? {}
    : {
        kind: 'question' as const,
        question: {
          until,
          rule: 'r',
          bound: [],
          choices: ['minutes' as const, 'once' as const],
          body: 'seen' as const,
        },
      }),
});

test('held requests come first, the one with the least time before the others, and in no group', () => {
  const items = [
    access('a'),
    access('late', '2026-01-05T09:02:00.000Z'),
    access('soon', '2026-01-05T09:01:00.000Z'),
  ];
  assert.deepEqual(
    heldQuestions(items).map(({ id }) => id),
    ['soon', 'late'],
  );
  assert.deepEqual(
    groupsOf(items).flatMap((group) => group.items.map(({ id }) => id)),
    ['a'],
  );
  assert.deepEqual(heldQuestions([{ ...access('over', '2026-01-05T09:01:00.000Z'), state: 'ended' }]), []);
});

test('choices are those that the rule leaves, the narrowest first, and one can always deny', () => {
  const { question } = access('a', '2026-01-05T09:01:00.000Z');
  assert.deepEqual(
    decisionsOf(question!).map(({ decision }) => decision),
    ['once', 'minutes', 'deny'],
  );
  assert.match(decisionsOf(question!)[1]!.name, /any body/);
});

test('what somebody said is told with who it was and how far it holds', () => {
  const { question } = access('a', '2026-01-05T09:01:00.000Z');
  assert.equal(answeredText(question!), '');
  assert.equal(
    answeredText({ ...question!, answered: { decision: 'session', by: 'ada' } }),
    'Allowed for this session, any body by ada',
  );
});
