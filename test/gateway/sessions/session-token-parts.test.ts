import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasDuplicateMember, splitToken } from '../../../src/gateway/sessions/session-token-parts.ts';
import { encode } from '../session-fixture.ts';

const split = (token: string) =>
  splitToken(token, { name: 'The token', code: 'token_malformed', bytesMax: 200 });

test('header and payload are given as objects', () => {
  assert.deepEqual(split(`${encode({ alg: 'x' })}.${encode({ sub: 'y' })}.c2ln`), {
    header: { alg: 'x' },
    payload: { sub: 'y' },
  });
});

test('what JSON.stringify writes never has a duplicate member', () => {
  fc.assert(
    fc.property(fc.json(), (json) => hasDuplicateMember(json) === false),
    { numRuns: 300 },
  );
});

test('a member written twice is found wherever the object stands', () => {
  fc.assert(
    fc.property(fc.string(), fc.json(), fc.json(), (name, first, second) => {
      const key = JSON.stringify(name);
      const object = `{ ${key} : ${first}, ${key}:${second}}`;
      return hasDuplicateMember(object) && hasDuplicateMember(`{"outer":[1,${object}]}`);
    }),
    { numRuns: 300 },
  );
});

test('any text gives parts or token_malformed, and nothing else', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (token) => {
      try {
        split(token);
      } catch (error) {
        assert.equal(error instanceof Error && 'code' in error && error.code, 'token_malformed');
      }
    }),
    { numRuns: 300 },
  );
});
