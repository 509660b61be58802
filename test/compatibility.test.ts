// What the tree of the first release accepted, exported and wrote is still there and means the same: names, numbers and defaults.
// test/vectors/first-release/names.json was made from that tree and is not written anew.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as library from '../src/index.ts';
import { errorTable } from '../src/protocol/error-table.ts';
import { limitTable } from '../src/protocol/limits.ts';
import { schemaNames } from './support/schema-names.ts';

interface FirstRelease {
  readonly configuration: readonly string[];
  readonly policy: readonly string[];
  readonly errors: Readonly<Record<string, readonly [http: number, wire: number, exit: number]>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly library: readonly string[];
  readonly libraryTypes: readonly string[];
  readonly auditFields: readonly string[];
}

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const first = JSON.parse(read('test/vectors/first-release/names.json')) as FirstRelease;

/** Defaults that were changed on purpose, with the reason. */
const changedLimits: Readonly<Record<string, string>> = {
  decisionStepsMax: 'one decision held all sessions for some 10 ms; an index finds what needed so many steps',
  originPoolsMax: 'connections are kept by session and by credentials, no longer by principal',
  originPoolsPerPrincipalMax: 'connections are kept by session and by credentials, no longer by principal',
};

for (const [what, file] of [
  ['configuration', 'schema/gateway.schema.json'],
  ['policy', 'schema/policy.schema.json'],
] as const) {
  test(`every key and value that the ${what} took is taken`, () => {
    assert.ok(first[what].length > 100);
    const now = new Set(schemaNames(JSON.parse(read(file))));
    assert.deepEqual(
      first[what].filter((name) => !now.has(name)),
      [],
    );
  });
}

test('every error code has its status, its number on the wire and its exit code', () => {
  const now = new Map(
    Object.entries(errorTable).map(([code, { http, wire, exit }]) => [code, [http, wire, exit]]),
  );
  for (const [code, numbers] of Object.entries(first.errors)) assert.deepEqual(now.get(code), numbers, code);
  const wires = [...now.values()].map(([, wire]) => wire);
  assert.equal(new Set(wires).size, wires.length, 'a number stands for one code');
});

test('every limit is there with its default', () => {
  const now = new Map(Object.entries(limitTable).map(([name, { value }]) => [name, value]));
  for (const [name, value] of Object.entries(first.limits)) {
    assert.ok(now.has(name), name);
    if (changedLimits[name] === undefined) assert.equal(now.get(name), value, name);
  }
});

test('the library exports what it exported', () => {
  for (const name of first.library) assert.equal(typeof Reflect.get(library, name), 'function', name);
  const source = read('src/index.ts');
  for (const name of first.libraryTypes) assert.match(source, new RegExp(`\\b${name}\\b`), name);
});

test('an audit event has the fields that it had', () => {
  assert.ok(first.auditFields.length > 20);
  const table = read('docs/reference/audit.md');
  for (const name of first.auditFields) assert.ok(table.includes(`\`${name}\``), name);
});
