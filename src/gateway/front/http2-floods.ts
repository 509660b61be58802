// Frames of one HTTP/2 connection that cost more to respond to than to send: counted, and told by the name of their limit.

import { constants } from 'node:http2';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';

type FloodLimits = Pick<Limits, 'http2ResetsPerSecondMax' | 'http2ControlFramesPerSecondMax'>;

/** nghttp2's own bounds (nghttp2.h): a thousand responses that wait to be written, eight frames of one header block. */
const floodedErrno = -904;
const continuationsErrno = -905;

/** What node is told for `http2ResetsPerSecondMax`; it counts them where they are parsed. */
export function resetOptions({ http2ResetsPerSecondMax }: FloodLimits): {
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
} {
  return { streamResetBurst: 4 * http2ResetsPerSecondMax, streamResetRate: http2ResetsPerSecondMax };
}

/** Watches one connection and ends it above `http2ControlFramesPerSecondMax`. */
export class Http2Floods {
  readonly #limits: FloodLimits;
  readonly #clock: () => number;
  readonly #control: TokenBucket;
  /** Resets of the last moments; node does not say why it ended a connection, so that this has to tell. */
  #resets = 0;
  #resetsMs: number;
  #isOver = false;

  constructor(session: ServerHttp2Session, limits: FloodLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    this.#resetsMs = clock();
    this.#control = new TokenBucket(limits.http2ControlFramesPerSecondMax, clock());
    const count = (): void => this.#countControl(session);
    session.on('ping', count).on('remoteSettings', count);
    session.on('stream', (stream) => {
      this.#countReset(stream);
    });
  }

  /** A reset counts when the stream has closed; a stream may be told of only after that, as the parser is ahead. */
  #countReset(stream: ServerHttp2Stream): void {
    const count = (): void => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#resets = this.#recentResets() + 1;
    };
    if (stream.destroyed) count();
    else stream.once('close', count);
  }

  /** The limit that was reached where node ended the connection, if it was one. */
  faultOf(error: Error & { readonly errno?: number }): ProxyError | undefined {
    if (error instanceof ProxyError) return error;
    if (error.errno === floodedErrno) return this.#controlFault();
    if (error.errno === continuationsErrno)
      return new ProxyError('head_too_large', 'a header block without an end (headBytesMax)', {
        limit: 'headBytesMax',
      });
    const max = this.#limits.http2ResetsPerSecondMax;
    if (this.#recentResets() < max) return undefined;
    return new ProxyError(
      'limit_exceeded',
      `more than ${String(max)} streams a second were reset (http2ResetsPerSecondMax)`,
      { limit: 'http2ResetsPerSecondMax' },
    );
  }

  #recentResets(): number {
    const nowMs = this.#clock();
    const elapsedMs = Math.max(0, nowMs - this.#resetsMs);
    this.#resetsMs = nowMs;
    this.#resets = Math.max(0, this.#resets - (elapsedMs * this.#limits.http2ResetsPerSecondMax) / 1000);
    return this.#resets;
  }

  #countControl(session: ServerHttp2Session): void {
    if (this.#isOver) return;
    if (this.#control.take(this.#limits.http2ControlFramesPerSecondMax, this.#clock()) === 0) return;
    this.#isOver = true;
    // Not from inside of the parser, which calls this.
    setImmediate(() => {
      session.destroy(this.#controlFault(), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  }

  #controlFault(): ProxyError {
    const max = this.#limits.http2ControlFramesPerSecondMax;
    return new ProxyError(
      'limit_exceeded',
      `more than ${String(max)} PING or SETTINGS a second (http2ControlFramesPerSecondMax)`,
      { limit: 'http2ControlFramesPerSecondMax' },
    );
  }
}
