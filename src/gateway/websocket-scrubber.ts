// What an origin says on a WebSocket whose request got a credential, searched for it: a marker of the same length leaves frames whole.

import { Buffer } from 'node:buffer';
import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';

import { WebSocketFrameGuard } from '../net/websocket-frame-guard.ts';
import { ResponseScrubber } from './response-scrubber.ts';

/** Takes the bytes of a server in any split; nothing of a frame that is complete is held back. */
export class WebSocketScrubber extends Transform {
  readonly #scrubber: ResponseScrubber;
  /** Of its own: the bytes come here later than to the one that judges them. */
  readonly #frames = new WebSocketFrameGuard({ sender: 'server', isCompressed: false });

  constructor(forms: readonly Buffer[]) {
    super();
    this.#scrubber = new ResponseScrubber(forms);
    // What is no frame has ended both sides by then.
    this.on('error', () => undefined);
  }

  /** How many occurrences were replaced. */
  get replaced(): number {
    return this.#scrubber.replaced;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.#frames.check(chunk);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const bytes = this.#scrubber.push(chunk);
    // A message is not to wait for the next one because it ends like the beginning of a secret.
    callback(null, this.#frames.isBetween ? Buffer.concat([bytes, this.#scrubber.end()]) : bytes);
  }

  override _flush(callback: TransformCallback): void {
    callback(null, this.#scrubber.end());
  }
}
