// Writes WebSocket messages to a socket: few writes for many parts, a real mask where none was waived.

import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import type { Duplex } from 'node:stream';

import type { OutputBlock } from '../protocol/output-queue.ts';

import { applyMask, headerBytesMax, headerLength, opcode, writeHeader } from './websocket-frame.ts';

/** How the frames of an endpoint are masked: servers never, clients by random keys or, if agreed, by zero. */
export type Masking = 'none' | 'random' | 'zero';

/** Up to here a copy into one buffer is cheaper than one more buffer to write. */
const copyBytesMax = 2048;
const zeroKey = new Uint8Array(4);
/** One call for the random bytes of 1024 masks: a call costs more than the bytes. */
const maskPoolBytes = 4096;

export class WebSocketWriter {
  readonly #socket: Duplex;
  readonly #masking: Masking;
  #maskPool: Buffer | undefined;
  #maskOffset = maskPoolBytes;

  constructor(socket: Duplex, masking: Masking) {
    this.#socket = socket;
    this.#masking = masking;
  }

  /**
   * Writes one binary message of `length` bytes in a single frame. Parts are not copied unless small or masked, so they are the
   * socket's until `written` is called.
   */
  binary(parts: readonly Uint8Array[], length: number, written?: () => void): void {
    if (this.#masking === 'random' || length <= copyBytesMax) {
      this.#socket.write(this.#assemble(opcode.binary, parts, length), written);
      return;
    }
    const header = Buffer.allocUnsafe(headerLength(length, this.#masking === 'zero'));
    writeHeader(header, 0, {
      opcode: opcode.binary,
      length,
      ...(this.#masking === 'zero' && { mask: zeroKey }),
    });
    this.#socket.cork();
    this.#writeGathered(header, parts, written);
    this.#socket.uncork();
  }

  /** Writes one binary message, its header into the room in front of the block. A real mask changes the block, unless that is kept. */
  block({ bytes, start, end }: OutputBlock, written: () => void, isKept = false): void {
    const length = end - start;
    if (isKept && this.#masking === 'random') {
      this.#socket.write(this.#assemble(opcode.binary, [bytes.subarray(start, end)], length), written);
      return;
    }
    const mask = this.#nextMask();
    const at = start - headerLength(length, mask !== undefined);
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
    writeHeader(frame, 0, { opcode: opcode.binary, length, ...(mask !== undefined && { mask }) });
    if (mask !== undefined && mask !== zeroKey) applyMask(frame.subarray(start - at), mask, 0);
    this.#socket.write(frame, written);
  }

  /** Writes a control frame; the payload has at most 125 bytes. */
  control(code: number, payload: Uint8Array): void {
    this.#socket.write(this.#assemble(code, [payload], payload.length));
  }

  /** Runs of small parts become one buffer; large ones are written as they are. */
  #writeGathered(header: Buffer, parts: readonly Uint8Array[], written: (() => void) | undefined): void {
    const pieces: Uint8Array[] = [];
    let run: Uint8Array[] = [header];
    let runBytes = header.length;
    const endRun = (): void => {
      const [only] = run;
      if (only !== undefined) pieces.push(run.length === 1 ? only : Buffer.concat(run, runBytes));
      run = [];
      runBytes = 0;
    };
    for (const part of parts) {
      if (part.length > copyBytesMax || runBytes + part.length > copyBytesMax * 4) endRun();
      if (part.length > copyBytesMax) pieces.push(part);
      else {
        run.push(part);
        runBytes += part.length;
      }
    }
    endRun();
    const last = pieces.pop() ?? header;
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.write(last, written);
  }

  /** A whole frame in one buffer. The payload starts on a word, so that masking runs on words. */
  #assemble(code: number, parts: readonly Uint8Array[], length: number): Buffer {
    const mask = this.#nextMask();
    const payloadOffset = headerBytesMax + 2;
    const frame = Buffer.allocUnsafe(payloadOffset + length);
    const start = payloadOffset - headerLength(length, mask !== undefined);
    writeHeader(frame, start, { opcode: code, length, ...(mask !== undefined && { mask }) });
    let end = payloadOffset;
    for (const part of parts) {
      frame.set(part, end);
      end += part.length;
    }
    if (mask !== undefined && mask !== zeroKey) applyMask(frame.subarray(payloadOffset), mask, 0);
    return frame.subarray(start);
  }

  #nextMask(): Uint8Array | undefined {
    if (this.#masking === 'none') return undefined;
    if (this.#masking === 'zero') return zeroKey;
    this.#maskPool ??= Buffer.alloc(maskPoolBytes);
    if (this.#maskOffset === maskPoolBytes) {
      randomFillSync(this.#maskPool);
      this.#maskOffset = 0;
    }
    this.#maskOffset += 4;
    return this.#maskPool.subarray(this.#maskOffset - 4, this.#maskOffset);
  }
}
