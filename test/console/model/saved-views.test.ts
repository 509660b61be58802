import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewsMost, viewsOf, withoutView, withView } from '../../../src/console/model/saved-views.ts';

test('a view is kept by its name, replaced by another of it, and removed', () => {
  const one = withView([], { name: ' denied ', filter: 'verdict:deny' });
  assert.deepEqual(one, [{ name: 'denied', filter: 'verdict:deny' }]);
  const other = withView(one, { name: 'denied', filter: 'verdict:error' });
  assert.deepEqual(other, [{ name: 'denied', filter: 'verdict:error' }]);
  assert.deepEqual(withoutView(other, 'denied'), []);
  assert.equal(withView(one, { name: '  ', filter: '' }), one);
  assert.deepEqual(viewsOf(JSON.stringify(one)), one);
});

test('whatever stands in the storage, what is read is some views of bounded length', () => {
  for (const text of [null, '', 'null', '{}', '[1, null, {}]', '[{"name":"","filter":"x"}]', '{'])
    assert.deepEqual(viewsOf(text), []);
  const many = Array.from({ length: 100 }, (_, n) => ({ name: `${n} ${'x'.repeat(200)}`, filter: 'a' }));
  const read = viewsOf(JSON.stringify([...many, { name: 'long', filter: 'x'.repeat(5000) }]));
  assert.equal(read.length, viewsMost);
  assert.ok(read.every(({ name }) => name.length <= 60));
  assert.equal(withView(read, { name: 'one more', filter: '' }), read);
});
