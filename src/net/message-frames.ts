// The frames of one message that is read whole, as at the start of a link that takes a tunnel on.

import { FrameParser, type ParsedFrame } from '../protocol/frame-codec.ts';
import type { Limits } from '../protocol/limits.ts';
import { ProxyError } from '../protocol/error.ts';

/** Collects messages. What it throws ends the link. */
export class MessageFrames {
  readonly #limits: Limits;
  readonly #parser: FrameParser;
  #bytes = 0;
  #parts: Uint8Array[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#parser = new FrameParser(limits);
  }

  /** A part, which may be memory that is read into again. */
  push(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#limits.controlFrameBytesMax * 2)
      throw new ProxyError('frame_too_large', 'a message at the start of a link is too long');
    this.#parts.push(new Uint8Array(part));
  }

  /** The message is there. Throws what the parser does. */
  take(): ParsedFrame[] {
    for (const part of this.#parts) this.#parser.push(part);
    this.#parts = [];
    this.#bytes = 0;
    const frames: ParsedFrame[] = [];
    for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next())
      frames.push(frame);
    this.#parser.endOfMessage();
    return frames;
  }
}
