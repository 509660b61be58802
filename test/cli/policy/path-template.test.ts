import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { admits, literalPattern, pathTemplate } from '../../../src/cli/policy/path-template.ts';
import { canonicalTarget } from '../../../src/http/request-target.ts';

describe('ids, hashes and versions become named segments', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/v1/models', '/v1/models'],
    ['/2/users', '/2/users'],
    ['/users/1234', '/users/:id'],
    ['/repos/acme/app/issues/17/comments/9', '/repos/acme/app/issues/:id/comments/:id2'],
    ['/o/0f8fad5b-d9cb-469f-a165-70867728950e', '/o/:uuid'],
    ['/blobs/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', '/blobs/:hash'],
    ['/commit/1a2b3c4', '/commit/:hash'],
    ['/pkg/1.2.3-rc.1/meta', '/pkg/:version/meta'],
    ['/left-pad/-/left-pad-1.3.0.tgz', '/left-pad/-/:file'],
    ['/@acme%2Ftool', '/@acme%2Ftool'],
    ['/days/2024-01-31', '/days/:date'],
    ['/defaced/feed', '/defaced/feed'],
    ['/a:b/c*(d)', '/a\\:b/c\\*\\(d\\)'],
    ['/simple//x', '/simple//x'],
  ];
  for (const [path, template] of rows) test(path, () => assert.equal(pathTemplate(path), template));
});

test('a path that is too long for a pattern is learnt by its beginning, and not as every path', () => {
  for (const path of [
    `/files/${'x'.repeat(600)}`,
    `/files/${'%C3%BC'.repeat(200)}`,
    `/files/${'(*)'.repeat(250)}`,
    `/files;v=1/${'y%2Fz'.repeat(200)}`,
  ]) {
    const template = pathTemplate(path) ?? '';
    assert.match(template, /^\/files.*\*$/, path);
    assert.ok(admits(template, path));
    assert.equal(admits(template, '/other'), false);
  }
});

test('whatever the path is, its template and its literal pattern admit it', () => {
  const segment = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.uuid(),
    fc.nat().map(String),
    fc.constantFrom('a%2Fb', 'x;v=1', ''),
  );
  let tried = 0;
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
      let path: string;
      try {
        ({ path } = canonicalTarget(
          `/${segments.map((one) => (/%2F|;/.test(one) ? one : encodeURIComponent(one))).join('/')}`,
        ));
      } catch {
        return;
      }
      tried += 1;
      const template = pathTemplate(path);
      assert.ok(template !== undefined && admits(template, path), `${path} → ${template}`);
      assert.ok(admits(literalPattern(path), path), path);
    }),
  );
  assert.ok(tried > 50);
});
