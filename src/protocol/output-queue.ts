// Frames that wait to be written, in order. Data is kept as it was given, never copied.

import { ProxyError } from './error.ts';
import {
  encodeDataHeader,
  encodeFrame,
  frameHeaderBytes,
  isDataFrame,
  payloadLengthOf,
} from './frame-codec.ts';
import type { Frame } from './frame.ts';

/** A queue of whole frames. Data is bounded by credit, control frames by `controlBytesMax`. */
export class OutputQueue {
  readonly #controlBytesMax: number;
  #buffers: Uint8Array[] = [];
  #bytes = 0;
  #controlBytes = 0;

  constructor(controlBytesMax: number) {
    this.#controlBytesMax = controlBytesMax;
  }

  /** Octets that wait, headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Queues a frame that is not data. Throws limit_exceeded once so much waits that the peer must be provoking responses
   * (pings, refused opens) without reading them.
   */
  pushControl(frame: Exclude<Frame, { readonly type: 'data' }>): void {
    this.pushEncodedControl(encodeFrame(frame));
    if (this.#controlBytes > this.#controlBytesMax) {
      const message = `more than ${this.#controlBytesMax} bytes of control frames wait (controlQueueBytesMax)`;
      throw new ProxyError('limit_exceeded', message, { limit: 'controlQueueBytesMax' });
    }
  }

  /** Queues a control frame that is encoded already, whatever waits. */
  pushEncodedControl(encoded: Uint8Array): void {
    this.#buffers.push(encoded);
    this.#bytes += encoded.length;
    this.#controlBytes += encoded.length;
  }

  /** Queues data as frames of at most `frameBytesMax` octets of payload. */
  pushData(streamId: number, data: Uint8Array, frameBytesMax: number): void {
    for (let offset = 0; offset < data.length; offset += frameBytesMax) {
      const part = data.subarray(offset, offset + frameBytesMax);
      this.#buffers.push(encodeDataHeader(streamId, part.length), part);
      this.#bytes += frameHeaderBytes + part.length;
    }
  }

  /** Takes whole frames of together at most `bytesMax` octets, but at least one. */
  take(bytesMax: number): Uint8Array[] {
    if (this.#bytes <= bytesMax) {
      const all = this.#buffers;
      this.#buffers = [];
      this.#bytes = 0;
      this.#controlBytes = 0;
      return all;
    }
    let count = 0;
    let taken = 0;
    for (let frame = this.#buffers[0]; frame !== undefined; frame = this.#buffers[count]) {
      const isData = isDataFrame(frame);
      const size = frameHeaderBytes + payloadLengthOf(frame);
      if (count > 0 && taken + size > bytesMax) break;
      taken += size;
      if (!isData) this.#controlBytes -= size;
      count += isData ? 2 : 1;
    }
    this.#bytes -= taken;
    return this.#buffers.splice(0, count);
  }
}
