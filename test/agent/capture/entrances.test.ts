import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entrancePorts } from '../../../src/agent/capture/entrances.ts';

test('the ports of HTTP and of the policy are captured, each once', () => {
  const { relay, captured } = entrancePorts(40_000, [22, 443, 5432, 22], 256);
  assert.equal(relay, 40_000);
  assert.deepEqual(captured, [80, 443, 22, 5432]);
});

test('ports of the relay and of the resolver stay theirs', () => {
  assert.deepEqual(entrancePorts(8080, [8080, 53, 25], 256).captured, [80, 443, 25]);
});

test('no more listeners are opened than there may be, and those of HTTP come first', () => {
  const many = Array.from({ length: 500 }, (_, index) => 1000 + index);
  const { captured } = entrancePorts(40_000, many, 256);
  assert.equal(captured.length, 256);
  assert.deepEqual(captured.slice(0, 3), [80, 443, 1000]);
});
