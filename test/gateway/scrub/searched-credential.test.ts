import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  SearchedCredential,
  TableBudget,
  searchedValues,
} from '../../../src/gateway/scrub/searched-credential.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';

const secrets = (text: string): readonly Secret<string>[] => [new Secret(text)];

test('a table is built once for a value, and what runs gets the one of the next', () => {
  const credential = new SearchedCredential('it', new TableBudget(defaultLimits));
  credential.note(secrets('first-value'));
  const running = searchedValues([credential]);
  const [first] = running?.tables ?? [];
  credential.note(secrets('first-value'));
  assert.deepEqual(running?.tables, [first]);
  assert.equal(running?.tables, running?.tables);
  credential.note(secrets('second-value'));
  assert.equal(running?.tables.length, 2);
  assert.equal(running?.tables[0], first);
  assert.equal(searchedValues([credential])?.tables.length, 1);
});

test('of one credential four values are kept at most, and the room of the others is given back', () => {
  const budget = new TableBudget({ ...defaultLimits, scrubTablesBytesMax: 400_000 });
  const credential = new SearchedCredential('it', budget);
  credential.note(secrets('value-number-zero'));
  const running = searchedValues([credential]);
  for (let at = 0; at < 200; at += 1) credential.note(secrets(`value-number-${String(at)}`));
  assert.equal(running?.tables.length, 4);
});

test('a value whose table is too large is refused, by itself or with all others', () => {
  const long = secrets('x'.repeat(2_000));
  const one = new TableBudget({ ...defaultLimits, scrubTableBytesMax: 1_000 });
  assert.throws(() => new SearchedCredential('it', one).note(long), {
    code: 'credential_unavailable',
    limit: 'scrubTableBytesMax',
  });
  const all = new TableBudget({ ...defaultLimits, scrubTablesBytesMax: 1_000 });
  assert.throws(() => new SearchedCredential('it', all).note(long), {
    code: 'credential_unavailable',
    limit: 'scrubTablesBytesMax',
  });
});

test('without a value that is long enough there is nothing to search for', () => {
  const credential = new SearchedCredential('it', new TableBudget(defaultLimits));
  credential.note([]);
  assert.equal(searchedValues([credential]), undefined);
  credential.note(secrets('abc'));
  assert.equal(searchedValues([credential]), undefined);
});
