import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson } from '../../src/understand/canonical-json.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { readJson } from '../../src/understand/read-json.ts';

function canonical(text: string): string {
  const read = readJson(Buffer.from(text), { depthMax: 64, valuesMax: 1000 });
  assert.ok(!(read instanceof UnreadableBody), text);
  return canonicalJson(read.value);
}

// RFC 8785 §3.2.2 and §3.2.3.
test('the examples of the RFC have its canonical form', () => {
  assert.equal(
    canonical(
      '{"numbers":[333333333.3333333,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  assert.deepEqual(
    [
      ...canonical(
        '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
      ).matchAll(/:(\d)/g),
    ].map(([, one]) => one),
    ['2', '4', '6', '7', '1', '5', '3'],
  );
});

test('blanks, the order of members and escapes change nothing, and everything else does', () => {
  const one = canonical('{"name":"search","inputSchema":{"type":"object","maximum":1.0}}');
  for (const same of [
    '{ "inputSchema" : {"maximum":1,"type":"object"},\n"name":"search"}',
    '{"name":"\\u0073earch","inputSchema":{"type":"object","maximum":1e0}}',
  ])
    assert.equal(canonical(same), one);
  for (const other of [
    '{"name":"Search","inputSchema":{"type":"object","maximum":1}}',
    '{"name":"search","inputSchema":{"type":"object","maximum":1},"description":""}',
    '{"name":"search ","inputSchema":{"type":"object","maximum":1}}',
    '{"name":"search\\u200b","inputSchema":{"type":"object","maximum":1}}',
  ])
    assert.notEqual(canonical(other), one);
  // Both are the same double.
  assert.notEqual(canonical('[9007199254740993]'), canonical('[9007199254740992.0]'));
});
