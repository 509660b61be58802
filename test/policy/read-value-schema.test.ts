// JSON Schema of arguments: what fits, what does not, what is refused when the policy is read, and what a check may cost.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { schemaMisfit } from '../../src/policy/value-check.ts';
import { valueSchema, compileSchema } from '../../src/policy/read-value-schema.ts';
import { MatchingWork, unmeasured } from '../../src/policy/matching-work.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { type JsonValue, UnreadableBody } from '../../src/understand/json-value.ts';
import { readJson } from '../../src/understand/read-json.ts';

function valueOf(text: string): JsonValue {
  const read = readJson(Buffer.from(text), { depthMax: 64, valuesMax: 100_000 });
  assert.ok(!(read instanceof UnreadableBody), text);
  return read.value;
}

function problemsOf(schema: unknown): readonly string[] {
  const problems: string[] = [];
  compileSchema(schema, (path, message, severity) => {
    problems.push(`${severity ?? 'error'} ${path.join('/')}: ${message}`);
  });
  return problems;
}

const misfit = (schema: object, text: string): string | undefined => {
  assert.deepEqual(
    problemsOf(schema).filter((one) => one.startsWith('error')),
    [],
    JSON.stringify(schema),
  );
  return schemaMisfit(valueSchema(schema), valueOf(text), unmeasured);
};

describe('each keyword takes what fits, and says where something does not', () => {
  for (const [schema, good, bad, told] of [
    [{ type: 'object' }, ['{}'], ['[]', '1', 'null'], 'arguments (type)'],
    [{ type: ['string', 'null'] }, ['"a"', 'null'], ['1', '{}', 'true'], 'arguments (type)'],
    [{ type: 'integer' }, ['1', '1.0', '-0.0'], ['1.5', '"1"'], 'arguments (type)'],
    [
      { enum: ['a', 1, { b: [1] }] },
      ['"a"', '1', '1.0', '{"b":[1]}'],
      ['"A"', '"1"', '{"b":[2]}', '[1]', 'true'],
      'arguments (enum)',
    ],
    [{ const: { a: 1, b: 2 } }, ['{"b":2,"a":1}'], ['{"a":1}'], 'arguments (enum)'],
    [{ minLength: 2, maxLength: 3 }, ['"ab"', '"😀😀😀"', '1'], ['"a"'], 'arguments (minLength)'],
    [
      { pattern: '^acme/[^/]+$' },
      ['"acme/app"', '7'],
      ['"acme/app/x"', '"evil/acme/app"'],
      'arguments (pattern)',
    ],
    [{ minimum: 1, exclusiveMaximum: 3 }, ['1', '2.5', '"9"'], ['0', '-1'], 'arguments (minimum)'],
    [{ multipleOf: 5 }, ['10', '0'], ['3', '2.5'], 'arguments (multipleOf)'],
    [{ items: { type: 'string' }, maxItems: 2 }, ['[]', '["a","b"]'], ['["a",1]'], 'arguments[1] (type)'],
    [{ prefixItems: [{ const: 1 }], items: false }, ['[]', '[1]'], ['[1,2]'], 'arguments[1] (false)'],
    [{ contains: { const: 1 }, maxContains: 1 }, ['[1,2]'], ['[2]', '[]', '[1,1]'], 'arguments (contains)'],
    [
      { uniqueItems: true },
      ['[1,"1",{"a":1}]'],
      ['[{"a":1,"b":2},{"b":2,"a":1}]', '[1,1.0]'],
      'arguments (uniqueItems)',
    ],
    [
      { properties: { a: { type: 'string' } }, additionalProperties: false },
      ['{}', '{"a":"x"}'],
      ['{"a":"x","b":1}'],
      'arguments.b (additionalProperties)',
    ],
    [
      { patternProperties: { '^x-': { const: 1 } }, additionalProperties: { const: 2 } },
      ['{"x-a":1,"b":2}'],
      ['{"x-a":2}'],
      'arguments["x-a"] (enum)',
    ],
    [{ propertyNames: { maxLength: 1 } }, ['{"a":1}'], ['{"ab":1}'], 'arguments.ab (maxLength)'],
    [{ required: ['a'] }, ['{"a":null}', '7'], ['{}'], 'arguments (required)'],
    [
      { dependentRequired: { a: ['b'] } },
      ['{}', '{"a":1,"b":1}', '{"b":1}'],
      ['{"a":1}'],
      'arguments (dependentRequired)',
    ],
    [{ minProperties: 1, maxProperties: 2 }, ['{"a":1}'], ['{}'], 'arguments (minProperties)'],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, ['1'], ['0'], 'arguments (minimum)'],
    [{ anyOf: [{ const: 1 }, { type: 'string' }] }, ['1', '"x"'], ['2'], 'arguments (anyOf)'],
    [{ oneOf: [{ minimum: 1 }, { maximum: 2 }] }, ['0', '3'], ['1'], 'arguments (oneOf)'],
    [{ not: { const: 1 } }, ['2'], ['1'], 'arguments (not)'],
    [
      // The linter takes an object with `then` for a promise.
      JSON.parse(
        '{"if":{"properties":{"k":{"const":1}},"required":["k"]},"then":{"required":["a"]},"else":{"required":["b"]}}',
      ) as object,
      ['{"k":1,"a":1}', '{"b":1}'],
      ['{"k":1}', '{"k":2}'],
      'arguments (required)',
    ],
    [
      { $defs: { name: { type: 'string' } }, properties: { a: { $ref: '#/$defs/name' } } },
      ['{"a":"x"}'],
      ['{"a":1}'],
      'arguments.a (type)',
    ],
    [
      { type: 'object', properties: { child: { $ref: '#' } }, additionalProperties: false },
      ['{"child":{"child":{}}}'],
      ['{"child":{"x":1}}'],
      'arguments.child.x (additionalProperties)',
    ],
    [{ properties: { a: false } }, ['{}', '{"b":1}'], ['{"a":1}'], 'arguments.a (false)'],
  ] as const)
    test(JSON.stringify(schema), () => {
      for (const text of good) assert.equal(misfit(schema, text), undefined, text);
      for (const text of bad) assert.notEqual(misfit(schema, text), undefined, text);
      assert.equal(misfit(schema, bad[0]), told);
    });
});

