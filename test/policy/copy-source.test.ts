import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { namingAnother } from '../../src/http/request-field-table.ts';
import { otherResource } from '../../src/policy/copy-source.ts';
import { access } from './fixture.ts';

const [bucket, url] = [namingAnother.get('x-amz-copy-source'), namingAnother.get('x-ms-copy-source')];

function read(host: string, value: string, resource = bucket): readonly string[] | undefined {
  const asked = access(`PUT https://${host}/k`);
  assert.ok(asked.depth === 'request' && resource !== undefined);
  return otherResource(value, resource, asked)?.map(
    ({ method, destination, path, query }) => `${method} ${destination.host}${path}${query}`,
  );
}

test('a bucket stands in the host or in the path, first as in the request', () => {
  const [inHost, inPath] = [
    'GET b.s3.eu.amazonaws.com/k/x?versionId=1',
    'GET s3.eu.amazonaws.com/b/k/x?versionId=1',
  ];
  assert.deepEqual(read('a.s3.eu.amazonaws.com', 'b/k/x?versionId=1'), [inHost, inPath]);
  assert.deepEqual(read('s3.eu.amazonaws.com', '/b/k/x?versionId=1'), [inPath, inHost]);
  assert.deepEqual(read('a.b.storage.googleapis.com', 'c/k')?.[0], 'GET c.storage.googleapis.com/k');
  assert.deepEqual(read('oss-cn-x.aliyuncs.com', '/c/k')?.[0], 'GET oss-cn-x.aliyuncs.com/c/k');
});

test('what has no form that is known is nothing', () => {
  for (const value of [
    '',
    '/',
    'b',
    '/b',
    'arn:aws:s3:::b/k',
    '/B/k',
    '/b../k',
    '//b/k',
    '/b/../../k%',
    '/a b/k',
    '/b/%00',
  ])
    assert.equal(read('s3.eu.amazonaws.com', value), undefined, value);
  assert.equal(read('files.example.com', '/b/k'), undefined);
  for (const value of [
    '/c/k',
    'http://a.test.example/k',
    'https://u:p@a.test.example/k',
    'ftp://a.test.example/k',
    '',
  ])
    assert.equal(read('a.test.example', value, url), undefined, value);
});

test('whatever it says, it is a canonical request to one host', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('/', 'b', '.', '%2F', '%2e', '?', 'k', ':', '@', '-'),
        maxLength: 12,
      }),
      (value) => {
        for (const one of read('s3.eu.amazonaws.com', value) ?? [])
          assert.match(one, /^GET (?:[a-z0-9._-]+\.)?s3\.eu\.amazonaws\.com\/(?!.*\/\.\.?(?:[/?]|$))/);
      },
    ),
    { numRuns: 2000, seed: 144 },
  );
});
