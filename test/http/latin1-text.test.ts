import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { HeadLines, latin1Text } from '../../src/http/latin1-text.ts';

const seed = 20261128;

/** What each octet is, without a decoder: the other way would be a decoder too. */
function plainText(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCodePoint(octet)).join('');
}

/** Around where another way of decoding begins, where a call has all its arguments, and where the window of a head ends. */
const lengths = [0, 1, 63, 64, 65, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 8193, 20_000];

/** Octets by which the ways of decoding differ: whole characters of UTF-8, parts of them, its mark of an order, what is none of it. */
const stretches = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 80 }).map((text) => Buffer.from(text)),
  },
  fc.uint8Array({ maxLength: 80 }),
  fc.uint8Array({ min: 0x80, maxLength: 8 }),
  fc.constantFrom('é', '€', '😀', '\ufffd', '\ufeff', '\u0080').map((text) => Buffer.from(text)),
  fc
    .constantFrom([0xc3], [0xe2, 0x82], [0xef, 0xbf], [0xed, 0xa0, 0x80], [0xc0, 0x80])
    .map((octets) => Uint8Array.from(octets)),
  fc.nat({ max: 5000 }).map((length) => Buffer.alloc(length, 'a')),
);

const octets = fc.array(stretches, { maxLength: 12 }).map((pieces) => new Uint8Array(Buffer.concat(pieces)));

test('a text has one character for each octet, as a plain decoding gives it', () => {
  const property = fc.property(octets, fc.nat(), fc.nat(), (bytes, a, b) => {
    const [start = 0, end = 0] = [a % (bytes.length + 1), b % (bytes.length + 1)].sort((x, y) => x - y);
    assert.equal(latin1Text(bytes, start, end), plainText(bytes.subarray(start, end)));
    assert.equal(latin1Text(bytes, 0, bytes.length), plainText(bytes));
  });
  fc.assert(property, { numRuns: 2000, seed });
});

test('at each length at which another way begins, one octet that is not ASCII changes nothing, wherever it stands', () => {
  for (const length of lengths) {
    const ascii = new Uint8Array(length).fill(0x61);
    assert.equal(latin1Text(ascii, 0, length), 'a'.repeat(length));
    for (const octet of [0x00, 0x7f, 0x80, 0xc3, 0xff])
      for (const at of new Set([0, length >> 1, length - 1])) {
        if (at < 0 || at >= length) continue;
        const bytes = ascii.slice();
        bytes[at] = octet;
        assert.equal(latin1Text(bytes, 0, length), plainText(bytes), `${length} ${at} ${octet}`);
      }
  }
});

/** Lines as heads have them, empty and very long ones among them; the last one may have no end. */
const heads = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.oneof(
          { weight: 3, arbitrary: octets.filter((bytes) => bytes.length < 200) },
          fc.constant(new Uint8Array()),
          fc.constantFrom(...lengths).map((length) => new Uint8Array(length).fill(0x62)),
          octets,
        ),
        fc.constantFrom('\n', '\r\n', '\r\r\n'),
      ),
      { maxLength: 12 },
    ),
    octets,
  )
  .map(([lines, rest]) => {
    const whole = lines.flatMap(([line, end]) => [Buffer.from(line), Buffer.from(end)]);
    return new Uint8Array(Buffer.concat([...whole, rest]));
  });

/** The lines that end in these octets, each with where it begins. */
function plainLines(bytes: Uint8Array): readonly (readonly [start: number, line: string])[] {
  const lines: [number, string][] = [];
  for (let start = 0; ;) {
    const newline = bytes.indexOf(0x0a, start);
    if (newline === -1) return lines;
    lines.push([start, plainText(bytes.subarray(start, newline + 1))]);
    start = newline + 1;
  }
}

/** Reads as a parser does: where no line is given, its end is looked for in another way. */
function linesOf(lines: HeadLines, bytes: Uint8Array): readonly (readonly [start: number, line: string])[] {
  const read: [number, string][] = [];
  for (let start = 0; start < bytes.length;) {
    const line = lines.lineAt(bytes, start);
    const newline = bytes.indexOf(0x0a, start);
    if (line === undefined) {
      const isFar = newline === -1 || newline - start >= 1024;
      assert.ok(isFar, `the line at ${start} ends near, and was not given`);
      if (newline === -1) return read;
    }
    read.push([start, line ?? plainText(bytes.subarray(start, newline + 1))]);
    start = newline + 1;
  }
  return read;
}

test('lines are those of a plain decoding, however long, empty or cut off they are', () => {
  const property = fc.property(heads, (bytes) => {
    assert.deepEqual(linesOf(new HeadLines(), bytes), plainLines(bytes));
  });
  fc.assert(property, { numRuns: 1500, seed });
});

test('a line whose end is the last octet of a chunk is given, and one without its end is not', () => {
  for (const length of lengths) {
    const line = `${'a'.repeat(Math.max(0, length - 1))}\n`;
    const bytes = Buffer.from(line);
    const lines = new HeadLines();
    assert.equal(lines.lineAt(bytes, 0), bytes.length <= 1024 ? line : undefined, String(length));
    // As a part of what was read, whose other octets are nobody's.
    const part = Buffer.from(`${line}\n`).subarray(0, bytes.length - 1);
    assert.equal(lines.lineAt(part, 0), undefined, String(length));
  }
});

test('nothing of a chunk is in the lines of the next one, though it is read into the same octets', () => {
  const lines = new HeadLines();
  const bytes = new Uint8Array(4096);
  const chunks = fc.array(fc.tuple(heads, fc.boolean()), { minLength: 2, maxLength: 4 });
  const property = fc.property(chunks, (all) => {
    for (const [chunk, isReadWhole] of all) {
      // What is behind a chunk is the end of many empty lines.
      bytes.fill(0x0a).set(chunk.subarray(0, bytes.length));
      if (isReadWhole) assert.deepEqual(linesOf(lines, bytes), plainLines(bytes));
      // As a request whose body comes with its head: what is known of the chunk is where the next one begins.
      else if (bytes.indexOf(0x0a) < 1024) assert.equal(lines.lineAt(bytes, 0), plainLines(bytes)[0]?.[1]);
      lines.forget();
    }
  });
  fc.assert(property, { numRuns: 300, seed });
});

test('lines of two chunks in turn, and of places before the last one, are those of the chunk that is asked', () => {
  const property = fc.property(heads, heads, fc.array(fc.nat(), { maxLength: 20 }), (one, other, places) => {
    const lines = new HeadLines();
    for (const [i, place] of places.entries()) {
      const bytes = i % 3 === 2 ? other : one;
      if (bytes.length === 0) continue;
      const start = place % bytes.length;
      const newline = bytes.indexOf(0x0a, start);
      const line = lines.lineAt(bytes, start);
      if (line !== undefined) assert.equal(line, plainText(bytes.subarray(start, newline + 1)));
      else assert.ok(newline === -1 || newline - start >= 1024);
    }
  });
  fc.assert(property, { numRuns: 1000, seed });
});
