import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/protocol/crc32c.ts';

// RFC 3720 appendix B.4, as the numbers that their octets are in little endian.
const vectors: readonly (readonly [string, Uint8Array, number])[] = [
  ['nothing', new Uint8Array(0), 0],
  ['the check value of the catalogue', Buffer.from('123456789'), 0xe306_9283],
  ['32 octets of zeroes', new Uint8Array(32), 0x8a91_36aa],
  ['32 octets of ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
  ['32 octets that rise', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd_794e],
  ['32 octets that fall', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113f_db5c],
];

for (const [name, bytes, sum] of vectors) {
  test(`the sum of ${name}`, () => assert.equal(crc32c(bytes), sum));
}

test('a part has the sum that it has alone, wherever it begins and ends', () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 151) & 0xff);
  for (let start = 0; start < 20; start += 1) {
    for (let end = start; end < 64; end += 1) {
      assert.equal(crc32c(bytes, start, end), crc32c(bytes.slice(start, end)));
    }
  }
});

test('each changed bit changes the sum', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 7);
  const sum = crc32c(bytes);
  for (let bit = 0; bit < 320; bit += 1) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(crc32c(changed), sum);
  }
});
