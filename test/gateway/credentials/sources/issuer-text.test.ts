import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hostOf, jsonOf } from '../../../../src/gateway/credentials/sources/issuer-text.ts';

test('what is no JSON is nothing, and no error that quotes it', () => {
  assert.deepEqual(jsonOf('{"a":1}'), { a: 1 });
  assert.equal(jsonOf('secret'), undefined);
});

test('an issuer is named by its host, without path and query', () => {
  assert.equal(hostOf('https://issuer.example.com:8443/token?a=secret'), 'issuer.example.com:8443');
  assert.equal(hostOf('no url'), 'in the configuration');
});
