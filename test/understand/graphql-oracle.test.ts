// What is read of a document of GraphQL is what a parser of another language reads: of generated documents, whole ones and broken ones, with
// all that could lead a reader to another operation, field or argument than a server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadGraphqlParser } from '../../src/understand/graphql-parser.ts';
import { readGraphql } from '../../src/understand/graphql-request.ts';
import {
  InexactNumber,
  JsonObject,
  type JsonValue,
  UnreadableBody,
} from '../../src/understand/json-value.ts';
import { seeded } from '../support/seeded.ts';
import { jsonBody } from '../policy/fixture.ts';
import { readWithGraphqlCore } from './support/graphql-core.ts';

const parser = await loadGraphqlParser();

/** As JSON with sorted names and without characters beyond ASCII. */
function dump(value: JsonValue): string {
  if (value instanceof InexactNumber) return value.text;
  if (value instanceof JsonObject)
    return `{${[...value.members]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => `${ascii(name)}:${dump(one)}`)
      .join(',')}}`;
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(dump).join(',')}]`;
  return typeof value === 'string' ? ascii(value) : JSON.stringify(value);
}

const ascii = (text: string): string =>
  // As Python writes it.
  JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** In the form of the other parser; undefined: it is not read. */
function own(request: string): string | undefined {
  const body = jsonBody(request);
  if (body.kind !== 'json') return undefined;
  const read = readGraphql({ method: 'POST', query: '', body }, { parser, sha256: () => '' });
  if (read instanceof UnreadableBody || read.asked[0]?.kind !== 'document') return undefined;
  return JSON.stringify(
    read.asked[0].operations.map(({ type, name, fields, depth, aliases }) => [
      type,
      name,
      fields.map((field) => `${field.name}${dump(field.input)}`).toSorted((a, b) => (a < b ? -1 : 1)),
      depth,
      aliases,
    ]),
  );
}

function requests(seed: number, count: number): readonly string[] {
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const names = [
    'viewer',
    'repository',
    'deleteRef',
    'a',
    '__typename',
    'on',
    'query',
    'mutation',
    'fragment',
    'true',
    'null',
  ];
  const fragments = ['F', 'G', 'H'];
  const gap = (): string =>
    pick([' ', ' ', ' ', ' ', '\n', ',', '\r\n', '\t', ' # } mutation { x }\n', ' #\r\n', '\r\n', '  ,  ']);
  const text = (): string =>
    pick([
      '""',
      '"x"',
      '"a } mutation { b"',
      String.raw`"\"} {"`,
      String.raw`"\u0041\n"`,
      '"é😀"',
      '"""\n  } mutation { b\n    c\n  """',
      String.raw`"""a \" } "b" """`,
      '"""x"""',
      '"# not"',
    ]);
  const value = (depth: number): string => {
    const kind = below(depth > 2 ? 6 : 8);
    if (kind === 0) return pick(['1', '-2', '0', '1.5', '12345', '007', '1e3', '9007199254740991']);
    if (kind < 3) return text();
    if (kind === 3) return pick(['true', 'false', 'null', 'OPEN', 'on', 'type']);
    if (kind < 6) return pick(['$v', '$w', '$n']);
    const items = Array.from({ length: below(3) }, () => value(depth + 1));
    return kind === 6
      ? `[${items.join(gap())}]`
      : `{${items.map((item, at) => `${pick(['k', 'id', 'on'])}${at}:${item}`).join(gap())}}`;
  };
  const input = (): string =>
    below(2) === 0
      ? ''
      : `(${Array.from({ length: 1 + below(2) }, (_, at) => `${pick(['first', 'id', 'input', 'on'])}${below(12) === 0 ? '' : at}:${value(0)}`).join(gap())})`;
  const directive = (): string => pick(['', '', '', ' @skip(if: true)', ' @include(if: $v)', ' @x']);
  const selection = (depth: number): string => {
    const kind = below(depth > 4 ? 5 : 9);
    if (kind === 0) return `...${gap()}${pick(fragments)}${directive()}`;
    const alias = below(3) === 0 ? `${pick(names)}${gap().replaceAll('#', ' #')}:` : '';
    if (kind < 6) return `${alias}${pick(names)}${input()}${directive()}`;
    if (kind === 6) return `...${pick(['', ' on Mutation', ' on Query', ' @x'])}${set(depth + 1)}`;
    return `${alias}${pick(names)}${input()}${directive()}${set(depth + 1)}`;
  };
  const set = (depth: number): string =>
    `{${gap()}${Array.from({ length: 1 + below(3) }, () => selection(depth)).join(gap())}${gap()}}`;
  const variables = [
    '',
    '($v: Int = 3, $w: In = {a: ["x"]}, $n: [ID!]!)',
    '($v: Int $w: In $n: Int)',
    '($v: Boolean = true @d, $w: Int, $n: X = null)',
  ];
  const definition = (at: number): string => {
    if (below(3) === 0) return `fragment ${fragments[at % 3]}${gap()}on${gap()}Query${directive()}${set(1)}`;
    return `${pick(['query', 'mutation', 'subscription'])} ${pick(['A', 'B', 'C', 'on', 'query'])}${at}${pick(variables)}${directive()}${set(0)}`;
  };
  return Array.from({ length: count }, (_, at) => {
    const isShort = below(5) === 0;
    const parts = isShort ? [set(0)] : Array.from({ length: 1 + below(3) }, (__, place) => definition(place));
    const spread = fragments.map((name) => `fragment ${name} on Query ${set(3)}`);
    let document = [...parts, ...(below(3) > 0 ? spread : [])].join(gap());
    // One character of it is another one.
    if (at % 4 === 0) {
      const place = below(document.length);
      const odd = pick([
        '{',
        '}',
        '"',
        '#',
        '\n',
        '\u2028',
        '\ufeff',
        '\0',
        '\r',
        String.raw`\"""`,
        '&',
        '|',
        '...',
        '\\',
        '',
        'é',
        '(',
        '$',
        '"""',
      ]);
      document = document.slice(0, place) + odd + document.slice(place + 1);
    }
    return JSON.stringify({
      query: document,
      variables: pick([{}, { v: 1, w: { a: 'é' } }, { n: ['x', null], v: null }]),
    });
  });
}

describe('of generated documents each that is read is read alike by', () => {
  const isLong = process.env['TEST_UNDERSTANDING'] !== undefined;
  const all = requests(20_261_127, isLong ? 5000 : 300);
  const read = all.map(own);

  test('graphql-core, of Python', async (context) => {
    const others = await readWithGraphqlCore(all);
    if (others === undefined) {
      context.skip('graphql-core is not installed');
      return;
    }
    assert.equal(others.length, all.length);
    let refused = 0;
    for (const [at, mine] of read.entries()) {
      if (mine === undefined) continue;
      // Who refuses it runs nothing of it.
      if (others[at] === '-') refused += 1;
      else assert.equal(others[at], mine, all[at] ?? '');
    }
    assert.ok(refused < all.length / 50, String(refused));
  });

  test('and enough of them are read, and enough are not', () => {
    const count = read.filter((one) => one !== undefined).length / all.length;
    assert.ok(count > 0.2 && count < 0.8, String(count));
  });
});