test('what servers read in two ways fits nothing, also where a schema says what it must not be', () => {
  for (const [schema, text, told] of [
    [
      { properties: { repo: { const: 'acme' } } },
      '{"repo":"acme","Repo":"evil"}',
      /"Repo", which some servers take/,
    ],
    [{ properties: { key: {} } }, '{"\u212aey":1}', /which some servers take/],
    [{ not: { required: ['force'] } }, '{"Force":true}', /"Force"/],
    [{ dependentRequired: { a: ['b'] } }, '{"A":1}', /"A"/],
    [{ type: 'number' }, '9007199254740993', /some parsers round/],
    [{ not: { type: 'number' } }, '1e400', /some parsers round/],
    [{ properties: { n: { maximum: 5 } } }, '{"n":1e400}', /^arguments\.n has a number/],
    [{ not: { const: { n: 1 } } }, '{"n":9007199254740993}', /some parsers round/],
    [{ uniqueItems: true }, '[9007199254740993,9007199254740992]', /some parsers round/],
  ] as const)
    assert.match(misfit(schema, text) ?? '', told, JSON.stringify(schema));
  // Nothing looks at it.
  assert.equal(misfit({ properties: { a: { type: 'string' } } }, '{"a":"x","n":1e400}'), undefined);
});

test('what would be read and not checked is a problem with its place', () => {
  for (const [schema, told] of [
    [
      { properties: { a: { format: 'uri' } } },
      'error properties/a/format: "format" is not checked here, so nothing may depend on it: what a format means is checked by few; write a pattern, or remove it',
    ],
    [{ mimimum: 1 }, 'error mimimum: "mimimum" is not checked here, so nothing may depend on it: remove it'],
    [{ items: [{}] }, 'error items: write a schema as a map, such as { type: string }, or true or false'],
    [
      { $ref: 'https://example.com/schema' },
      'error $ref: "https://example.com/schema" leads nowhere; write # or #/$defs/NAME, of the same schema',
    ],
    [
      { $ref: '#' },
      'error : a schema is made of itself, so that no check of it ends; refer to it from below a property or an item',
    ],
    [{ pattern: '(a)\\1' }, 'error pattern: the pattern has \\1, which is not known here'],
    [
      { pattern: 'acme/' },
      'warning pattern: the pattern is found anywhere in the text; write ^ at its beginning and $ at its end',
    ],
    [{ type: 'text' }, 'error type: write a type such as string or integer, or a list of them'],
    [{ maximum: 9_007_199_254_740_992 }, 'error maximum: write a number that every parser reads alike'],
    [{ minLength: -1 }, 'error minLength: write a whole number'],
    [{ multipleOf: 0.5 }, 'error multipleOf: write a whole number'],
    [{ enum: [] }, 'error enum: write values of JSON, with numbers that every parser reads alike'],
    [JSON.parse('{"then":true}') as object, 'error : "then" and "else" say nothing without "if"'],
    [{ required: 'a' }, 'error required: write names of properties, or a list of them'],
    [
      { $schema: 'https://example.com/own' },
      'error $schema: a schema here is of JSON Schema 2020-12; remove it',
    ],
    [
      { anyOf: Array.from({ length: defaultLimits.schemaNodesMax + 5 }, () => true) },
      `error anyOf/${defaultLimits.schemaNodesMax - 1}: there are more than 1000 schemas in it (schemaNodesMax)`,
    ],
  ] as const)
    assert.ok(
      problemsOf(schema).includes(told),
      `${JSON.stringify(schema).slice(0, 100)} ${problemsOf(schema).join('; ')}`,
    );
  for (const circle of [
    { anyOf: [{ $ref: '#' }] },
    { $defs: { a: { not: { $ref: '#/$defs/b' } }, b: { if: { $ref: '#/$defs/a' } } } },
  ])
    assert.match(problemsOf(circle).join(), /made of itself/);
  assert.deepEqual(
    problemsOf({
      title: 'a',
      description: 'b',
      default: 1,
      examples: [],
      'x-mcp-header': 'Region',
      $schema: 'https://json-schema.org/draft/2020-12/schema',
    }),
    [],
  );
});

