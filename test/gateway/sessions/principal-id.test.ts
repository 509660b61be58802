import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { principalIdOf } from '../../../src/gateway/sessions/principal-id.ts';

test('a principal is its issuer and its subject, as they are where nothing in them could be mistaken', () => {
  assert.equal(
    principalIdOf('https://issuer.example.com', 'repo:a|b%7C'),
    'https://issuer.example.com|repo:a|b%7C',
  );
});

test('no two pairs of issuer and subject give one principal', () => {
  assert.notEqual(principalIdOf('a|b', 'c'), principalIdOf('a', 'b|c'));
  assert.notEqual(principalIdOf('a|b', 'c'), principalIdOf('a%7Cb', 'c'));
  const part = fc.string({ unit: fc.constantFrom('a', '|', '%', '7', 'C', '2', '5'), maxLength: 6 });
  fc.assert(
    fc.property(part, part, part, part, (issuer, subject, otherIssuer, otherSubject) => {
      const isSame = issuer === otherIssuer && subject === otherSubject;
      assert.equal(principalIdOf(issuer, subject) === principalIdOf(otherIssuer, otherSubject), isSame);
    }),
    { seed: 7, numRuns: 5_000 },
  );
  // Each from its own parts again.
  fc.assert(
    fc.property(part, part, (issuer, subject) => {
      const [head = '', ...rest] = principalIdOf(issuer, subject).split('|');
      assert.equal(head.replaceAll('%7C', '|').replaceAll('%25', '%'), issuer);
      assert.equal(rest.join('|'), subject);
    }),
    { seed: 7, numRuns: 2_000 },
  );
});
