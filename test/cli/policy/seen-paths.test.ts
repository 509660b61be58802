import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeenPaths } from '../../../src/cli/policy/seen-paths.ts';

const allowed = (): boolean => false;

test('templates are counted by method, and what is asked about them does not grow with the requests', () => {
  const seen = new SeenPaths();
  for (let i = 0; i < 40_000; i++) seen.note(i % 2 === 0 ? 'GET' : 'POST', `/items/${i % 20_000}`);
  let asked = 0;
  const rules = seen.rules(() => {
    asked += 1;
    return false;
  });
  assert.deepEqual(rules, [
    { methods: ['GET', 'POST'], paths: new Map([['/items/:id', 40_000]]), count: 40_000 },
  ]);
  assert.equal(asked, 2);
});

test('where a template admits what was denied its paths stand for it, unless they are no list', () => {
  const few = new SeenPaths();
  for (const i of [1, 2, 2]) few.note('GET', `/items/${i}`);
  few.note('POST', '/items/1');
  const ofGet = (method: string): boolean => method === 'GET';
  const literals = new Map([
    ['/items/1', 1],
    ['/items/2', 2],
  ]);
  assert.deepEqual(few.rules(ofGet), [
    { methods: ['GET'], paths: literals, count: 3 },
    { methods: ['POST'], paths: new Map([['/items/:id', 1]]), count: 1 },
  ]);
  const many = new SeenPaths();
  for (let i = 0; i < 1000; i++) many.note('GET', `/items/${i}`);
  assert.deepEqual(many.rules(ofGet), [{ methods: ['GET'], paths: undefined, count: 1000 }]);
  assert.deepEqual(many.rules(allowed), [
    { methods: ['GET'], paths: new Map([['/items/:id', 1000]]), count: 1000 },
  ]);
});

test('more templates than a list has are any path of all methods, and nothing of them is kept', () => {
  const seen = new SeenPaths();
  for (let i = 0; i < 300; i++) seen.note(i === 7 ? 'PUT' : 'GET', `/word${'x'.repeat(i)}`);
  const refuse = (): boolean => assert.fail('it is known already');
  assert.deepEqual(seen.rules(refuse), [{ methods: ['GET', 'PUT'], paths: undefined, count: 300 }]);
  assert.deepEqual(new SeenPaths().rules(refuse), []);
});
