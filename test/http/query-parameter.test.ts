import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeParameter, withParameter, withoutParameter } from '../../src/http/query-parameter.ts';
import { canary } from '../support/canary.ts';
import { openCredentialScene } from '../gateway/credentials/support/credential-scene.ts';

test('every parameter of the name goes, however its name is encoded, and the others keep their bytes', () => {
  const rows: readonly [string, string][] = [
    ['', ''],
    ['?', ''],
    ['?key=1', ''],
    ['?key', ''],
    ['?a=%7e+b&key=1&c', '?a=%7e+b&c'],
    ['?k%65y=1&key=2&KEY=3', '?KEY=3'],
    ['?%=1&key=2', '?%=1'],
    ['?keyring=1&akey=2', '?keyring=1&akey=2'],
    ['?a=1;key=2&b=3;c;k%65y=4;', '?a=1&b=3;c;'],
    ['?key=1;key=2&a;b', '?a;b'],
  ];
  for (const [query, expected] of rows) assert.equal(withoutParameter(query, 'key'), expected, query);
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
