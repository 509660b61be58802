import assert from 'node:assert/strict';
import { test } from 'node:test';

import { attacks, cases } from './attacks.ts';
import { playCase } from './support/play.ts';

test('every case of the table is played, and every play has its case', () => {
  assert.equal(cases.length, 147);
  assert.deepEqual(Object.keys(attacks).toSorted(), cases.map(({ id }) => id).toSorted());
});

for (const { id, title } of cases) {
  test(`${id} fails: ${title}`, async (context) => {
    const outcome = await playCase(attacks[id]!, 'short');
    if (outcome.verdict === 'n/a') context.skip(outcome.detail);
    else assert.equal(outcome.verdict, 'passed', outcome.detail);
  });
}
