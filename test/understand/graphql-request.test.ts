// What a request to a server of GraphQL asks for, and requests that two servers could take for different ones.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { loadGraphqlParser } from '../../src/understand/graphql-parser.ts';
import { type GraphqlRequest, readGraphql } from '../../src/understand/graphql-request.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { jsonBody } from '../policy/fixture.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const tools = { parser: await loadGraphqlParser(), sha256 };

type Read = GraphqlRequest | UnreadableBody;

function ofJson(body: unknown, query = ''): Read {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return readGraphql({ method: 'POST', query, body: jsonBody(text) }, tools);
}

function ofUrl(query: string, method = 'GET'): Read {
  return readGraphql({ method, query, body: { kind: 'none' } }, tools);
}

/** `query Name viewer, repository depth/aliases/cost`, one for each operation. */
function shown(read: Read): readonly string[] {
  if (read instanceof UnreadableBody) return [`unreadable: ${read.reason}`];
  return read.asked.flatMap((asked) =>
    asked.kind === 'kept'
      ? [`kept ${asked.id}`]
      : asked.operations.map(
          ({ type, name, fields, depth, aliases, cost }) =>
            `${type} ${name} ${fields.map((field) => field.name).join(',')} ${depth}/${aliases}/${cost}`,
        ),
  );
}

const document = (text: string, variables?: object): readonly string[] =>
  shown(ofJson({ query: text, ...(variables === undefined ? {} : { variables }) }));

function reasonOf(read: Read): string {
  assert.ok(read instanceof UnreadableBody, JSON.stringify(read));
  return read.reason;
}

describe('what a document asks for', () => {
  for (const [text, ...expected] of [
    ['{ viewer { login } }', 'query  viewer 2/0/2'],
    ['query A { a } mutation B { b c }', 'query A a 1/0/1', 'mutation B b,c 1/0/2'],
    ['subscription S { s }', 'subscription S s 1/0/1'],
    // Whatever it is called, and whether or not a directive takes it away.
    ['mutation { viewer: deleteRepo }', 'mutation  deleteRepo 1/1/1'],
    ['{ a @skip(if: true) b @include(if: false) { c } }', 'query  a,b 2/0/3'],
    // Fragments of any type, one inside another, a second time.
    [
      'mutation { ...F ... on Anything { inner } ... { plain } ...F } fragment F on Mutation { a ...G } fragment G on Mutation { b { c } }',
      'mutation  plain,inner,a,b 2/0/8',
    ],
    // Comments, block strings and commas.
    ['# mutation { a }\r\n{ b(x: """ } mutation { a } """), # }\n c }', 'query  b,c 1/0/2'],
    ['{a,,b:a}', 'query  a,a 1/1/2'],
    // Pages multiply what is in them.
    ['{ a(first: 50) { nodes { b(last: 10) { c } } } }', 'query  a 4/0/1100'],
    ['query ($n: Int = 5) { a(first: $n) { b } }', 'query  a 2/0/10'],
    ['{ a(first: -1) { b } }', 'query  a 2/0/Infinity'],
    ['{ a(first: "9") }', 'query  a 1/0/Infinity'],
  ] as const)
    test(text, () => {
      assert.deepEqual(document(text), expected);
    });

  test('values of variables stand for their defaults, and arguments have them', () => {
    const query = 'query ($n: Int = 5, $i: In!, $no: Int) { a(first: $n, input: $i, x: [$i, E], none: $no) }';
    const read = ofJson({ query, variables: { n: 7, i: { id: 'X' } } });
    assert.deepEqual(shown(read), ['query  a 1/0/7']);
    assert.ok(!(read instanceof UnreadableBody) && read.asked[0]?.kind === 'document');
    const input = read.asked[0].operations[0]?.fields[0]?.input.members;
    assert.deepEqual([...(input?.keys() ?? [])], ['first', 'input', 'x']);
    assert.deepEqual(JSON.stringify(input?.get('x')), '[{"members":{}},"E"]');
  });

  test('a document that is endless when it is written out takes no more time than it is long', () => {
    const bomb = Array.from(
      { length: 60 },
      (_, i) => `fragment B${i} on Q { ...B${i + 1} ...B${i + 1} b: c }`,
    );
    const text = `{ ...B0 } ${bomb.join(' ')} fragment B60 on Q { d }`;
    assert.deepEqual(document(text), [`query  c${',c'.repeat(59)},d 1/${2 ** 60}/${2 ** 61}`]);
  });
});

