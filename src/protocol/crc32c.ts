// CRC32C (Castagnoli, RFC 3720 appendix B.4), eight octets a step: what a record on a disk is checked by.

const polynomial = 0x82f6_3b78;
const lanes = 8;

/** `tables[256 * n + octet]`: what the octet does to the sum if `n` others follow it. */
const tables = tablesOf();

/** The sum of the octets from `start` up to `end`, as an unsigned number. Who sums many parts makes `view`, of all the octets, once. */
export function crc32c(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
): number {
  let sum = -1;
  let at = start;
  for (; at + lanes <= end; at += lanes) {
    // Two reads of four octets: in half of the time of eight reads of one.
    sum ^= view.getInt32(at, true);
    const later = view.getInt32(at + 4, true);
    sum =
      word(7, sum & 0xff) ^
      word(6, (sum >>> 8) & 0xff) ^
      word(5, (sum >>> 16) & 0xff) ^
      word(4, sum >>> 24) ^
      word(3, later & 0xff) ^
      word(2, (later >>> 8) & 0xff) ^
      word(1, (later >>> 16) & 0xff) ^
      word(0, later >>> 24);
  }
  for (; at < end; at += 1) sum = (sum >>> 8) ^ word(0, (sum ^ (bytes[at] ?? 0)) & 0xff);
  return ~sum >>> 0;
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
