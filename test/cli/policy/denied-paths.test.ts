import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeniedPaths } from '../../../src/cli/policy/denied-paths.ts';
import { recordedDecision } from '../../../src/gateway/policies/recorded-decision.ts';
import { refused } from '../policy-events.ts';

const destination = { scheme: 'https', host: 'a.example.com', port: 443 } as const;

function note(denied: DeniedPaths, path: string, method = 'GET'): void {
  const recorded = recordedDecision(refused({ path, method }));
  assert.ok(typeof recorded === 'object');
  denied.note(recorded);
}

test('a template is held against what was denied at its destination by its method', () => {
  const denied = new DeniedPaths();
  note(denied, '/items/3');
  assert.ok(denied.contradicts(destination, 'GET', '/items/:id'));
  assert.ok(!denied.contradicts(destination, 'GET', '/other/:id'));
  assert.ok(!denied.contradicts(destination, 'POST', '/items/:id'));
  assert.ok(!denied.contradicts({ ...destination, port: 8443 }, 'GET', '/items/:id'));
});

test('where more was denied than is kept, every template is contradicted', () => {
  const denied = new DeniedPaths();
  for (let i = 0; i < 20_000; i++) note(denied, `/items/${i}`);
  assert.ok(!denied.contradicts(destination, 'GET', '/other/:id'));
  note(denied, '/items/last');
  assert.ok(denied.contradicts(destination, 'GET', '/other/:id'));
});
