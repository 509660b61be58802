import assert from 'node:assert/strict';
import test from 'node:test';

import { listMembers, parseFields, type FieldRules } from '../../src/http/field-syntax.ts';

const rules: FieldRules = {
  malformed: 'request_malformed',
  tooLarge: 'head_too_large',
  countMax: 3,
  bytesMax: 100,
  lowerCaseNames: false,
};

test('values lose the spaces around them and keep bytes above 0x7F', () => {
  assert.deepEqual(parseFields(['A', ' \t b c\t '], rules).toRaw(), ['A', 'b c']);
  assert.deepEqual(parseFields(['A', 'caf\xe9'], rules).toRaw(), ['A', 'caf\xe9']);
  assert.deepEqual(parseFields(['A', ''], rules).toRaw(), ['A', '']);
});

test('a name that is not a token is refused', () => {
  for (const name of ['', ' X', 'X ', 'X\0', 'X:', 'X\r\nY', 'é', 'a b', 'x\u017f', '(x)']) {
    assert.throws(() => parseFields([name, 'v'], rules), { code: 'request_malformed' }, name);
  }
});

test('a control character or one beyond a byte in a value is refused, folded lines too', () => {
  for (const value of [
    'a\0b',
    '\x01',
    'a\r\n b',
    'a\nAuthorization: x',
    'a\rHost: evil.test',
    '\x7f',
    '\u010a',
    '\u2028',
    '\x0bchunked',
  ]) {
    assert.throws(() => parseFields(['X', value], rules), { code: 'request_malformed' }, value);
  }
});

test('count and size have limits, and a name without a value is refused', () => {
  assert.equal(parseFields(['a', '1', 'b', '2', 'c', '3'], rules).size, 3);
  assert.throws(() => parseFields(['a', '1', 'b', '2', 'c', '3', 'd', '4'], rules), {
    code: 'head_too_large',
  });
  assert.equal(parseFields(['a', 'x'.repeat(95)], rules).size, 1);
  assert.throws(() => parseFields(['a', 'x'.repeat(96)], rules), { code: 'head_too_large' });
  assert.throws(() => parseFields(['a'], rules), { code: 'request_malformed' });
});

test('HTTP/2 names have to be in lower case', () => {
  assert.throws(() => parseFields(['Accept', '*/*'], { ...rules, lowerCaseNames: true }), {
    code: 'request_malformed',
  });
});

test('list members are taken from all lines, in lower case', () => {
  assert.deepEqual(
    listMembers(parseFields(['Connection', 'Close,, X-A ', 'connection', 'b'], rules), 'connection'),
    ['close', 'x-a', 'b'],
  );
});