describe('documents that are not read', () => {
  for (const [text, reason] of [
    ['', /not a document of GraphQL/],
    ['{', /not a document of GraphQL/],
    ['{ a } }', /not a document of GraphQL/],
    ['{ a(x: "\\q") }', /not a document of GraphQL/],
    ['{ a } # \u2028 } mutation { b }', /a character that servers read in two ways/],
    ['\ufeff{ a }', /a character that servers read in two ways/],
    ['mutation { deleteRef #\r: addComment\n (id:"x") { id } }', /a character that servers read in two ways/],
    [
      'mutation { addComment(x: ["""\\"""""", "] ) deleteRef(y: [" ] ) # " ] )\n}',
      /quotes that servers read/,
    ],
    ['{ a(x: """a""""""b""") }', /quotes that servers read in two ways/],
    ['{ a(x: """"b""") }', /quotes that servers read in two ways/],
    ['{ a } # \0', /a character that servers read in two ways/],
    ['{ a } { b }', /two operations of one name/],
    ['query A { a } query A { b }', /two operations of one name/],
    ['query A { a } { b }', /an operation without a name beside others/],
    ['fragment F on Q { a }', /without an operation/],
    ['{ a } type T { b: Int }', /defines types/],
    ['{ ...F }', /has no fragment "F"/],
    ['{ ...F } fragment F on Q { a } fragment F on Q { b }', /the fragment "F" twice/],
    ['{ ...F } fragment F on Q { ...G } fragment G on Q { a { ...F } }', /"F" that leads to itself/],
    ['{ a(x: 1, x: 2) }', /an argument twice/],
    ['{ a(x: { y: 1, y: 2 }) }', /an argument twice/],
    ['query ($a: Int, $a: Int) { b }', /a variable twice/],
    ['{ a(x: $b) }', /a variable that is not declared/],
    [`{ ${'a { '.repeat(70)} b ${'}'.repeat(71)}`, /graphqlNestingMax/],
    [`{ a(x: ${'['.repeat(9000)}) }`, /graphqlNestingMax/],
    [`{ ${'a '.repeat(10_001)} }`, /graphqlTokensMax/],
    [
      `{ ...F0 } ${Array.from({ length: 100 }, (_, i) => `fragment F${i} on Q { ...F${i + 1} }`).join(' ')} fragment F100 on Q { a }`,
      /deeper than graphqlNestingMax/,
    ],
    [`{ a } ${'#\n'.repeat(10_001)}`, /graphqlTokensMax comments/],
    [
      `${Array.from({ length: 20 }, (_, i) => `query A${i} { ...F }`).join(' ')} fragment F on Q { ${'a '.repeat(600)} }`,
      /operations have more than graphqlTokensMax fields/,
    ],
    [
      `${Array.from({ length: 32 }, (_, i) => `query A${i} { ...F }`).join(' ')} fragment F on Q { a(x: [${'1 '.repeat(4000)}]) }`,
      /operations come to more than graphqlTokensMax fields and values/,
    ],
    [
      `${Array.from({ length: 32 }, (_, i) => `query A${i} { ...F }`).join(' ')} fragment F on Q { a { ${'b '.repeat(4000)} } }`,
      /operations come to more than graphqlTokensMax fields and values/,
    ],
    [Array.from({ length: 33 }, (_, i) => `query A${i} { a }`).join(' '), /more than 32 operations/],
  ] as const)
    test(`${text.slice(0, 60)} …`, () => {
      assert.match(reasonOf(ofJson({ query: text })), reason);
    });
});

