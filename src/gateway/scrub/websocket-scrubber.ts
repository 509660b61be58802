// What an origin says on a WebSocket whose request got a credential, searched for it: in each message as a whole, however it
// is cut into frames. A marker has the same length, so a message of one frame keeps that frame. Of one in several frames as much
// as of any body waits for the next frame: an intermediary may change fragmentation where no extension was agreed (RFC 6455 §5.4).

import { Buffer } from 'node:buffer';
import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';

import { headerLength, opcode, writeHeader } from '../../net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../../net/websocket-frame-guard.ts';
import { ResponseScrubber } from './response-scrubber.ts';
import type { SearchedValues } from './response-scrubber.ts';

/** Two bytes and a 64-bit length: a server does not mask. */
const headerBytesMax = 10;

/**
 * Takes the bytes of a server in any split. Held back are a constant number of octets inside of a message that goes on, and the part
 * of a PING, PONG or CLOSE that has come.
 */
export class WebSocketScrubber extends Transform {
  readonly #messages: ResponseScrubber;
  readonly #controls: ResponseScrubber;
  /** Of its own: the bytes come here later than to the one that judges them. */
  readonly #guard = new WebSocketFrameGuard({ sender: 'server', isCompressed: false });
  readonly #header = Buffer.alloc(headerBytesMax);
  #headerBytes = 0;
  #frame: 'none' | 'control' | 'fragment' | 'last' = 'none';
  #payloadLeft = 0;
  /** Opcode of the next frame of this message that goes out. */
  #opcode: number = opcode.continuation;
  #control: Buffer[] = [];
  #out: Buffer[] = [];

  constructor(searched: SearchedValues) {
    super();
    this.#messages = new ResponseScrubber(searched);
    this.#controls = new ResponseScrubber(searched);
    // What is no frame has ended both sides by then.
    this.on('error', () => undefined);
  }

  /** How many occurrences were replaced. */
  get replaced(): number {
    return this.#messages.replaced + this.#controls.replaced;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.#guard.check(chunk);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    for (let at = 0; at < chunk.length;) {
      at = this.#frame === 'none' ? this.#takeHeader(chunk, at) : this.#takePayload(chunk, at);
    }
    callback(null, this.#takeOut());
  }

  /** The connection ended inside of a frame or a message: what is held of it has no end, and is dropped. */
  override _flush(callback: TransformCallback): void {
    callback();
  }

  #takeOut(): Buffer {
    const out = Buffer.concat(this.#out);
    this.#out = [];
    return out;
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    this.#header[this.#headerBytes] = chunk[offset] ?? 0;
    this.#headerBytes += 1;
    const short = (this.#header[1] ?? 0) & 0x7f;
    const needed = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#headerBytes >= 2 && this.#headerBytes === needed) this.#startFrame(short);
    return offset + 1;
  }

  #startFrame(short: number): void {
    const header = Buffer.from(this.#header.subarray(0, this.#headerBytes));
    this.#headerBytes = 0;
    if (short < 126) this.#payloadLeft = short;
    else this.#payloadLeft = short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
    const first = header.readUInt8(0);
    const code = first & 0x0f;
    if (code >= opcode.close) {
      this.#frame = 'control';
      this.#control = [header];
    } else {
      if (code !== opcode.continuation) this.#opcode = code;
      this.#frame = (first & 0x80) === 0 ? 'fragment' : 'last';
      if (this.#frame === 'last') this.#putLastHeader(header, code);
    }
    if (this.#payloadLeft === 0) this.#endFrame();
  }

  /** The last frame of a message ends with it, so its length is known: its own, and what was held back. */
  #putLastHeader(header: Buffer, code: number): void {
    const held = this.#messages.heldBytes;
    const isSame = held === 0 && code === this.#opcode;
    this.#out.push(isSame ? header : headerOf(this.#opcode, this.#payloadLeft + held, true));
  }

  #takePayload(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#payloadLeft);
    const part = chunk.subarray(offset, end);
    this.#payloadLeft -= part.length;
    if (this.#frame === 'control') this.#control.push(Buffer.from(part));
    else if (this.#frame === 'last') this.#out.push(this.#messages.push(part));
    else this.#putFragment(this.#messages.push(part));
    if (this.#payloadLeft === 0) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    if (this.#frame === 'control') {
      const [header, ...payload] = this.#control;
      if (header !== undefined) this.#out.push(header);
      this.#out.push(this.#controls.push(Buffer.concat(payload)), this.#controls.end());
      this.#control = [];
    } else if (this.#frame === 'last') {
      this.#out.push(this.#messages.end());
      this.#opcode = opcode.continuation;
    }
    this.#frame = 'none';
  }

  #putFragment(payload: Buffer): void {
    if (payload.length === 0) return;
    this.#out.push(headerOf(this.#opcode, payload.length, false), payload);
    this.#opcode = opcode.continuation;
  }
}

function headerOf(code: number, length: number, isFinal: boolean): Buffer {
  const header = Buffer.alloc(headerLength(length, false));
  writeHeader(header, 0, { opcode: code, length, isFinal });
  return header;
}
