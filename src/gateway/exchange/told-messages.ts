// What an origin sends on a WebSocket, and messages of the gateway's own between its messages.

import { Buffer } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { headerLength, opcode, writeHeader } from '../../net/websocket-frame.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Takes whole frames of a server in any split: what is none was kept out before. */
export class ToldMessages extends Transform {
  readonly #header = Buffer.alloc(10);
  #headerBytes = 0;
  #payloadLeft = 0;
  #isControl = false;
  #isFinal = true;
  #isOver = false;
  /** Those that wait for the end of a message. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  /** Says a text to the client, where a message can stand. @throws ProxyError limit_exceeded if the client takes none */
  say(text: string): void {
    if (this.#isOver || this.readableEnded || this.destroyed) return;
    const frame = textFrame(text);
    const { toldMessagesBytesMax: max } = defaultLimits;
    if (this.#waitingBytes + this.readableLength + frame.length > max)
      throw new ProxyError(
        'limit_exceeded',
        'more was refused on this WebSocket than its client takes responses for (toldMessagesBytesMax)',
        { limit: 'toldMessagesBytesMax' },
      );
    if (this.#isBetween) {
      this.push(frame);
      return;
    }
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let sent = 0;
    for (let at = 0; at < chunk.length;) {
      at = this.#payloadLeft > 0 ? this.#passPayload(chunk, at) : this.#takeHeader(chunk, at);
      if (this.#waiting.length === 0 || !this.#isBetween) continue;
      this.push(chunk.subarray(sent, at));
      sent = at;
      this.#sayWaiting();
    }
    if (sent < chunk.length) this.push(chunk.subarray(sent));
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#isOver = true;
    done();
  }

  get #isBetween(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0 && this.#isFinal;
  }

  #sayWaiting(): void {
    if (!this.#isOver) for (const frame of this.#waiting) this.push(frame);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    this.#header[this.#headerBytes] = chunk[at] ?? 0;
    this.#headerBytes += 1;
    const short = (this.#header[1] ?? 0) & 0x7f;
    const needed = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#headerBytes < needed) return at + 1;
    if (short < 126) this.#payloadLeft = short;
    else
      this.#payloadLeft =
        short === 126 ? this.#header.readUInt16BE(2) : Number(this.#header.readBigUInt64BE(2));
    const first = this.#header[0] ?? 0;
    const code = first & 0x0f;
    this.#isControl = code >= opcode.close;
    // Behind a close there is nothing to say.
    if (code === opcode.close) this.#isOver = true;
    if (!this.#isControl) this.#isFinal = (first & 0x80) !== 0;
    this.#headerBytes = 0;
    return at + 1;
  }

  #passPayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#payloadLeft);
    this.#payloadLeft -= end - at;
    return end;
  }
}

/** Of a server, so it is not masked (RFC 6455 §5.1). */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = headerLength(payload.length, false);
  const frame = Buffer.alloc(header + payload.length);
  writeHeader(frame, 0, { opcode: opcode.text, length: payload.length });
  frame.set(payload, header);
  return frame;
}
