import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { LeakSearch } from '../../../src/gateway/leaks/leak-search.ts';
import { formsOfValue, sample, soughtFor } from '../support/leaks.ts';

function namesIn(
  text: string | Buffer,
  values: Readonly<Record<string, string>>,
  cuts: readonly number[] = [],
) {
  const bytes = Buffer.from(text);
  const search = new LeakSearch(soughtFor(values));
  const points = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return points
    .slice(1)
    .flatMap((point, i) => search.run(bytes.subarray(points[i], point)))
    .map(({ name }) => name);
}

for (const value of [sample.token, sample.password, sample.hex])
  for (const [form, written] of Object.entries(formsOfValue(value)))
    test(`${value.slice(0, 4)}… is found as ${form}, wherever pieces are cut`, () => {
      for (const [before, behind] of [
        ['', ''],
        ['{"a":"', '"}'],
        ['x=', '&y=1'],
      ] as const) {
        const text = `${before}${written}${behind}`;
        for (const cuts of [[], [1], [text.length - 1], Array.from({ length: text.length }, (_, i) => i)])
          assert.deepEqual(namesIn(text, { held: value }, cuts), ['held'], text);
      }
      assert.deepEqual(namesIn(written, { other: sample.other }), []);
    });

test('a value that lacks its last octet is not found, in any form', () => {
  const value = sample.token;
  for (const written of Object.values(formsOfValue(value.slice(0, -2))))
    assert.deepEqual(namesIn(`${written}#`, { held: value }), []);
});

test('a value in pieces with dots, blanks or line ends between them is found, in any case', () => {
  const value = sample.token;
  for (const text of [
    value.split('').join('.'),
    value.toUpperCase(),
    value.match(/.{1,5}/g)?.join('", "') ?? '',
    value.match(/.{1,7}/g)?.join('\r\n') ?? '',
    Buffer.from(value, 'utf16le').toString('latin1'),
  ])
    assert.deepEqual(namesIn(text, { held: value }), ['held'], text);
});

test('a value of 15 octets is not searched for, one of 16 is', () => {
  assert.deepEqual(namesIn('a-b-c-d-e-f-g-h', { held: 'a-b-c-d-e-f-g-h' }), []);
  assert.deepEqual(namesIn('a-b-c-d-e-f-g-h-', { held: 'a-b-c-d-e-f-g-h-' }), ['held']);
});

test('the lines of a key are found, and what every key has is not', () => {
  const lines = Array.from({ length: 4 }, () => randomBytes(48).toString('base64'));
  const pem = ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----'].join('\n');
  for (const line of lines) assert.deepEqual(namesIn(`"${line}"`, { key: pem }), ['key']);
  assert.deepEqual(namesIn('-----BEGIN PRIVATE KEY-----\nabc', { key: pem }), []);
});

test('of two values of which one ends with the other both are told, but what the rule itself sends', () => {
  const inner = 'inner0123456789abcdef';
  const values = { outer: `outer${inner}`, inner };
  assert.deepEqual(namesIn(values.outer, values).toSorted(), ['inner', 'outer']);
  const search = new LeakSearch({ ...soughtFor(values), own: new Set(['outer']) });
  assert.deepEqual(
    search.run(Buffer.from(values.outer)).map(({ name }) => name),
    ['inner'],
  );
});

test('what is found is counted once, however many of its forms end there', () => {
  const text = `${Buffer.from(`u:${sample.token}`).toString('base64')} and ${sample.token}`;
  assert.deepEqual(namesIn(text, { held: sample.token }), ['held', 'held']);
});

test('texts without the value have nothing in them', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 400 }), fc.array(fc.nat(), { maxLength: 5 }), (text, cuts) => {
      assert.deepEqual(namesIn(text, { held: sample.token, hex: sample.hex }, cuts), []);
    }),
    { numRuns: 300, seed: 20_261 },
  );
});
