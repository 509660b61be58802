// What a client sends on a WebSocket, searched: the payload of each message as a whole, however it is cut into frames, and of pings and
// closes. Frames go on as they came; within a message that goes on a constant number of octets waits.

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { MaskedFrameHeads } from '../../net/masked-frame-heads.ts';
import {
  applyMask,
  closeCode,
  encodeClose,
  headerLength,
  opcode,
  writeHeader,
} from '../../net/websocket-frame.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OnLeak } from './body-guard.ts';
import type { LeakMatch, LeakSearch } from './leak-search.ts';

const { leakWindowBytes } = defaultLimits;

export interface WebSocketGuardOptions {
  readonly searches: { readonly messages: LeakSearch; readonly controls: LeakSearch };
  readonly onLeak: OnLeak;
  /** Nothing more leaves but a close. */
  readonly onEnd: (fault: ProxyError) => void;
}

/** Takes whole frames in any split: what is none was kept out before. */
export class WebSocketGuard extends Transform {
  readonly #options: WebSocketGuardOptions;
  readonly #heads = new MaskedFrameHeads();
  #payloadLeft = 0;
  /** Octets of this frame's payload that came. */
  #payloadBytes = 0;
  #isControl = false;
  #isFinal = true;
  #mask: Buffer = Buffer.alloc(4);
  #held: Buffer = Buffer.alloc(0);
  /** What left ends where a frame does. */
  #leftWhole = true;
  #isOver = false;

  constructor(options: WebSocketGuardOptions) {
    super();
    this.#options = options;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (!this.#isOver) this.#take(chunk);
    done();
  }

  override _flush(done: TransformCallback): void {
    if (!this.#isOver && this.#held.length > 0) this.push(this.#held);
    done();
  }

  #take(chunk: Buffer): void {
    const text = Buffer.concat([this.#held, chunk]);
    const from = this.#held.length;
    let border = 0;
    for (let at = 0; at < chunk.length;) {
      at = this.#payloadLeft > 0 ? this.#takePayload(chunk, at) : this.#takeHeader(chunk, at);
      if (this.#isOver) return;
      if (!this.#heads.isWithin && this.#payloadLeft === 0 && this.#isFinal) border = from + at;
    }
    const length = border + Math.max(0, text.length - border - leakWindowBytes);
    this.#held = Buffer.from(text.subarray(length));
    if (length > 0) this.#leftWhole = length === border;
    if (length > 0) this.push(text.subarray(0, length));
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const head = this.#heads.take(chunk[at] ?? 0);
    if (head === undefined) return at + 1;
    this.#payloadLeft = head.length;
    this.#payloadBytes = 0;
    this.#mask = head.mask;
    this.#isControl = head.isControl;
    // A control frame stands between the frames of a message, whose end it is not.
    if (!head.isControl) this.#isFinal = head.isFinal;
    return at + 1;
  }

  #takePayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#payloadLeft);
    const payload = Buffer.from(chunk.subarray(at, end));
    applyMask(payload, this.#mask, this.#payloadBytes % 4);
    this.#payloadBytes += end - at;
    this.#payloadLeft -= end - at;
    const { messages, controls } = this.#options.searches;
    for (const match of (this.#isControl ? controls : messages).run(payload)) this.#found(match);
    return end;
  }

  #found(match: LeakMatch): void {
    const fault = this.#isOver ? undefined : this.#options.onLeak(match, false);
    if (fault === undefined) return;
    this.#isOver = true;
    this.#held = Buffer.alloc(0);
    if (this.#leftWhole) this.push(closeFrame());
    this.push(null);
    this.#options.onEnd(fault);
  }
}

/** Of a client, so it is masked (RFC 6455 §5.1). */
function closeFrame(): Buffer {
  const payload = encodeClose(closeCode.policyViolation, '');
  const mask = randomBytes(4);
  const header = headerLength(payload.length, true);
  const frame = Buffer.alloc(header + payload.length);
  writeHeader(frame, 0, { opcode: opcode.close, length: payload.length, mask });
  applyMask(payload, mask, 0);
  frame.set(payload, header);
  return frame;
}
