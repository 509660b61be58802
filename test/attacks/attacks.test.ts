import assert from 'node:assert/strict';
import { test } from 'node:test';

import { attacks, cases } from './attacks.ts';
import { playCase } from './support/play.ts';

test('every case of the table is played, and every play has its case', () => {
  assert.equal(cases.length, 216);
  assert.deepEqual(Object.keys(attacks).toSorted(), cases.map(({ id }) => id).toSorted());
});

test('every group has a case whose attack is shown to work elsewhere', () => {
  const hasControl = ({ id }: { readonly id: string }): boolean => {
    const entry = attacks[id];
    return typeof entry === 'object' && 'control' in entry;
  };
  const groups = new Set(cases.map(({ group }) => group));
  for (const group of groups)
    assert.ok(
      cases.some((one) => one.group === group && hasControl(one)),
      group,
    );
});

for (const { id, title } of cases) {
  test(`${id} fails: ${title}`, async (context) => {
    const outcome = await playCase(attacks[id]!, 'short');
    if (outcome.verdict === 'n/a') context.skip(outcome.detail);
    else assert.equal(outcome.verdict, 'passed', outcome.detail);
  });
}
