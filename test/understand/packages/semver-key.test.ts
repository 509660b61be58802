// Keys of versions are in the order of the versions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { semverKey } from '../../../src/understand/packages/semver-key.ts';
import { versionOrders } from '../../../src/understand/packages/version-order.ts';

const number = fc.oneof(fc.nat(3), fc.constantFrom(9, 10, 11, 99, 100, 2 ** 40)).map(String);
const word = fc.stringMatching(/^[0-9A-Za-z-]{0,3}[A-Za-z-][0-9A-Za-z-]{0,2}$/);
const pre = fc.array(fc.oneof(number, word, fc.constantFrom('a', 'ab', 'a-', 'a0', '-')), { maxLength: 3 });
const version = fc
  .tuple(number, number, number, pre, fc.constantFrom('', '+b', '+a.1'))
  .map(
    ([a, b, c, parts, build]) =>
      `${[a, b, c].join('.')}${parts.length === 0 ? '' : '-'}${parts.join('.')}${build}`,
  );

test('keys are in the order of the versions, and equal where those are', () => {
  const { isVersion, compare } = versionOrders.npm;
  fc.assert(
    fc.property(version, version, fc.boolean(), (a, b, isNear) => {
      const other = isNear ? `${a.split('-', 1)[0] ?? ''}-${b.split('-')[1] ?? '0'}` : b;
      fc.pre(isVersion(a) && isVersion(other));
      const [one, two] = [semverKey(a), semverKey(other)];
      assert.equal(one < two ? -1 : one > two ? 1 : 0, compare(a, other), `${a} ${other}`);
    }),
    { numRuns: 3000, seed: 7 },
  );
});
