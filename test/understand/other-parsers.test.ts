// What is read is what parsers of other languages read: of generated texts, whole ones and broken ones.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import {
  InexactNumber,
  JsonObject,
  type JsonValue,
  UnreadableBody,
} from '../../src/understand/json-value.ts';
import { readJson } from '../../src/understand/read-json.ts';
import { seeded } from '../support/seeded.ts';
import { readerNames, readWith } from './support/readers.ts';

const bounds = { depthMax: defaultLimits.jsonDepthMax, valuesMax: defaultLimits.jsonValuesMax };

/** In the form of the other parsers; a number that is not exact has none. */
function dump(value: JsonValue): string {
  if (value === null) return 'n';
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (typeof value === 'string') return `s${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'number') return `d${value}`;
  if (value instanceof InexactNumber) return 'd?';
  if (value instanceof JsonObject)
    return `{${[...value.members]
      .map(([name, one]) => `${Buffer.from(name).toString('hex')}:${dump(one)}`)
      .toSorted()
      .join(',')}}`;
  return `[${(value as readonly JsonValue[]).map(dump).join(',')}]`;
}

/** Numbers as JavaScript writes them; nothing of them where some are such as parsers round. */
function alike(text: string, isInexact: boolean): string {
  return text.replaceAll(/d([^,\]}]*)/g, (_, digits: string) => (isInexact ? 'd' : `d${Number(digits)}`));
}

/** Texts that are JSON, and texts that nearly are. */
function texts(seed: number, count: number): readonly Buffer[] {
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const letters = [
    'a',
    'B',
    'é',
    '😀',
    'ſ',
    '\u212a',
    String.raw`\u00e9`,
    String.raw`\ud83d\ude00`,
    String.raw`\n`,
    String.raw`\/`,
    String.raw`\u0061`,
    String.raw`\u0000`,
    ' ',
    '\u2028',
  ];
  const odd = [String.raw`\ud800`, String.raw`\x41`, '\t', '\u0000', String.raw`\u00`, '\u007f'];
  const string = (): string =>
    `"${Array.from({ length: below(4) }, () => (below(40) === 0 ? pick(odd) : pick(letters))).join('')}"`;
  const number = (): string =>
    pick([
      '0',
      '-0',
      '1',
      '-12',
      '1.5',
      '1e3',
      '1E-2',
      '9007199254740991',
      '9007199254740993',
      '1e400',
      '0.1',
      '123456789012345678901234567890',
      '1.',
      '.5',
      '01',
      '+1',
      '0x1',
      'NaN',
      'Infinity',
      '-',
      '1e',
    ]);
  const value = (depth: number): string => {
    const kind = below(depth > 3 ? 4 : 7);
    if (kind === 0) return pick(['true', 'false', 'null', 'True', 'nul']);
    if (kind === 1) return number();
    if (kind < 4) return string();
    const items = Array.from({ length: below(4) }, () => value(depth + 1));
    if (kind === 4) return `[${items.join(pick([',', ', ', ',\n']))}${below(30) === 0 ? ',' : ''}]`;
    return `{${items.map((item) => `${below(30) === 0 ? 'a' : string()}${pick([':', ' : '])}${item}`).join(',')}${below(30) === 0 ? ',' : ''}}`;
  };
  const around = (text: string): string =>
    pick(['', '', '', '', ' ', '\ufeff', '/**/', '\u00a0']) +
    text +
    pick(['', '', '', '', '\n', '//', ' x', '\u0000', '{}']);
  return Array.from({ length: count }, (_, at) => {
    const text = Buffer.from(around(value(0)));
    if (at % 5 === 0 && text.length > 0) text[below(text.length)] = below(256);
    return at % 97 === 0 ? Buffer.from(text.toString(), 'utf16le') : text;
  });
}

describe('of 6,000 generated texts each that is read is read alike by', () => {
  const all = texts(20_261_127, 6000);
  const own = all.map((text) => readJson(text, bounds));
  const read = own.flatMap((text, at) => (text instanceof UnreadableBody ? [] : [{ at, value: text.value }]));

  for (const name of readerNames)
    test(name, async (context) => {
      // Its compiler takes most of a minute.
      if (name === 'go' && process.env['TEST_UNDERSTANDING'] === undefined) {
        context.skip('go is for npm run test:understanding');
        return;
      }
      const others = await readWith(name, all);
      if (others === undefined) {
        context.skip(`${name} is not installed`);
        return;
      }
      assert.equal(others.length, all.length);
      let refused = 0;
      for (const { at, value } of read) {
        const mine = dump(value);
        const inexact = mine.includes('d?');
        const shown = all[at]?.toString() ?? '';
        // Who refuses it reads nothing else.
        if (others[at] === '-') {
          refused += 1;
          continue;
        }
        assert.equal(alike(others[at] ?? '', inexact), alike(mine, inexact), shown);
      }
      // Numbers beyond the range of a double.
      assert.ok(refused < read.length / 20, String(refused));
    });

  test('and enough of them are read, and enough are not', () => {
    assert.ok(read.length > 800 && read.length < 3000, String(read.length));
  });
});
