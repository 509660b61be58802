import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { digitsAtEnd, splitNumber } from '../../src/http/digits-at-end.ts';

const texts = fc.string({ unit: fc.constantFrom('a', '.', ':', '0', '7', '９', '\n', ']'), maxLength: 12 });

test('the digits that a text ends with are those that an expression finds', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(digitsAtEnd(text), text.search(/[0-9]*$/));
      const [, before, digits] = /^([^]*):([0-9]+)$/.exec(text) ?? [];
      assert.deepEqual(splitNumber(text, ':'), digits === undefined ? undefined : { before, digits });
    }),
  );
});

test('the mark is the one that is asked for', () => {
  assert.deepEqual(splitNumber('rules.yaml:12', ':'), { before: 'rules.yaml', digits: '12' });
  assert.deepEqual(splitNumber('192.0.2.1', '.'), { before: '192.0.2', digits: '1' });
  assert.equal(splitNumber('192.0.2.1', ':'), undefined);
  assert.equal(splitNumber('12', ':'), undefined);
  assert.equal(splitNumber('a:', ':'), undefined);
});
