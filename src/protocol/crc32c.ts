// CRC32C (Castagnoli, RFC 3720 appendix B.4), eight octets a step: what a record on a disk is checked by.

const polynomial = 0x82f6_3b78;
const lanes = 8;

/** `tables[256 * n + octet]`: what the octet does to the sum if `n` others follow it. */
const tables = tablesOf();

/** The sum of the octets from `start` up to `end`, as an unsigned number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let sum = -1;
  let at = start;
  for (; at + lanes <= end; at += lanes) {
    sum ^=
      octet(bytes, at) |
      (octet(bytes, at + 1) << 8) |
      (octet(bytes, at + 2) << 16) |
      (octet(bytes, at + 3) << 24);
    sum =
      word(7, sum & 0xff) ^
      word(6, (sum >>> 8) & 0xff) ^
      word(5, (sum >>> 16) & 0xff) ^
      word(4, sum >>> 24) ^
      word(3, octet(bytes, at + 4)) ^
      word(2, octet(bytes, at + 5)) ^
      word(1, octet(bytes, at + 6)) ^
      word(0, octet(bytes, at + 7));
  }
  for (; at < end; at += 1) sum = (sum >>> 8) ^ word(0, (sum ^ octet(bytes, at)) & 0xff);
  return ~sum >>> 0;
}

function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function word(lane: number, value: number): number {
  return tables[256 * lane + value] ?? 0;
}

function tablesOf(): Int32Array {
  const made = new Int32Array(256 * lanes);
  for (let value = 0; value < 256; value += 1) {
    let sum = value;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ polynomial : sum >>> 1;
    made[value] = sum;
  }
  for (let at = 256; at < made.length; at += 1) {
    const before = made[at - 256] ?? 0;
    made[at] = (before >>> 8) ^ (made[before & 0xff] ?? 0);
  }
  return made;
}
