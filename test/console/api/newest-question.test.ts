import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { NewestQuestion } from '../../../src/console/api/newest-question.ts';

function stage() {
  const settling: (() => void)[] = [];
  const asked: { readonly about: number; readonly respond: (told: string) => void }[] = [];
  const told: string[] = [];
  const question = new NewestQuestion<number, string>({
    settle: () => new Promise((resolve) => settling.push(resolve)),
    ask: (about) => new Promise((respond) => asked.push({ about, respond })),
    tell: (one, about) => told.push(`${about}: ${one}`),
  });
  return { question, settling, asked, told };
}

test('it is asked when nothing changed for a while, about the newest', async () => {
  const { question, settling, asked, told } = stage();
  question.put(1);
  question.put(2);
  settling.shift()?.();
  await turn();
  assert.equal(asked.length, 0, 'it changed meanwhile');
  settling.shift()?.();
  await turn();
  assert.equal(asked.length, 1);
  asked[0]?.respond('good');
  await turn();
  assert.deepEqual(told, ['2: good']);
  assert.deepEqual(settling, []);
});

test('one question at a time, however slow the response', async () => {
  const { question, settling, asked, told } = stage();
  question.put(1);
  settling.shift()?.();
  await turn();
  question.put(2);
  question.put(3);
  await turn();
  assert.deepEqual([asked.length, settling.length], [1, 0]);
  asked[0]?.respond('slow');
  await turn();
  settling.shift()?.();
  await turn();
  assert.equal(asked[1]?.about, 3);
  asked[1]?.respond('fast');
  await turn();
  assert.deepEqual(told, ['1: slow', '3: fast']);
});

test('nobody is told behind the end', async () => {
  const { question, settling, asked, told } = stage();
  question.put(1);
  settling.shift()?.();
  await turn();
  question.put(2);
  question.close();
  asked[0]?.respond('late');
  await turn();
  assert.deepEqual([told, settling], [[], []]);
});
