// Ids of a response where an operator says that they stand, whatever the client calls these places; and nothing that only looks like one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadGraphqlParser } from '../../src/understand/graphql-parser.ts';
import { idsIn } from '../../src/understand/graphql-ids.ts';
import { JsonObject } from '../../src/understand/json-value.ts';
import { jsonBody } from '../policy/fixture.ts';

const parser = await loadGraphqlParser();
const places = {
  isRoot: (name: string, input: JsonObject) => name === 'repository' && input.members.get('owner') === 'acme',
  paths: [['id'], ['issue', 'id'], ['issues', 'nodes', 'id']],
};

function learned(text: string, data: object, variables: object = {}): readonly string[] {
  const read = jsonBody(JSON.stringify({ response: { data }, variables }));
  assert.ok(read.kind === 'json' && read.value instanceof JsonObject);
  const given = read.value.members.get('variables');
  assert.ok(given instanceof JsonObject);
  const response = read.value.members.get('response') ?? null;
  return idsIn(response, { text, variables: given }, [places], parser)[0] ?? [];
}

const root = 'repository(owner: "acme", name: "app")';

test('ids stand where the query asks for them, under any name, in fragments and lists', () => {
  assert.deepEqual(learned(`{ ${root} { id } }`, { repository: { id: 'R' } }), ['R']);
  assert.deepEqual(
    learned(
      `query ($o: String!) { r: repository(owner: $o) { x: id ...F issues(first: 2) { nodes { ... on Issue { y: id } } } } }
       fragment F on Repository { i: issue(number: 1) { z: id title } }`,
      { r: { x: 'R', i: { z: 'I', title: 'T' }, issues: { nodes: [{ y: 'A' }, null, { y: 'B' }] } } },
      { o: 'acme' },
    ),
    ['R', 'A', 'B', 'I'],
  );
});

test('what only looks like an id is none', () => {
  const none: readonly (readonly [string, object, object?])[] = [
    // Another field under its name.
    [`{ ${root} { id: description } }`, { repository: { id: 'X' } }],
    [`{ ${root} { issue: parent { id } } }`, { repository: { issue: { id: 'X' } } }],
    [`{ repository: other(owner: "acme") { id } }`, { repository: { id: 'X' } }],
    // One name for two fields, of which the type decides.
    [`{ ${root} { ... on A { id } ... on B { id: description } } }`, { repository: { id: 'X' } }],
    [`{ ${root} { id ...F } } fragment F on B { id: description }`, { repository: { id: 'X' } }],
    [
      `{ ${root} { issue(number: 1) { id } } ... on Q { ${root} { issue: parent { id } } } }`,
      { repository: { issue: { id: 'X' } } },
    ],
    // Another thing.
    ['{ repository(owner: "other", name: "app") { id } }', { repository: { id: 'X' } }],
    ['{ repository(name: "app") { id } }', { repository: { id: 'X' } }],
    ['query ($o: String) { repository(owner: $o) { id } }', { repository: { id: 'X' } }, { o: 'other' }],
    [`{ a: ${root} { id } ... on Q { a: repository(owner: "other") { id } } }`, { a: { id: 'X' } }],
    // Other places.
    [`{ ${root} { owner { id } } }`, { repository: { owner: { id: 'X' } } }],
    [
      `{ ${root} { issue(number: 1) { author { id } } } }`,
      { repository: { issue: { author: { id: 'X' } } } },
    ],
    [`{ viewer { ${root} { id } } }`, { viewer: { repository: { id: 'X' } } }],
    // A directive that may say what a field gives.
    [`{ ${root} { id @default(value: "X") } }`, { repository: { id: 'X' } }],
    [`{ ${root} @x { id } }`, { repository: { id: 'X' } }],
    [`{ ${root} { ...F @x } } fragment F on R { id }`, { repository: { id: 'X' } }],
    [`{ ${root} { ...F } } fragment F on R @x { id }`, { repository: { id: 'X' } }],
    [`{ ${root} { ... @x { id } } }`, { repository: { id: 'X' } }],
    [`query @x { ${root} { id } }`, { repository: { id: 'X' } }],
    // Not a query, or not one.
    [`mutation { ${root} { id } }`, { repository: { id: 'X' } }],
    [`query A { ${root} { id } } query B { ${root} { id } }`, { repository: { id: 'X' } }],
    // No text.
    [`{ ${root} { id } }`, { repository: { id: { id: 'X' } } }],
    [`{ ${root} { id } }`, { repository: { id: true } }],
  ];
  for (const [text, data, variables] of none) assert.deepEqual(learned(text, data, variables), [], text);
  assert.deepEqual(learned(`{ ${root} { id @include(if: true) } }`, { repository: { id: 'R' } }), ['R']);
});

test('a number is learned by its text', () => {
  assert.deepEqual(learned(`{ ${root} { id } }`, { repository: { id: 7 } }), ['7']);
});

test('a fragment that many fields of one name share is not walked for each', () => {
  const text = `{ ${root} { ${'issue { ...F } '.repeat(1000)} } } fragment F on X { id ${'a '.repeat(3000)} }`;
  assert.deepEqual(learned(text, { repository: { issue: { id: 'I' } } }), []);
});

test('fragments that are shared again and again are not written out', () => {
  const wide = (name: string, next: string): string =>
    `fragment ${name} on X { ${Array.from({ length: 50 }, (_, i) => `a${i}: issue ${next}`).join(' ')} }`;
  const text = `{ ${root} { ...A } } ${wide('A', '{ ...B }')} fragment B on X { id }`;
  const data = { repository: { a1: { id: 'I' } } };
  assert.deepEqual(learned(text, data), ['I']);
  const many = `{ ${root} { issues { nodes { ${Array.from({ length: 3000 }, (_, i) => `a${i}: id`).join(' ')} } } } }`;
  const nodes = [...Array.from({ length: 30_000 }, () => ({})), { a2999: 'Z' }];
  assert.deepEqual(learned(many, { repository: { issues: { nodes } } }), ['Z']);
  const deep = { isRoot: places.isRoot, paths: [['issue', 'issue', 'issue', 'issue', 'id']] };
  const bomb = `{ ${root} { ...A } } ${wide('A', '{ ...B }')} ${wide('B', '{ ...C }')} ${wide('C', '{ ...D }')} ${wide('D', '{ id }')}`;
  assert.deepEqual(idsIn(new JsonObject(new Map()), { text: bomb, variables: undefined }, [deep], parser), [
    [],
  ]);
});
