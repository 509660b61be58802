// Sends the body of one request, framed as its head says: as fast as the origin takes it, with a bounded part of it held.

import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { encodeBodyEnd } from '../../http/request-writer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { bodyFault } from './forwarder.ts';
import type { ForwardRequest } from './forwarder.ts';

export class RequestBodyPump {
  readonly #socket: Socket;
  readonly #request: ForwardRequest;
  readonly #body: Readable;
  readonly #fail: (error: unknown) => void;
  readonly #length: number | undefined;
  #sentBytes = 0;
  #isCorked = false;
  #isStopped = false;
  #isSent = false;
  #activeMs = 0;

  constructor(socket: Socket, request: ForwardRequest, body: Readable, fail: (error: unknown) => void) {
    this.#socket = socket;
    this.#request = request;
    this.#body = body;
    this.#fail = fail;
    this.#length = request.bodyLength;
  }

  /** Whether all of the body was handed to the connection. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** When the body last moved, by `performance.now()`. */
  get activeMs(): number {
    return this.#activeMs;
  }

  /** Whether it is the client that everybody waits for. */
  get awaitsClient(): boolean {
    return !this.#isSent && this.#socket.writableLength === 0;
  }

  /** Sends the head, and the body from now on. */
  start(head: string): void {
    const body = this.#body;
    this.#cork();
    this.#socket.write(head, 'latin1');
    body.on('data', this.#onData).once('end', this.#onEnd).once('error', this.#onFault);
    body.once('close', this.#onClose);
    this.#socket.on('drain', this.#onDrain);
    // A rewritten body can be found wrong before the connection stands, and a body can be over by then.
    if (body.errored !== null) this.#onFault(body.errored);
    else if (body.readableEnded) this.#onEnd();
    else if (body.destroyed) this.#onClose();
    else {
      // What is there already leaves together with the head: reading it tells those who listen.
      if (body.readableLength > 0) body.read();
      if (!this.#isStopped && this.#socket.writableLength < defaultLimits.requestBodyWaitingBytesMax)
        body.resume();
    }
  }

  /** Takes nothing more of the body. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const body = this.#body;
    body
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onFault)
      .off('close', this.#onClose);
    this.#socket.off('drain', this.#onDrain);
    if (!this.#isSent) body.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    const { length } = chunk;
    if (length === 0) return;
    this.#activeMs = performance.now();
    this.#sentBytes += length;
    try {
      this.#request.onBodyBytes?.(length);
      if (this.#sentBytes > (this.#length ?? Infinity)) throw wrongLength();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#cork();
    if (this.#length !== undefined) this.#socket.write(chunk);
    else {
      this.#socket.write(`${length.toString(16)}\r\n`, 'latin1');
      this.#socket.write(chunk);
      this.#socket.write('\r\n', 'latin1');
    }
    if (this.#socket.writableLength >= defaultLimits.requestBodyWaitingBytesMax) this.#body.pause();
  };

  readonly #onDrain = (): void => {
    this.#activeMs = performance.now();
    this.#body.resume();
  };

  readonly #onEnd = (): void => {
    this.#activeMs = performance.now();
    try {
      if (this.#length === undefined)
        this.#socket.write(encodeBodyEnd(this.#request.trailers?.() ?? []), 'latin1');
      else if (this.#sentBytes !== this.#length) throw wrongLength();
      this.#isSent = true;
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onFault = (error: unknown): void => {
    this.#fail(bodyFault(error));
  };

  readonly #onClose = (): void => {
    if (!this.#isSent) this.#fail(bodyFault(undefined));
  };

  /** What comes in one turn leaves together: fewer records of TLS and fewer writes. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }
}

/** The origin would take what is missing from the next request, or the rest for one. */
function wrongLength(): ProxyError {
  return new ProxyError('request_malformed', 'the body is not as long as its Content-Length');
}
