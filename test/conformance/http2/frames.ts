// Frames of HTTP/2 (RFC 9113 §4.1, §6) and fields of HPACK (RFC 7541 §6), right and wrong, as octets.

export const frameTypes = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  reset: 0x3,
  settings: 0x4,
  push: 0x5,
  ping: 0x6,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const flags = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** @param stream with the reserved bit, if it is to be set */
export function frame(
  type: number,
  flag: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) octets.writeUInt32BE(value >>> 0, 4 * at);
  return octets;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) =>
    Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]),
  );
  return frame(frameTypes.settings, 0, 0, Buffer.concat(payload));
}

export type Field = readonly [name: string, value: string];

/** Literal fields that are not indexed (RFC 7541 §6.2.2), without Huffman coding. */
export function fieldBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const octets = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(octets.length, 7), octets]);
}

/** RFC 7541 §5.1, with the bits before the prefix zero. */
function integer(value: number, prefixBits: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.of(value);
  const octets = [max];
  let left = value - max;
  for (; left >= 128; left = Math.floor(left / 128)) octets.push((left % 128) + 128);
  octets.push(left);
  return Buffer.from(octets);
}

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes whole frames off the front; gives them and the octets that are left. */
export function takeFrames(octets: Buffer): {
  readonly frames: readonly ReceivedFrame[];
  readonly rest: Buffer;
} {
  const frames: ReceivedFrame[] = [];
  let at = 0;
  while (octets.length >= at + 9) {
    const end = at + 9 + octets.readUIntBE(at, 3);
    if (octets.length < end) break;
    frames.push({
      type: octets[at + 3] ?? 0,
      flags: octets[at + 4] ?? 0,
      stream: octets.readUInt32BE(at + 5) & 0x7fffffff,
      payload: octets.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, rest: octets.subarray(at) };
}

const staticStatuses = [200, 204, 206, 304, 400, 404, 500];

/** The status that a block begins with; 0 where it begins with something else. */
export function statusOf(block: Buffer): number {
  // Updates of the table's size come first.
  const start = block.findIndex((octet) => (octet & 0xe0) !== 0x20);
  const first = block[start] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return staticStatuses[first - 0x88] ?? 0;
  if ((first & 0x3f) !== 8 && first !== 0x08) return 0;
  const length = block[start + 1] ?? 0;
  const value = block.subarray(start + 2, start + 2 + (length & 0x7f));
  return Number(length >= 0x80 ? huffmanDigits(value) : value.toString('latin1'));
}

/** RFC 7541 Appendix B: 0, 1 and 2 have five bits, the other digits six. */
function huffmanDigits(octets: Buffer): string {
  const bits = [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  let digits = '';
  for (let at = 0; digits.length < 3 && at < bits.length;) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2);
    const isShort = short <= 2;
    digits += isShort ? short : Number.parseInt(bits.slice(at, at + 6), 2) - 0b011001 + 3;
    at += isShort ? 5 : 6;
  }
  return digits;
}
