import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import {
  actingOnTwo,
  changingWhat,
  fieldKey,
  namingAnother,
  tellingWho,
} from '../../src/http/request-field-table.ts';

test('a name is compared in any letters, with a hyphen for what is no letter and no digit', () => {
  for (const name of ['X-Original-URL', 'x_original_url', 'X.Original.Url', 'x!original~URL'])
    assert.equal(fieldKey(name), 'x-original-url');
  for (const name of [...tellingWho, ...changingWhat]) assert.equal(fieldKey(name), name);
});

test('no field stands in both tables, and what names another resource changes what is asked', () => {
  assert.deepEqual(tellingWho.intersection(changingWhat), new Set());
  for (const name of namingAnother.keys()) assert.ok(changingWhat.has(name), name);
});

test('the reference names every field and method of the tables', () => {
  const text = readFileSync(new URL('../../docs/reference/canonical-requests.md', import.meta.url), 'utf8');
  for (const name of [...tellingWho, ...changingWhat]) assert.ok(text.includes(`\`${name}\``), name);
  for (const method of actingOnTwo) assert.ok(text.includes(method), method);
});
