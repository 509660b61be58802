import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyDraft, isWritten, sentFiles, withText } from '../../../src/console/model/policy-draft.ts';
import { columnsOf, markedNumbers } from '../../../src/console/model/policy-lines.ts';

const useOf = ({ name }: { readonly name: string }): string => `use of ${name}`;

test('use stands beside the line at which a rule begins, of the file and the policy that it is in', () => {
  const rules = [
    { name: 'one', place: 'main@3/p.yaml:2', policy: 'main' },
    { name: 'other', place: 'web@1/p.yaml:1', policy: 'web' },
    { name: 'elsewhere', place: 'main@3/q.yaml:1', policy: 'main' },
    { name: 'without' },
  ];
  const file = { policy: 'main', name: 'p.yaml', text: 'rules:\n  - { name: one }\n' };
  assert.deepEqual(columnsOf(file, rules, useOf), {
    title: 'main: p.yaml',
    numbers: '1\n2',
    text: 'rules:\n  - { name: one }',
    use: '\nuse of one',
  });
  const alone = { name: '/etc/p.yaml', text: 'a\nb' };
  const places = [
    { name: 'x', place: '/etc/p.yaml:1' },
    { name: 'y', place: '/etc/other/p.yaml:2' },
    { name: 'z', place: '/etc/p.yaml:x' },
  ];
  assert.equal(columnsOf(alone, places, useOf).use, 'use of x\n');
});

test('whatever a text holds, it has as many lines as numbers, and nothing in it orders or hides', () => {
  const { numbers, text, use } = columnsOf({ name: 'p', text: 'a\u202eb\u0007\r\n\u2028c\td' }, [], useOf);
  for (const column of [numbers, text, use]) assert.equal(column.split('\n').length, 2);
  assert.equal(text, 'a\\u202eb\\u0007\\r\n\\u2028c  d');
});

test('lines with a problem are marked, beyond the text none is', () => {
  assert.equal(markedNumbers('a\nb\nc', new Set([2, 9])), '1\n● 2\n3');
});

test('a draft changes the file that is shown, and sends those that say something', () => {
  const draft = {
    ...emptyDraft,
    files: [
      { name: 'a', text: 'x' },
      { name: 'b', text: ' ' },
    ],
    at: 1,
  };
  assert.equal(isWritten(emptyDraft), false);
  assert.equal(isWritten(draft), true);
  assert.deepEqual(sentFiles(draft), [{ name: 'a', text: 'x' }]);
  assert.deepEqual(withText(draft, 'y').files, [
    { name: 'a', text: 'x' },
    { name: 'b', text: 'y' },
  ]);
});
