// One direction of a WebSocket that passes by: whole frames go on, and what is none ends it in the protocol's own words
// (RFC 6455 §7.1.7), behind the frames that came before it.

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { asProxyError, type ProxyError } from '../protocol/error.ts';
import { type FrameGuardOptions, WebSocketFrameGuard } from './websocket-frame-guard.ts';
import { applyMask, closeCode, encodeClose, opcode, WebSocketFault, writeHeader } from './websocket-frame.ts';

export interface WebSocketGateOptions extends FrameGuardOptions {
  /** Told once, with what was no frame. */
  readonly onFault: (fault: ProxyError) => void;
}

export class WebSocketGate extends Transform {
  readonly #guard: WebSocketFrameGuard;
  readonly #options: WebSocketGateOptions;
  #isOver = false;

  constructor(options: WebSocketGateOptions) {
    super();
    this.#options = options;
    this.#guard = new WebSocketFrameGuard(options);
  }

  /** Nothing goes on any more but a close with this code, where a frame can stand; in the midst of one there is no room. */
  close(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#guard.isBetweenFrames && !this.writableEnded) this.push(this.#closeFrame(code));
    this.push(null);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (!this.#isOver) this.#pass(chunk);
    done();
  }

  override _flush(done: TransformCallback): void {
    // An end in the midst of a header: what came of it goes on, and the other side sees it cut.
    if (!this.#isOver) {
      const held = this.#guard.takeHeld();
      if (held.length > 0) this.push(held);
    }
    done();
  }

  #pass(chunk: Buffer): void {
    try {
      this.#guard.accept(chunk, (bytes) => void this.push(bytes));
    } catch (error) {
      this.close(error instanceof WebSocketFault ? error.closeCode : closeCode.protocolError);
      this.#options.onFault(asProxyError(error));
    }
  }

  #closeFrame(code: number): Buffer {
    const payload = encodeClose(code, '');
    // What goes to a server is masked (RFC 6455 §5.1).
    const mask = this.#options.sender === 'client' ? randomBytes(4) : undefined;
    const frame = Buffer.alloc(2 + (mask === undefined ? 0 : 4) + payload.length);
    const start = writeHeader(frame, 0, {
      opcode: opcode.close,
      length: payload.length,
      ...(mask === undefined ? {} : { mask }),
    });
    if (mask !== undefined) applyMask(payload, mask, 0);
    frame.set(payload, start);
    return frame;
  }
}
