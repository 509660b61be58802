import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  der,
  derBitString,
  derInteger,
  derOid,
  derSequence,
  derTag,
  derTime,
  readDerElement,
  readDerElements,
  readDerOid,
  readDerTime,
} from '../../src/pki/der.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('DER is written as X.690 says', () => {
  test('lengths take the shortest form', () => {
    const lengths = [0, 1, 127, 128, 255, 256, 65_535, 65_536].map((length) =>
      hex(der(derTag.octetString, new Uint8Array(length)).subarray(0, 5)),
    );
    assert.deepEqual(lengths, [
      '0400',
      '040100',
      '047f000000',
      '0481800000',
      '0481ff0000',
      '0482010000',
      '0482ffff00',
      '0483010000',
    ]);
  });

  test('integers are positive and minimal', () => {
    assert.equal(hex(derInteger(bytes('00'))), '020100');
    assert.equal(hex(derInteger(bytes(''))), '020100');
    assert.equal(hex(derInteger(bytes('7f'))), '02017f');
    assert.equal(hex(derInteger(bytes('80'))), '02020080');
    assert.equal(hex(derInteger(bytes('0000 0001'))), '020101');
  });

  test('object identifiers are base 128', () => {
    assert.equal(hex(derOid('2.5.29.17')), '0603551d11');
    assert.equal(hex(derOid('1.2.840.10045.4.3.2')), '06082a8648ce3d040302');
    assert.equal(hex(derOid('1.3.6.1.5.5.7.3.1')), '06082b06010505070301');
  });

  test('bit strings count their unused bits', () => {
    assert.equal(hex(derBitString(bytes('80'), 7)), '03020780');
  });

  test('times are UTCTime up to 2049 and GeneralizedTime after', () => {
    const time = (text: string): string => {
      const element = derTime(Date.parse(text));
      return `${element[0]?.toString(16) ?? ''} ${Buffer.from(element.subarray(2)).toString('latin1')}`;
    };
    assert.equal(time('2026-01-02T03:04:05.678Z'), '17 260102030405Z');
    assert.equal(time('2049-12-31T23:59:59Z'), '17 491231235959Z');
    assert.equal(time('2050-01-01T00:00:00Z'), '18 20500101000000Z');
  });
});

describe('DER is read strictly', () => {
  test('what was written is read again', () => {
    const [first, second] = readDerElements(
      readDerElement(derSequence(derOid('2.5.4.3'), derTime(1_800_000_000_000)), derTag.sequence).contents,
    );
    assert.equal(readDerOid(first!), '2.5.4.3');
    assert.equal(readDerTime(second!), 1_800_000_000_000);
  });

  test('years of UTCTime are 1950 to 2049', () => {
    const time = (text: string): number =>
      readDerTime(readDerElement(der(derTag.utcTime, Buffer.from(text, 'latin1')), derTag.utcTime));
    assert.equal(time('491231235959Z'), Date.parse('2049-12-31T23:59:59Z'));
    assert.equal(time('500101000000Z'), Date.parse('1950-01-01T00:00:00Z'));
    for (const text of ['4912312359Z', '491331235959Z', '491231235959+0100', '']) {
      assert.throws(() => time(text), RangeError, text);
    }
  });

  for (const [name, text] of [
    ['a length beyond the end', '0405 0102'],
    ['the indefinite length', '3080 0000'],
    ['a length that is not minimal', '048101 00'],
    ['a long length that is not minimal', '0482007f'],
    ['a length of five octets', '04850000000001 00'],
    ['a tag of several octets', '1f8101 00'],
    ['a tag without a length', '04'],
    ['a length that is cut off', '0482 01'],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(() => readDerElements(bytes(text)), RangeError);
    });
  }

  test('bytes behind the one element and another tag are refused', () => {
    assert.throws(() => readDerElement(bytes('0500 00'), 0x05), /behind/);
    assert.throws(() => readDerElement(bytes('0500'), derTag.sequence), /tag/);
  });
});
