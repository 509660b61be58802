import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ClaimSelector, sameSelectors, selects } from '../../src/policy/claim-selector.ts';

describe('claims fit a selector or not', () => {
  const claims = {
    repository: 'acme/app',
    ref: 'refs/heads/main',
    run: 7,
    trusted: true,
    groups: ['dev', 'ops'],
    'kubernetes.io': { namespace: 'build', serviceaccount: { name: 'runner' } },
  };
  const rows: readonly [string, ClaimSelector, boolean][] = [
    ['the same text', { repository: 'acme/app' }, true],
    ['other text', { repository: 'acme/other' }, false],
    ['text in another case', { repository: 'Acme/app' }, false],
    ['a star at the end', { repository: 'acme/*' }, true],
    ['a star for nothing', { repository: 'acme/app*' }, true],
    ['a star in the middle', { ref: 'refs/*/main' }, true],
    ['stars that do not fit', { ref: '*heads/x*' }, false],
    ['parts that would overlap', { repository: 'acme/app*app' }, false],
    ['one of several', { ref: ['refs/heads/dev', 'refs/heads/main'] }, true],
    ['none of several', { ref: ['refs/heads/dev'] }, false],
    ['a number', { run: 7 }, true],
    ['a number as text', { run: '7' }, false],
    ['a star for a number', { run: '*' }, false],
    ['a boolean', { trusted: true }, true],
    ['a member of a list', { groups: 'ops' }, true],
    ['no member of a list', { groups: 'admin' }, false],
    ['a map', { 'kubernetes.io': { namespace: 'build', serviceaccount: { name: 'run*' } } }, true],
    ['a map with another value', { 'kubernetes.io': { namespace: 'prod' } }, false],
    ['a map where there is a list', { groups: { length: 2 } }, false],
    ['an absent claim', { absent: '*' }, false],
    ['all of several claims', { repository: 'acme/*', run: 8 }, false],
    ['an inherited name', { toString: '*' }, false],
  ];
  for (const [name, selector, expected] of rows) {
    test(`${name}: ${expected ? 'fits' : 'does not fit'}`, () =>
      assert.equal(selects(selector, claims), expected));
  }
});

test('selectors are the same if they are written the same', () => {
  assert.equal(sameSelectors([{ a: 1 }], [{ a: 1 }]), true);
  assert.equal(sameSelectors([{ a: 1 }], [{ a: 1 }, { b: 1 }]), false);
});