describe('requests', () => {
  const query = '{ a }';
  const hash = (text: string): object => ({ persistedQuery: { version: 1, sha256Hash: sha256(text) } });

  test('a body, a URL, an array, a hash and a documentId', () => {
    assert.deepEqual(shown(ofJson({ query, variables: null, operationName: 'x' })), ['query  a 1/0/1']);
    assert.deepEqual(shown(ofJson([{ query }, { query: 'mutation { b }' }])), [
      'query  a 1/0/1',
      'mutation  b 1/0/1',
    ]);
    assert.deepEqual(shown(ofJson({ extensions: hash(query) })), [`kept sha256:${sha256(query)}`]);
    assert.deepEqual(shown(ofJson({ query, extensions: hash(query) })), ['query  a 1/0/1']);
    assert.deepEqual(shown(ofJson({ documentId: 'known' })), ['kept known']);
    const parameters = new URLSearchParams({
      query: 'query ($n: Int) { a(first: $n) }',
      variables: '{"n": 3}',
    });
    assert.deepEqual(shown(ofUrl(`?${parameters.toString()}`)), ['query  a 1/0/3']);
    assert.deepEqual(shown(ofUrl(`?extensions=${encodeURIComponent(JSON.stringify(hash(query)))}`)), [
      `kept sha256:${sha256(query)}`,
    ]);
  });

  for (const [what, body, reason] of [
    ['no object', '"x"', /no request of GraphQL/],
    ['no document', {}, /has no document/],
    ['an empty array', [], /an array of none/],
    ['a long array', Array.from({ length: 21 }, () => ({ query })), /more than 20 requests/],
    ['an array in an array', [[{ query }]], /no request of GraphQL/],
    [
      'tokens of several',
      Array.from({ length: 3 }, () => ({ query: `{ ${'a '.repeat(4000)} }` })),
      /graphqlTokensMax/,
    ],
    ['another member', { query, id: 'x' }, /has "id", by which some servers find another document/],
    ['a member in another case', { query, Query: 'mutation { b }' }, /some parsers take for "query"/],
    ['a name in another case alone', { QUERY: query }, /some parsers take for "query"/],
    ['variables that are text', { query, variables: '{}' }, /variables that are no object/],
    ['a query that is no text', { query: [query] }, /query that is no text/],
    [
      'a hash of another text',
      { query, extensions: hash('mutation { b }') },
      /sha256Hash that is not of its query/,
    ],
    [
      'a hash in upper case',
      { query, extensions: { persistedQuery: { sha256Hash: 'A'.repeat(64) } } },
      /without a sha256Hash/,
    ],
    ['a hash that is none', { query, extensions: { persistedQuery: true } }, /without a sha256Hash/],
    [
      'a hash in another case',
      { query, extensions: { persistedQuery: { sha256hash: 'x' } } },
      /some parsers take/,
    ],
    ['a documentId beside a query', { query, documentId: 'x' }, /documentId beside another document/],
    [
      'a documentId beside a hash',
      { documentId: 'x', extensions: hash(query) },
      /documentId beside another document/,
    ],
  ] as const)
    test(what, () => {
      assert.match(reasonOf(ofJson(body)), reason);
    });

  for (const [url, reason] of [
    ['', /has no document|none of GraphQL's/],
    ['?query={a}&query=mutation{b}', /the parameter query twice/],
    ['?query={a}&query[]=x', /the parameter "query\[\]"/],
    ['?query={a}&Query=x', /the parameter "Query"/],
    ['?query={a};x', /with a semicolon/],
    ['?query=%ff', /not encoded as UTF-8/],
    ['?query={a}&variables={"a":1,"a":2}', /the name "a" a second time/],
    ['?query={a}&', /the parameter ""/],
    ['?query=mutation{a}', /GET is for/],
    ['?query=subscription{a}', /GET is for/],
    ['?query=query A{a} mutation B{b}&operationName=A', /GET is for/],
  ] as const)
    test(`GET ${url}`, () => {
      assert.match(reasonOf(ofUrl(url)), reason);
    });

  test('a query in the URL beside a body, another method, and what is no JSON', () => {
    assert.match(reasonOf(ofJson({ query }, '?query={b}')), /a query in the URL/);
    assert.match(reasonOf(ofUrl('?query={a}', 'DELETE')), /has no body/);
    const body = { kind: 'unreadable', reason: 'is not UTF-8' } as const;
    assert.match(reasonOf(readGraphql({ method: 'POST', query: '', body }, tools)), /is not UTF-8/);
  });

  test('the most that is read takes little time', () => {
    const { graphqlTokensMax } = defaultLimits;
    const text = `{ ${'a '.repeat(graphqlTokensMax - 2)}}`;
    assert.equal(shown(ofJson({ query: text }))[0]?.endsWith(`1/0/${graphqlTokensMax - 2}`), true);
  });
});
