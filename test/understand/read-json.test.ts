// JSON that all parsers read alike is read; what two of them could read differently is not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import {
  InexactNumber,
  JsonObject,
  type JsonValue,
  UnreadableBody,
} from '../../src/understand/json-value.ts';
import { type JsonBounds, readJson } from '../../src/understand/read-json.ts';
import { seeded } from '../support/seeded.ts';

const bounds: JsonBounds = { depthMax: defaultLimits.jsonDepthMax, valuesMax: defaultLimits.jsonValuesMax };
const read = (text: string | Uint8Array, own = bounds): JsonValue | UnreadableBody => {
  const result = readJson(typeof text === 'string' ? Buffer.from(text) : text, own);
  return result instanceof UnreadableBody ? result : result.value;
};

/** As `JSON.parse` gives it. */
function plain(value: JsonValue): unknown {
  if (value instanceof JsonObject)
    return Object.fromEntries([...value.members].map(([name, member]) => [name, plain(member)]));
  if (value instanceof InexactNumber) return Number(value.text);
  return Array.isArray(value) ? value.map(plain) : value;
}

describe('what is read', () => {
  for (const text of [
    '{}',
    '[]',
    ' [ 1 , {"a" : [ ] } ]\r\n\t',
    '{"a":{"b":[true,false,null,"x",-1.5e3]}}',
    String.raw`"\"\\\/\b\f\n\r\té😀"`,
    '"é😀\u007f"',
    '0',
    '1E5',
    '{"":1,"__proto__":2,"constructor":3}',
    '{"a":1,"A":2}',
  ])
    test(text, () => {
      const value = read(text);
      assert.ok(!(value instanceof UnreadableBody), text);
      const expected: unknown = JSON.parse(text);
      assert.deepEqual(JSON.stringify(plain(value)), JSON.stringify(expected));
    });
});

describe('what is not read', () => {
  const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
  for (const [name, text, reason] of [
    ['a name twice', '{"a":1,"a":1}', /the name "a" a second time/],
    ['a name twice, once escaped', String.raw`{"é":1,"\u00e9":2}`, /a second time/],
    ['a letter that is escaped in a name', String.raw`{"\u0061":2}`, /escape that it does not need/],
    ['a NUL in a name', String.raw`{"\u0000":2}`, /a NUL/],
    ['a digit that is', String.raw`{"x\u0031":2}`, /escape that it does not need/],
    ['a number of JavaScript', 'NaN', /no value/],
    ['a word in capitals', 'True', /no value/],
    ['half a pair', String.raw`"\ud83d"`, /surrogate/],
    ['two halves in the wrong order', String.raw`"\ude00\ud83d"`, /surrogate/],
    ['a byte order mark', '\ufeff{}', /byte order mark/],
    ['UTF-16', Buffer.from('{}', 'utf16le'), /no name|not end|control|UTF-8|no value/],
    ['an octet that is no UTF-8', octets(0x22, 0xff, 0x22), /UTF-8/],
    ['an encoded surrogate', octets(0x22, 0xed, 0xa0, 0x80, 0x22), /UTF-8/],
    ['an overlong slash', octets(0x22, 0xc0, 0xaf, 0x22), /UTF-8/],
    ['a comment', '{}/**/', /behind its value/],
    ['a comment inside', '{/**/}', /no name/],
    ['a second value', '{}{}', /behind its value/],
    ['a NUL behind', '{}\0', /behind its value/],
    ['a comma too many', '[1,]', /no value/],
    ['a member too many', '{"a":1,}', /no name/],
    ['a name without quotes', '{a:1}', /no name/],
    ['single quotes', "{'a':1}", /no name/],
    ['a leading zero', '01', /behind its value/],
    ['a bare point', '.5', /no value/],
    ['a point without digits', '1.', /no number/],
    ['a plus sign', '+1', /no value/],
    ['a hexadecimal number', '0x10', /behind its value/],
    ['a tab in a string', '"\t"', /control character/],
    ['an unknown escape', String.raw`"\x41"`, /escape/],
    ['a short escape', String.raw`"\u12"`, /escape/],
    ['a blank that is none of JSON', '\u00a0{}', /no value/],
    ['an unfinished string', '"a', /does not end/],
    ['nothing', '', /no value/],
    ['too deep', '['.repeat(65) + ']'.repeat(65), /inside each other/],
  ] as const)
    test(name, () => {
      const value = read(text);
      assert.ok(value instanceof UnreadableBody, name);
      assert.match(value.reason, reason);
    });
});

test('numbers that some parsers round have their text, and no value', () => {
  for (const text of [
    '9007199254740993',
    '-9007199254740993',
    '1e400',
    '-0',
    '0.12345678901234567',
    '1e-400',
  ])
    assert.deepEqual(read(text), new InexactNumber(text), text);
  for (const text of ['9007199254740991', '0.1', '1e5', '-1.25', '0.000001', '0.0'])
    assert.equal(read(text), Number(text));
});

test('depth and number of values have bounds', () => {
  assert.ok(!(read('['.repeat(64) + ']'.repeat(64)) instanceof UnreadableBody));
  const small = { depthMax: 2, valuesMax: 5 };
  assert.deepEqual(plain(read('[1,2,3,4]', small) as JsonValue), [1, 2, 3, 4]);
  assert.ok(read('[1,2,3,4,5]', small) instanceof UnreadableBody);
  assert.ok(read('{"a":1,"b":2,"c":3}', small) instanceof UnreadableBody);
});

test('of generated texts, what is read is what JSON.parse reads, and a changed octet changes both alike or is not read', () => {
  const random = seeded(20_261_127);
  const below = (count: number): number => Math.floor(random() * count);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const value = (depth: number): string => {
    const kind = depth > 4 ? below(4) : below(6);
    if (kind === 0) return pick(['true', 'false', 'null', '0', '-1', '12.5', '1e3', '123456']);
    if (kind < 4) return string();
    const count = below(4);
    if (kind === 4) return `[${Array.from({ length: count }, () => value(depth + 1)).join(', ')}]`;
    // Names that some escape: V8 14.6 itself reads them wrong, which test:understanding shows with other parsers.
    return `{${Array.from({ length: count }, () => `${string().replaceAll('\\', '/')}:${value(depth + 1)}`).join(',')}}`;
  };
  const string = (): string =>
    `"${Array.from({ length: below(6) }, () => pick(['a', 'b', String.raw`\u0061`, String.raw`\n`, 'é', '😀', '{', ' ', String.raw`\\`])).join('')}"`;
  let [whole, changed] = [0, 0];
  for (let round = 0; round < 20_000; round++) {
    const text = Buffer.from(value(0));
    if (round % 2 === 1) {
      const at = below(text.length);
      text[at] = pick([0x22, 0x5c, 0x7b, 0x7d, 0x2c, 0x3a, 0x00, 0x20, 0xff, 0x2f, 0x31]);
    }
    const own = read(text);
    if (own instanceof UnreadableBody) continue;
    if (round % 2 === 1) changed += 1;
    else whole += 1;
    // Whatever is read, the parser of JavaScript reads so.
    assert.deepEqual(
      JSON.stringify(plain(own)),
      JSON.stringify(JSON.parse(text.toString())),
      text.toString(),
    );
  }
  assert.ok(whole > 5000 && changed > 500, `${whole} ${changed}`);
});
