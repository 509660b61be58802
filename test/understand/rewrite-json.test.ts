import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { readJson } from '../../src/understand/read-json.ts';
import { type JsonRewrite, rewriteJson } from '../../src/understand/rewrite-json.ts';
import { writeJson } from '../../src/understand/write-json.ts';

const pathOf = (text: string): readonly string[] => text.split('/').slice(1);

function rewritten(text: string, { set = {}, drop = [], redact = [] }: Written): string {
  const read = readJson(Buffer.from(text), { depthMax: 64, valuesMax: 1000 });
  assert.ok(!(read instanceof UnreadableBody));
  const rewrite: JsonRewrite = {
    set: Object.entries(set).map(([path, value]) => ({ path: pathOf(path), value })),
    drop: drop.map(pathOf),
    redact: redact.map(pathOf),
  };
  const { value, changes } = rewriteJson(read.value, rewrite);
  return `${changes} ${writeJson(value)}`;
}

interface Written {
  readonly set?: Readonly<Record<string, string | number | boolean | null>>;
  readonly drop?: readonly string[];
  readonly redact?: readonly string[];
}

const table: readonly (readonly [text: string, rewrite: Written, expected: string])[] = [
  ['{"a":1,"b":2}', { drop: ['/a'] }, '1 {"b":2}'],
  ['{"a":1,"b":2}', { drop: ['/c'] }, '0 {"a":1,"b":2}'],
  ['{"a":{"b":[{"c":1},{"c":2,"d":3}]}}', { drop: ['/a/b/*/c'] }, '2 {"a":{"b":[{},{"d":3}]}}'],
  ['{"a":[1,2,3]}', { drop: ['/a/1'] }, '1 {"a":[1,3]}'],
  ['{"a":{"x":1},"b":1}', { redact: ['/a', '/b'] }, '2 {"a":"[redacted]","b":"[redacted]"}'],
  ['{"a":1}', { set: { '/a': 2 } }, '1 {"a":2}'],
  ['{"a":2}', { set: { '/a': 2 } }, '0 {"a":2}'],
  ['{}', { set: { '/a/b': null } }, '1 {"a":{"b":null}}'],
  ['[{"a":1},{}]', { set: { '/*/a': true } }, '2 [{"a":true},{"a":true}]'],
  ['3', { set: { '/a': 1 }, drop: ['/a'] }, '0 3'],
  // A name is meant in every case: some server would take it for this one.
  ['{"Password":"x","b":1}', { redact: ['/password'] }, '1 {"Password":"[redacted]","b":1}'],
  ['{"pa\\u017fsword":"x"}', { drop: ['/password'] }, '1 {}'],
  ['{"Model":"big","model":"big"}', { set: { '/model': 'small' } }, '2 {"model":"small"}'],
  ['{"Model":"big"}', { set: { '/model': 'small' } }, '2 {"model":"small"}'],
  // What is not changed stays as it was written.
  ['{"n":9007199254740993,"a":1}', { drop: ['/a'] }, '1 {"n":9007199254740993}'],
  ['{"__proto__":{"a":1}}', { drop: ['/__proto__/a'] }, '1 {"__proto__":{}}'],
];

for (const [text, rewrite, expected] of table)
  test(`${text} by ${JSON.stringify(rewrite)} is ${expected}`, () => {
    assert.equal(rewritten(text, rewrite), expected);
  });
