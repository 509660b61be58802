// Frames made byte by byte, right or wrong, for the tests of the WebSocket parser and its fuzzing.

export interface RawFrame {
  readonly opcode: number;
  readonly payload?: Uint8Array;
  readonly fin?: boolean;
  readonly rsv?: number;
  /** Four bytes; undefined for an unmasked frame. */
  readonly mask?: Uint8Array | undefined;
  /** Form of the length; the shortest if left out. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** What the header claims, if not the length of the payload. */
  readonly claimedLength?: bigint;
}

export const testMask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** The bytes of a frame, written as RFC 6455 §5.2 draws it and with none of the product's code. */
export function rawFrame(frame: RawFrame): Buffer {
  const { opcode, payload = new Uint8Array(), fin = true, rsv = 0, mask } = frame;
  const length = frame.claimedLength ?? BigInt(payload.length);
  const lengthBytes = frame.lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const bytes = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  bytes.push(
    (mask === undefined ? 0 : 0x80) | (lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127),
  );
  for (let i = lengthBytes - 1; i >= 0; i -= 1) bytes.push(Number((length >> BigInt(8 * i)) & 0xffn));
  if (mask !== undefined) bytes.push(...mask);
  const masked = payload.map((byte, i) => (mask === undefined ? byte : byte ^ mask[i % 4]!));
  return Buffer.concat([Buffer.from(bytes), masked]);
}

/** The payload of a close frame. */
export function closePayload(code: number, reason: string | Uint8Array = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]);
}
