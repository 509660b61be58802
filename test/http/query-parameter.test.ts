import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  canonicalQueryText,
  decodeParameter,
  readParameters,
  withParameter,
  withoutParameter,
} from '../../src/http/query-parameter.ts';
import { canary } from '../support/canary.ts';
import { openCredentialScene } from '../gateway/credentials/support/credential-scene.ts';

test('every parameter of the name goes, however its name is encoded, and the others keep their bytes', () => {
  const rows: readonly [string, string][] = [
    ['', ''],
    ['?', ''],
    ['?key=1', ''],
    ['?key', ''],
    ['?a=%7e+b&key=1&c', '?a=%7e+b&c'],
    ['?k%65y=1&key=2&KEY=3&Key[]=4&key[a]=5&+key=6', ''],
    ['?%FF=1&key=2', '?%FF=1'],
    ['?%=1&key=2', '?%=1'],
    ['?keyring=1&akey=2', '?keyring=1&akey=2'],
    ['?a=1;key=2&b=3;c;k%65y=4;', '?a=1&b=3;c;'],
    ['?key=1;key=2&a;b', '?a;b'],
  ];
  for (const [query, expected] of rows) assert.equal(withoutParameter(query, 'key'), expected, query);
});

test('a name is every name that some language takes for the same variable', () => {
  for (const query of [
    '?ACCESS_TOKEN=1',
    '?access.token=1',
    '?access-token=1',
    '?access%20token=1',
    '?access+token=1',
    '?access[token=1',
    '?access_token[]=1',
    '?%41ccess%2etoken=1',
    '?x;Access_Token=1',
  ])
    assert.doesNotMatch(withoutParameter(query, 'access_token'), /token/i, query);
  assert.equal(
    withoutParameter('?accesstoken=1&my_access_token=2', 'access_token'),
    '?accesstoken=1&my_access_token=2',
  );
});

test('parameters are read as forms are, and a semicolon gives a second reading', () => {
  const shown = (query: string): unknown => readParameters(query).map((map) => Object.fromEntries(map));
  assert.deepEqual(shown(''), [{}]);
  assert.deepEqual(shown('?a=1&b&%61=%2B+%C3%A9&&=x'), [{ a: ['1', '+ é'], b: [''], '': ['x'] }]);
  assert.deepEqual(shown('?a=%FF%zz%&a=1=2'), [{ a: ['\u{fffd}%zz%', '1=2'] }]);
  assert.deepEqual(shown('?a=1;b=2&c%3Bd=3'), [
    { a: ['1;b=2'], 'c;d': ['3'] },
    { a: ['1'], b: ['2'], 'c;d': ['3'] },
  ]);
});

test('the text of a query has one form whatever is encoded in it', () => {
  assert.equal(
    canonicalQueryText('?%61dmin=%7e&x=%2f%2F%25%zz&y=%C3%a9'),
    '?admin=~&x=%2F%2F%25%25zz&y=%C3%A9',
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('%', '4', '1', 'a', 'F', '&', '2'), maxLength: 20 }),
      (query) => {
        const once = canonicalQueryText(query);
        const values = (text: string): unknown => readParameters(`?${text}`).map((map) => Array.from(map));
        assert.deepEqual(values(once), values(query));
      },
    ),
    { numRuns: 1000, seed: 15 },
  );
});

test('the value is encoded, so that it stays one parameter', () => {
  assert.equal(withParameter('', 'key', 'a&b=c#d'), '?key=a%26b%3Dc%23d');
  assert.equal(withParameter('?x=1&key=own', 'key', 's'), '?x=1&key=s');
  assert.equal(decodeParameter('a+b%26'), 'a b&');
});

test('a query credential replaces what the client sent, and comes back in nothing', async () => {
  const secret = `${canary('query')}/+&`;
  await using scene = await openCredentialScene({
    credential: { kind: 'query', parameter: 'api_key', source: { env: 'KEY' } },
    environment: { KEY: secret },
  });
  const response = await scene.get('/in/list?api_key=own&page=2&api%5Fkey=own');
  assert.equal(response.status, 200);
  const expected = `/in/list?page=2&api_key=${encodeURIComponent(secret)}`;
  assert.equal(scene.seen[0]?.target, expected);
  assert.equal(response.headers.get('x-target')?.length, expected.length);
  assert.match(response.headers.get('x-target') ?? '', /^\/in\/list\?page=2&api_key=\*+$/);
  scene.assertKept(secret);
  const [event] = await scene.path.events(1);
  assert.deepEqual(event?.injected, ['it']);
  assert.equal(event?.path, '/in/list?api_key=own&page=2&api%5Fkey=own');
  await scene.get('/out/list?api_key=own');
  assert.equal(scene.seen[1]?.target, '/out/list?api_key=own');
});
