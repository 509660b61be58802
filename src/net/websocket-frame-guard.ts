// Watches the frames of a WebSocket that passes by (RFC 6455 §5): whoever switched protocols speaks that one, and does not
// use the connection for another. Nothing is kept but a header or a close; payload is neither changed nor read.

import { Buffer } from 'node:buffer';

import {
  applyMask,
  closeCode,
  controlPayloadBytesMax,
  decodeClose,
  headerBytesMax,
  opcode,
  WebSocketFault,
} from './websocket-frame.ts';

export interface FrameGuardOptions {
  /** Frames of a client are masked, those of a server are not (RFC 6455 §5.1). */
  readonly sender: 'client' | 'server';
  /** permessage-deflate was agreed: the first reserved bit may be set where a message begins (RFC 7692 §6). */
  readonly isCompressed: boolean;
}

/** One direction of a WebSocket. */
export class WebSocketFrameGuard {
  readonly #isMasked: boolean;
  readonly #reservedBits: number;
  readonly #header = Buffer.alloc(headerBytesMax);
  readonly #close = Buffer.alloc(controlPayloadBytesMax);
  #headerBytes = 0;
  #payloadLeft = 0;
  #closeBytes = 0;
  #opcode = 0;
  #messageOpen = false;
  /** Octets that came and may not go on yet: the beginning of a header, or of a close. */
  #held = Buffer.alloc(0);

  constructor({ sender, isCompressed }: FrameGuardOptions) {
    this.#isMasked = sender === 'client';
    this.#reservedBits = isCompressed ? 0x30 : 0x70;
  }

  /** Takes the next bytes, in any split. @throws WebSocketFault, after which the guard must not be used again */
  check(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      at = this.#payloadLeft > 0 ? this.#passPayload(chunk, at) : this.#takeHeader(chunk, at);
    }
  }

  /**
   * As `check`, and gives what may go on: all but a header that is not whole yet, and a close that is not. What is given before a
   * throw is what stood before the fault.
   */
  accept(chunk: Buffer, emit: (bytes: Buffer) => void): void {
    let good = 0;
    try {
      for (let at = 0; at < chunk.length;) {
        at = this.#payloadLeft > 0 ? this.#passPayload(chunk, at) : this.#takeHeader(chunk, at);
        if (this.#headerBytes > 0 || (this.#opcode === opcode.close && this.#payloadLeft > 0)) continue;
        if (this.#held.length > 0) emit(this.takeHeld());
        good = at;
      }
    } finally {
      if (good > 0) emit(chunk.subarray(0, good));
    }
    if (good < chunk.length) this.#held = Buffer.concat([this.#held, chunk.subarray(good)]);
  }

  /** No frame is under way in what was given: another one may stand here. */
  get isBetweenFrames(): boolean {
    return this.#payloadLeft === 0 || this.#held.length > 0;
  }

  /** What has come and was not given, which is forgotten then. */
  takeHeld(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  #takeHeader(chunk: Uint8Array, offset: number): number {
    this.#header[this.#headerBytes] = chunk[offset] ?? 0;
    this.#headerBytes += 1;
    if (this.#headerBytes === 2) this.#judge(this.#header[0] ?? 0, this.#header[1] ?? 0);
    if (this.#headerBytes >= 2 && this.#headerBytes === this.#headerLength()) this.#endHeader();
    return offset + 1;
  }

  #headerLength(): number {
    const length = (this.#header[1] ?? 0) & 0x7f;
    return (length < 126 ? 2 : length === 126 ? 4 : 10) + (this.#isMasked ? 4 : 0);
  }

  #judge(first: number, second: number): void {
    const isFinal = (first & 0x80) !== 0;
    this.#opcode = first & 0x0f;
    const isControl = this.#opcode >= opcode.close;
    // Compression is said once, at the beginning of a message (RFC 7692 §6.1).
    const mayCompress = this.#opcode === opcode.text || this.#opcode === opcode.binary;
    if ((first & (mayCompress ? this.#reservedBits : 0x70)) !== 0)
      throw malformed('a reserved bit is set that no extension explains');
    if (((second & 0x80) !== 0) !== this.#isMasked)
      throw malformed(
        this.#isMasked ? 'a frame of the client is not masked' : 'a frame of the server is masked',
      );
    if (isControl) {
      if (this.#opcode > opcode.pong) throw malformed('an opcode is reserved');
      if (!isFinal) throw malformed('a control frame is fragmented');
      if ((second & 0x7f) > controlPayloadBytesMax)
        throw malformed('a control frame is longer than 125 bytes');
      return;
    }
    if (this.#opcode > opcode.binary) throw malformed('an opcode is reserved');
    if ((this.#opcode === opcode.continuation) !== this.#messageOpen)
      throw malformed(
        this.#messageOpen ? 'a message begins inside another one' : 'no message is there to continue',
      );
    this.#messageOpen = !isFinal;
  }

  #endHeader(): void {
    this.#headerBytes = 0;
    this.#closeBytes = 0;
    this.#payloadLeft = this.#payloadLength();
    if (this.#payloadLeft === 0 && this.#opcode === opcode.close) this.#endClose();
  }

  /** Throws before anything of the frame counts as under way. */
  #payloadLength(): number {
    const short = (this.#header[1] ?? 0) & 0x7f;
    if (short < 126) return short;
    if (short === 127 && this.#header.readUInt8(2) >= 0x80)
      throw malformed('a 64-bit length has its highest bit set');
    // Rounded beyond 2^53, which nobody lives to see the end of.
    const length = short === 126 ? this.#header.readUInt16BE(2) : Number(this.#header.readBigUInt64BE(2));
    if (length < (short === 126 ? 126 : 0x1_0000)) throw malformed('a length is not in its shortest form');
    return length;
  }

  #passPayload(chunk: Uint8Array, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#payloadLeft);
    if (this.#opcode === opcode.close) {
      this.#close.set(chunk.subarray(offset, end), this.#closeBytes);
      this.#closeBytes += end - offset;
    }
    this.#payloadLeft -= end - offset;
    if (this.#payloadLeft === 0 && this.#opcode === opcode.close) this.#endClose();
    return end;
  }

  /** A close has no reason or a valid one (RFC 6455 §7.4). */
  #endClose(): void {
    const payload = Buffer.from(this.#close.subarray(0, this.#closeBytes));
    const maskAt = this.#headerLength() - 4;
    if (this.#isMasked) applyMask(payload, this.#header.subarray(maskAt, maskAt + 4), 0);
    decodeClose(payload);
  }
}

function malformed(reason: string): WebSocketFault {
  return new WebSocketFault(closeCode.protocolError, `What passes is not a WebSocket: ${reason}.`);
}
