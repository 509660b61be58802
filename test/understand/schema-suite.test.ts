// Schemas of arguments beside others: the official test suite of JSON Schema, and ajv on values that are made up. What is not checked
// is refused when the policy is read, and what is checked has one verdict.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { schemaMisfit } from '../../src/policy/value-check.ts';
import { valueSchema, compileSchema } from '../../src/policy/read-value-schema.ts';
import { unmeasured } from '../../src/policy/matching-work.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { readJson } from '../../src/understand/read-json.ts';
import { seeded } from '../support/seeded.ts';

const tools = process.env['TEST_UNDERSTANDING'];
const skip = tools === undefined ? 'of npm run test:understanding' : false;
/** A checkout of github.com/json-schema-org/JSON-Schema-Test-Suite, which npm does not have. */
const suite = process.env['JSON_SCHEMA_SUITE'];

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly {
    readonly description: string;
    readonly data: unknown;
    readonly valid: boolean;
  }[];
}

/** Undefined: the schema is refused. `odd`: the value is one that parsers read in two ways. */
function verdict(schema: unknown, value: unknown): boolean | 'odd' | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  let isRefused = false;
  compileSchema(schema, (_path, _message, severity) => {
    isRefused ||= severity !== 'warning';
  });
  if (isRefused) return undefined;
  const read = readJson(Buffer.from(JSON.stringify(value)), { depthMax: 64, valuesMax: 10_000 });
  if (read instanceof UnreadableBody) return 'odd';
  const misfit = schemaMisfit(valueSchema(schema), read.value, unmeasured);
  return misfit?.includes('some ') === true ? 'odd' : misfit === undefined;
}

test(
  'the official suite: what is taken has its verdict',
  { skip: suite === undefined ? 'JSON_SCHEMA_SUITE=FOLDER names a checkout' : false },
  (context) => {
    const files = globSync(join(suite ?? '', 'tests/draft2020-12/*.json'));
    assert.ok(files.length > 30, String(files.length));
    let [taken, refused, odd] = [0, 0, 0];
    const others: string[] = [];
    for (const file of files)
      for (const { description, schema, tests } of JSON.parse(readFileSync(file, 'utf8')) as readonly Group[])
        for (const one of tests) {
          const own = verdict(schema, one.data);
          if (own === undefined) refused += 1;
          else if (own === 'odd') odd += 1;
          else {
            taken += 1;
            if (own !== one.valid) others.push(`${basename(file)}: ${description}: ${one.description}`);
          }
        }
    context.diagnostic(
      `${taken} with the same verdict, ${refused} of refused schemas, ${odd} of values that parsers read in two ways`,
    );
    assert.deepEqual(others, []);
    assert.ok(taken > 500);
  },
);

test('ajv, on schemas and values that are made up', { skip }, (context) => {
  const require = createRequire(join(tools ?? '', 'package.json'));
  // It is there with the SDK of MCP, and no dependency here.
  const { Ajv2020 } = require(['ajv', 'dist/2020.js'].join('/')) as {
    Ajv2020: new (options: object) => { validate(schema: object, value: unknown): boolean };
  };
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  const random = seeded(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const value = (depth: number): unknown =>
    depth === 0 || random() < 0.4
      ? pick<unknown>([0, 1, 2.5, -1, '', 'a', 'ab', 'b-1', true, false, null, [], {}])
      : random() < 0.5
        ? Array.from({ length: Math.floor(random() * 4) }, () => value(depth - 1))
        : Object.fromEntries(
            ['a', 'b', 'c'].filter(() => random() < 0.5).map((name) => [name, value(depth - 1)]),
          );
  const schema = (depth: number): unknown => {
    const below = (): unknown => schema(depth - 1);
    const keywords: readonly (() => object)[] = [
      () => ({
        type: pick(['string', 'integer', 'number', 'object', 'array', 'null', 'boolean', ['string', 'null']]),
      }),
      () => ({ const: value(1) }),
      () => ({ enum: [value(1), value(0)] }),
      () => ({ pattern: pick(['^a', 'b$', '^[ab]{1,2}$', '\\d']) }),
      () => ({ minLength: 1, maxLength: 1 }),
      () => ({ minimum: 1 }),
      () => ({ exclusiveMaximum: 1 }),
      () => ({ multipleOf: 2 }),
      () => ({ minItems: 1, maxItems: 2 }),
      () => ({ uniqueItems: true }),
      () => ({ required: [pick(['a', 'b'])] }),
      () => ({ dependentRequired: { a: ['b'] } }),
      () => ({ minProperties: 1 }),
      ...(depth === 0
        ? []
        : [
            () => ({ properties: { a: below(), b: below() } }),
            () => ({ patternProperties: { '^[bc]$': below() } }),
            () => ({ properties: { a: below() }, additionalProperties: random() < 0.5 ? false : below() }),
            () => ({ propertyNames: { pattern: '^[ab]$' } }),
            () => ({ items: below() }),
            () => ({ prefixItems: [below(), below()], items: below() }),
            () => ({ contains: below() }),
            () => ({ contains: below(), minContains: 0, maxContains: 1 }),
            () => ({ allOf: [below(), below()] }),
            () => ({ anyOf: [below(), below()] }),
            () => ({ oneOf: [below(), below()] }),
            () => ({ not: below() }),
            () => Object.fromEntries(['if', 'then', 'else'].map((name) => [name, below()])),
          ]),
    ];
    return random() < 0.05 ? random() < 0.5 : Object.assign({}, pick(keywords)(), pick(keywords)());
  };
  /** Undefined: the code that ajv made of it fails. */
  const theirVerdict = (one: object, asked: unknown): boolean | undefined => {
    try {
      return ajv.validate(one, asked);
    } catch {
      return undefined;
    }
  };
  let compared = 0;
  let valid = 0;
  for (let i = 0; i < 800; i += 1) {
    const one = { ...(schema(3) as object) };
    for (let j = 0; j < 12; j += 1) {
      const asked = value(3);
      const own = verdict(one, asked);
      if (own === undefined || own === 'odd') continue;
      // ajv 8.20 lets an empty array pass "contains" beside "items"; the official suite does not.
      if (JSON.stringify(one).includes('"contains"') && JSON.stringify(asked).includes('[]')) continue;
      const theirs = theirVerdict(one, asked);
      if (theirs === undefined) continue;
      compared += 1;
      if (theirs) valid += 1;
      assert.equal(own, theirs, `${JSON.stringify(one)} on ${JSON.stringify(asked)}`);
    }
  }
  context.diagnostic(`${compared} verdicts alike, ${valid} of them good`);
  assert.ok(compared > 5000 && valid > 500);
});
