import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allAtOnce } from '../../../src/policy/compare-reach.ts';
import { withinCeilingWarnings } from '../../../src/policy/proof/within-proof.ts';
import { nowMs, policyOf } from '../fixture.ts';

const warnings = (policy: string, ceiling: string, statesMax = 500_000): readonly string[] =>
  allAtOnce(
    withinCeilingWarnings({ policy: policyOf(policy), ceiling: policyOf(ceiling), nowMs, statesMax }),
  );
const rule = (more: string): string => `rules: [{ name: api, hosts: api.test${more} }]`;

test('a policy within the ceiling, to the last path, is warned of in no way', () => {
  assert.deepEqual(warnings(rule(', methods: [GET], paths: [/v1/a]'), rule(', paths: [/v1/*]')), []);
  const denies =
    'rules: [{ name: api, hosts: api.test }, { name: no, hosts: api.test, paths: /admin/*, deny: true }]';
  assert.deepEqual(warnings(denies, denies), []);
});

test('one request beyond the ceiling is named, where hosts alone would show nothing', () => {
  const [said, ...more] = warnings(rule(', paths: [/v1/*]'), rule(', paths: [/v1/a, /v1/b]'));
  assert.match(
    said ?? '',
    /^[A-Z]+ https:\/\/api\.test\/v1\/\S* is allowed here and not by the ceiling, so it is denied$/,
  );
  assert.deepEqual(more, []);
  const denies =
    'rules: [{ name: api, hosts: api.test }, { name: no, hosts: api.test, methods: [DELETE], deny: true }]';
  assert.match(warnings(rule(''), denies)[0] ?? '', /^DELETE https:\/\/api\.test\//);
});

test('what hangs on a condition is told as not proven, with the condition', () => {
  const [said] = warnings(rule(''), rule(', when: "true"'));
  assert.match(
    said ?? '',
    /^not proven to be within the ceiling: .* could be allowed here and not there, if .*`when`/,
  );
});

test('a proof that would take too long ends, and says that nothing is proven', () => {
  const paths = Array.from({ length: 12 }, (_, at) => `/:a/x${at}/*`).join(', ');
  const [said] = warnings(rule(`, paths: [${paths}]`), rule(`, paths: [${paths}, /z]`), 1_000);
  assert.match(said ?? '', /^not proven to be within the ceiling: the paths/);
});

test('hosts, ports and methods that make more requests than can be looked at are counted, and not kept', () => {
  const hosts = Array.from({ length: 2_000 }, (_, at) => `h${at}.test`).join(', ');
  const ports = Array.from({ length: 200 }, (_, at) => 1_000 + at).join(', ');
  const methods = Array.from(
    { length: 40 },
    (_, at) => `M${String.fromCharCode(65 + (at % 26), 65 + Math.floor(at / 26))}`,
  ).join(', ');
  const many = `rules: [{ name: many, hosts: [${hosts}], ports: [${ports}], methods: [${methods}] }]`;
  const task = { policy: policyOf(many), ceiling: policyOf(many), nowMs, statesMax: 500_000 };
  const steps = withinCeilingWarnings(task);
  let taken = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      assert.match(step.value[0] ?? '', /^not proven to be within the ceiling: the hosts, ports and methods/);
      break;
    }
    taken += 1;
    assert.ok(taken <= task.statesMax, 'more than are allowed');
  }
});
