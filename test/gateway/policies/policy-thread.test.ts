import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyThread, portionWeightMax } from '../../../src/gateway/policies/policy-thread.ts';
import { weightOf } from '../../../src/policy/plain-rule.ts';

const many = 3000;
const text = `rules:\n${Array.from(
  { length: many },
  (_, i) => `  - { name: r${i}, hosts: h${i}.example.com, methods: [GET, HEAD], paths: /v1/o${i}/* }\n`,
).join('')}`;

function inputOf(yaml: string): ConstructorParameters<typeof PolicyThread>[0] {
  return { sources: [{ file: 'p.yaml', text: yaml }], names: {} };
}

test('thousands of rules come in their order, and no portion is more than a turn of the event loop should take', async () => {
  await using thread = new PolicyThread(inputOf(text), new AbortController().signal);
  const frame = await thread.frame(undefined);
  assert.ok('version' in frame);
  const names: string[] = [];
  for (;;) {
    const portion = await thread.rules();
    if (portion.length === 0) break;
    const weight = portion.reduce((sum, rule) => sum + weightOf(rule), 0);
    assert.ok(weight <= portionWeightMax, `${weight}`);
    names.push(...portion.map(({ reference }) => reference.name));
  }
  assert.deepEqual(
    names,
    Array.from({ length: many }, (_, i) => `r${i}`),
  );
  assert.deepEqual(await thread.rules(), []);
});

test('a rule that is heavy by itself comes alone', async () => {
  const hosts = Array.from({ length: portionWeightMax * 2 }, (_, i) => `h${i}.example.com`);
  const yaml = `rules:
  - { name: a, hosts: a.example.org }
  - { name: b, hosts: [${hosts.join(', ')}] }
  - { name: c, hosts: c.example.org }
`;
  await using thread = new PolicyThread(inputOf(yaml), new AbortController().signal);
  await thread.frame(undefined);
  const portions = [await thread.rules(), await thread.rules(), await thread.rules(), await thread.rules()];
  assert.deepEqual(
    portions.map((rules) => rules.map(({ reference }) => reference.name)),
    [['a'], ['b'], ['c'], []],
  );
});

test('problems come in a number that can be read', async () => {
  const bad = Array.from({ length: 5000 }, (_, i) => `  - { name: r${i}, hosts: "*" }\n`).join('');
  await using thread = new PolicyThread(inputOf(`rules:\n${bad}`), new AbortController().signal);
  const frame = await thread.frame(undefined);
  assert.ok('problems' in frame);
  assert.equal(frame.problems.length, 100);
});

test('an aborted signal ends the thread and what was asked of it', async () => {
  const abort = new AbortController();
  await using thread = new PolicyThread(inputOf(text), abort.signal);
  const asked = thread.frame(undefined);
  abort.abort();
  await assert.rejects(asked, { code: 'config_invalid' });
  await assert.rejects(thread.rules(), { code: 'config_invalid' });
});
