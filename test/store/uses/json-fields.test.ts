import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FieldNames, jsonFields } from '../../../src/store/uses/json-fields.ts';

const names = ['rule', 'injected', 'count', ''];
const wanted = new FieldNames(names);
const read = (text: string): unknown => jsonFields(Buffer.from(text), wanted);

test('members of the outermost object are read as JSON.parse reads them, whatever the others hold', () => {
  const member = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  );
  const name = fc.oneof(fc.constantFrom('rule', 'injected', 'count', '', 'details', 'path'), fc.string());
  fc.assert(
    fc.property(fc.dictionary(name, member), (members) => {
      const value: Record<string, unknown> = {};
      for (const [key, json] of Object.entries(members)) value[key] = JSON.parse(json);
      const found = jsonFields(Buffer.from(JSON.stringify(value)), wanted);
      // As JSON.parse of octets gives it: half of a pair stands as an escape, and stays.
      const expected = Object.fromEntries(Object.entries(value).filter(([key]) => names.includes(key)));
      assert.deepEqual(JSON.stringify(found), JSON.stringify(expected));
    }),
    { numRuns: 300 },
  );
});

test('what is no object of JSON ends, with what was there', () => {
  for (const text of [
    '',
    '{',
    '{"',
    '{"rule',
    '{"rule"',
    '{"rule":',
    '{"rule":"',
    '[]',
    '"rule"',
    '{"rule":"x\\',
    '{"a":[[[',
    'null',
  ])
    assert.doesNotThrow(() => read(text), text);
  assert.deepEqual(read('{"rule":"r","injected":["a'), { rule: 'r', injected: undefined });
});
