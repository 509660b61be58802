import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hearEndings } from '../../../src/gateway/peers/heard-endings.ts';
import type { NumberedEnding } from '../../../src/store/store.ts';

function scene(history: string | undefined, areChanges = true) {
  const [heard, numbers]: [NumberedEnding[], (readonly [readonly number[], string | undefined])[]] = [[], []];
  const parts = {
    watch: { hear: (some: readonly NumberedEnding[]) => void heard.push(...some) },
    changes: {
      history,
      heard: (some: readonly number[], of: string | undefined) => void numbers.push([some, of]),
    },
    areChanges,
  };
  return { parts, heard, numbers };
}

const told: readonly NumberedEnding[] = [98, 99].map((sequence) => ({
  sequence,
  sessionId: `s${sequence}`,
  state: 'revoked',
  reason: 'an operator revoked it',
}));

test('endings of the history of this gateway are heard with their numbers, which count as changes', () => {
  const { parts, heard, numbers } = scene('h');
  hearEndings(parts, told, 'h');
  assert.deepEqual(heard, told);
  assert.deepEqual(numbers, [[[98, 99], 'h']]);
});

test('endings of another history, or of one that is not known at one end, are heard without numbers: nobody is told those under this one', () => {
  for (const [own, theirs] of [
    ['h', 'before'],
    ['h', undefined],
    [undefined, 'h'],
    [undefined, undefined],
  ]) {
    const { parts, heard, numbers } = scene(own);
    hearEndings(parts, told, theirs);
    assert.deepEqual(
      heard,
      told.map((one) => ({ ...one, sequence: 0 })),
    );
    assert.deepEqual(numbers, []);
  }
});

test('where endings are numbered by themselves, those are no numbers of changes', () => {
  const { parts, heard, numbers } = scene('h', false);
  hearEndings(parts, told, 'h');
  assert.deepEqual([heard, numbers], [told, []]);
});
