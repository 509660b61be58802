// Reads WebSocket frames from bytes in any split (RFC 6455 §5.2). Payload is handed on as it comes: no message is
// assembled, and nothing is allocated from a length that the peer claims.

import { Buffer } from 'node:buffer';

import {
  applyMask,
  type CloseStatus,
  closeCode,
  controlPayloadBytesMax,
  decodeClose,
  headerBytesMax,
  opcode,
  WebSocketFault,
} from './websocket-frame.ts';

/** Where a parser hands what it read. `data` is a view into the received bytes. */
export interface WebSocketSink {
  data(part: Uint8Array): void;
  messageEnd(): void;
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  close(status: CloseStatus): void;
}

/** One direction of a connection, for the endpoint in `role`. Binary messages only. */
export class WebSocketParser {
  readonly #sink: WebSocketSink;
  readonly #expectMask: boolean;
  readonly #messageBytesMax: number;
  readonly #header = Buffer.alloc(headerBytesMax);
  readonly #mask = this.#header.subarray(headerBytesMax - 4);
  readonly #control = Buffer.alloc(controlPayloadBytesMax);
  #headerBytes = 0;
  #headerNeeded = 2;
  #inPayload = false;
  #opcode = 0;
  #final = false;
  #payloadLength = 0;
  #payloadBytes = 0;
  #isUnmasking = false;
  #messageOpen = false;
  #messageBytes = 0;
  #stopped = false;

  constructor(options: {
    readonly role: 'client' | 'server';
    readonly messageBytesMax: number;
    readonly sink: WebSocketSink;
  }) {
    this.#sink = options.sink;
    this.#expectMask = options.role === 'server';
    this.#messageBytesMax = options.messageBytesMax;
  }

  /** Ignores all further input; may be called from inside the sink. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Takes the next bytes; masked payload is unmasked in place. Throws `WebSocketFault`, after which the parser must not
   * be used again. Input behind a close frame is ignored.
   */
  receive(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length && !this.#stopped) {
      offset = this.#inPayload ? this.#takePayload(chunk, offset) : this.#takeHeader(chunk, offset);
    }
  }

  #takeHeader(chunk: Uint8Array, offset: number): number {
    let at = offset;
    while (at < chunk.length) {
      this.#header[this.#headerBytes] = chunk[at] ?? 0;
      this.#headerBytes += 1;
      at += 1;
      if (this.#headerBytes < this.#headerNeeded) continue;
      if (this.#headerBytes === 2) {
        this.#startHeader();
        if (this.#headerNeeded > 2) continue;
      }
      this.#endHeader();
      return at;
    }
    return at;
  }

  /** The first two bytes say how long the header is, and break most of the rules that can be broken. */
  #startHeader(): void {
    const first = this.#header[0] ?? 0;
    const second = this.#header[1] ?? 0;
    this.#final = (first & 0x80) !== 0;
    this.#opcode = first & 0x0f;
    if ((first & 0x70) !== 0) throw malformed('A reserved bit is set and no extension was agreed.');
    const isMasked = (second & 0x80) !== 0;
    if (isMasked !== this.#expectMask) {
      throw malformed(isMasked ? 'A frame of the server is masked.' : 'A frame of the client is not masked.');
    }
    const shortLength = second & 0x7f;
    if (this.#opcode >= opcode.close) this.#checkControl(shortLength);
    else this.#checkData();
    const lengthBytes = shortLength < 126 ? 0 : shortLength === 126 ? 2 : 8;
    this.#headerNeeded = 2 + lengthBytes + (isMasked ? 4 : 0);
  }

  #checkControl(shortLength: number): void {
    if (this.#opcode > opcode.pong) throw malformed(`The opcode ${this.#opcode} is reserved.`);
    if (!this.#final) throw malformed('A control frame is fragmented.');
    if (shortLength > controlPayloadBytesMax) throw malformed('A control frame is longer than 125 bytes.');
  }

  #checkData(): void {
    if (this.#opcode > opcode.binary) throw malformed(`The opcode ${this.#opcode} is reserved.`);
    if (this.#opcode === opcode.continuation) {
      if (!this.#messageOpen) throw malformed('A continuation frame has no message to continue.');
      return;
    }
    if (this.#messageOpen) throw malformed('A message begins inside another one.');
    if (this.#opcode === opcode.text) {
      throw new WebSocketFault(
        closeCode.unsupportedData,
        'A text message arrived where only binary ones are understood.',
      );
    }
    this.#messageOpen = true;
    this.#messageBytes = 0;
  }

  #endHeader(): void {
    this.#payloadLength = this.#readLength();
    this.#payloadBytes = 0;
    if (this.#opcode < opcode.close) {
      this.#messageBytes += this.#payloadLength;
      if (this.#messageBytes > this.#messageBytesMax) {
        throw new WebSocketFault(
          closeCode.tooBig,
          `A message is longer than messageBytesMax, ${this.#messageBytesMax} bytes.`,
          'messageBytesMax',
        );
      }
    }
    if (this.#expectMask) {
      this.#header.copyWithin(headerBytesMax - 4, this.#headerNeeded - 4, this.#headerNeeded);
      // An all-zero mask changes nothing.
      this.#isUnmasking = this.#mask.readUInt32LE(0) !== 0;
    }
    this.#headerBytes = 0;
    this.#headerNeeded = 2;
    if (this.#payloadLength === 0) this.#endFrame();
    else this.#inPayload = true;
  }

  #readLength(): number {
    const shortLength = (this.#header[1] ?? 0) & 0x7f;
    if (shortLength < 126) return shortLength;
    if (shortLength === 126) {
      const length = this.#header.readUInt16BE(2);
      if (length < 126) throw malformed('A length is not in its shortest form.');
      return length;
    }
    const high = this.#header.readUInt32BE(2);
    const low = this.#header.readUInt32BE(6);
    if (high >= 0x8000_0000) throw malformed('A 64-bit length has its highest bit set.');
    if (high === 0 && low < 0x1_0000) throw malformed('A length is not in its shortest form.');
    // Exact only up to 2^53; every limit is far below, and beyond it the value stays above every limit.
    return high * 0x1_0000_0000 + low;
  }

  #takePayload(chunk: Uint8Array, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#payloadLength - this.#payloadBytes);
    const part = chunk.subarray(offset, end);
    if (this.#isUnmasking) applyMask(part, this.#mask, this.#payloadBytes);
    if (this.#opcode >= opcode.close) this.#control.set(part, this.#payloadBytes);
    this.#payloadBytes += part.length;
    const isWhole = this.#payloadBytes === this.#payloadLength;
    if (isWhole) this.#inPayload = false;
    if (this.#opcode < opcode.close) this.#sink.data(part);
    if (isWhole && !this.#stopped) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    if (this.#opcode < opcode.close) {
      if (!this.#final) return;
      this.#messageOpen = false;
      this.#sink.messageEnd();
      return;
    }
    const payload = Buffer.from(this.#control.subarray(0, this.#payloadLength));
    if (this.#opcode === opcode.ping) this.#sink.ping(payload);
    else if (this.#opcode === opcode.pong) this.#sink.pong(payload);
    else {
      this.stop();
      this.#sink.close(decodeClose(payload));
    }
  }
}

function malformed(message: string): WebSocketFault {
  return new WebSocketFault(closeCode.protocolError, message);
}
