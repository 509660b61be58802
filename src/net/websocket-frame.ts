// The bytes of a WebSocket frame (RFC 6455 §5): opcodes, headers, masks, and the payload of a close.

import { Buffer } from 'node:buffer';

import { ProxyError } from '../protocol/error.ts';

export const opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** The status codes of RFC 6455 §7.4.1 that this endpoint sends. */
export const closeCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidPayload: 1007,
  policyViolation: 1008,
  tooBig: 1009,
  internalError: 1011,
} as const;

/** Longest payload of a control frame (RFC 6455 §5.5). */
export const controlPayloadBytesMax = 125;
/** Longest header: two bytes, a 64-bit length, a mask. */
export const headerBytesMax = 14;

/** A breach of RFC 6455 by the peer, with the status code that the connection is closed with. */
export class WebSocketFault extends ProxyError {
  readonly closeCode: number;

  constructor(code: number, message: string, limit?: 'messageBytesMax') {
    super('websocket_malformed', message, limit === undefined ? {} : { limit });
    this.closeCode = code;
  }
}

/** Length of the header that `writeHeader` makes for a payload of `length` bytes. */
export function headerLength(length: number, masked: boolean): number {
  const base = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  return masked ? base + 4 : base;
}

/**
 * Writes the header of a frame, final unless told otherwise, at `offset` and returns the offset behind it.
 * A `mask` sets the mask bit and its four bytes are the last of the header.
 */
export function writeHeader(
  target: Buffer,
  offset: number,
  frame: {
    readonly opcode: number;
    readonly length: number;
    readonly mask?: Uint8Array;
    readonly isFinal?: boolean;
  },
): number {
  const { length, mask, isFinal = true } = frame;
  const maskBit = mask === undefined ? 0 : 0x80;
  target[offset] = (isFinal ? 0x80 : 0) | frame.opcode;
  let end = offset + 2;
  if (length < 126) {
    target[offset + 1] = maskBit | length;
  } else if (length < 0x1_0000) {
    target[offset + 1] = maskBit | 126;
    target.writeUInt16BE(length, end);
    end += 2;
  } else {
    target[offset + 1] = maskBit | 127;
    target.writeUInt32BE(Math.floor(length / 0x1_0000_0000), end);
    target.writeUInt32BE(length % 0x1_0000_0000, end + 4);
    end += 8;
  }
  if (mask !== undefined) {
    target.set(mask, end);
    end += 4;
  }
  return end;
}

const wordMask = new Uint32Array(1);
const wordMaskBytes = new Uint8Array(wordMask.buffer);

/**
 * XORs `data` in place with the four bytes of `mask` (RFC 6455 §5.3). `phase` is the number of payload bytes before
 * `data`. Whole 32-bit words at a time: a loop over bytes costs four times as much.
 */
export function applyMask(data: Uint8Array, mask: Uint8Array, phase: number): void {
  const length = data.length;
  let index = 0;
  const headBytes = length < 32 ? length : (4 - (data.byteOffset & 3)) & 3;
  for (; index < headBytes; index += 1) data[index] = byteAt(data, index) ^ byteAt(mask, (phase + index) & 3);
  if (index === length) return;
  for (let i = 0; i < 4; i += 1) wordMaskBytes[i] = byteAt(mask, (phase + index + i) & 3);
  const word = wordMask[0] ?? 0;
  const words = new Uint32Array(data.buffer, data.byteOffset + index, (length - index) >>> 2);
  for (let i = 0; i < words.length; i += 1) words[i] = (words[i] ?? 0) ^ word;
  for (index += words.length * 4; index < length; index += 1) {
    data[index] = byteAt(data, index) ^ byteAt(mask, (phase + index) & 3);
  }
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

/** Payload of a close frame; a reason that does not fit is cut at a character. */
export function encodeClose(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'utf8');
  let end = Math.min(text.length, controlPayloadBytesMax - 2);
  // A continuation byte (10xxxxxx) at the cut belongs to a character that began before it.
  while (end < text.length && end > 0 && (byteAt(text, end) & 0xc0) === 0x80) end -= 1;
  const payload = Buffer.allocUnsafe(2 + end);
  payload.writeUInt16BE(code, 0);
  text.copy(payload, 2, 0, end);
  return payload;
}

/** What a close frame said; code 1005 stands for a frame without a code (RFC 6455 §7.1.5). */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the payload of a close frame. Throws `WebSocketFault` for a code or a text that must not be on the wire. */
export function decodeClose(payload: Uint8Array): CloseStatus {
  if (payload.length === 0) return { code: 1005, reason: '' };
  if (payload.length === 1)
    throw new WebSocketFault(closeCode.protocolError, 'A close frame has half a status code.');
  const code = byteAt(payload, 0) * 256 + byteAt(payload, 1);
  if (!isWireCloseCode(code)) {
    throw new WebSocketFault(
      closeCode.protocolError,
      `A close frame has the status code ${code}, which is not allowed.`,
    );
  }
  try {
    return { code, reason: utf8.decode(payload.subarray(2)) };
  } catch {
    throw new WebSocketFault(closeCode.invalidPayload, 'The reason of a close frame is not UTF-8.');
  }
}

/** RFC 6455 §7.4 and the registry: 1004–1006 and 1015 are never sent; below 3000 only registered codes. */
function isWireCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