test('a check ends where its work is spent, whatever the schema and the value are', () => {
  const deep = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
  const below = { properties: { a: { $ref: '#/$defs/d' } }, not: true };
  const doubling = { $defs: { d: { anyOf: [below, below] } }, $ref: '#/$defs/d' };
  const long = JSON.stringify('a'.repeat(500_000));
  const wide = `[${Array.from({ length: 20_000 }, (_, i) => String(i)).join()}]`;
  const zeros = `[${'0,'.repeat(20_000)}0]`;
  for (const [schema, text] of [
    [doubling, deep],
    [{ allOf: Array.from({ length: 900 }, () => ({ pattern: '^(?:a|a)*b$' })) }, long],
    [{ allOf: Array.from({ length: 900 }, () => ({ minLength: 1 })) }, long],
    [{ allOf: Array.from({ length: 900 }, () => ({ uniqueItems: true })) }, wide],
    [{ anyOf: Array.from({ length: 900 }, (_, i) => ({ const: [i] })) }, wide],
    [{ items: { anyOf: Array.from({ length: 900 }, (_, i) => ({ const: 899 - i })) } }, zeros],
  ] as const) {
    assert.deepEqual(
      problemsOf(schema).filter((one) => one.startsWith('error')),
      [],
    );
    const work = new MatchingWork(20_000);
    assert.notEqual(schemaMisfit(valueSchema(schema), valueOf(text), work), undefined);
    assert.ok(work.isSpent, JSON.stringify(schema).slice(0, 80));
    // The step that spends it is one look at one value.
    assert.ok(work.steps < 20_000 + 200_000, String(work.steps));
  }
});
