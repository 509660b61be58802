// Sends the body of one request, framed as its head says: as fast as the origin takes it, with a bounded part of it held.

import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { encodeBodyEnd } from '../../http/request-writer.ts';
import { BlockWriter } from '../../net/block-writer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { DirectBody } from './direct-body.ts';
import { bodyFault } from './forwarder.ts';
import type { ForwardRequest } from './forwarder.ts';

export class RequestBodyPump {
  readonly #socket: Socket;
  readonly #request: ForwardRequest;
  readonly #body: Readable;
  readonly #fail: (error: unknown) => void;
  readonly #length: number | undefined;
  #sentBytes = 0;
  readonly #writer: BlockWriter;
  #isFull = false;
  #isStopped = false;
  #isSent = false;
  #activeMs = 0;

  constructor(socket: Socket, request: ForwardRequest, body: Readable, fail: (error: unknown) => void) {
    this.#socket = socket;
    this.#request = request;
    this.#body = body;
    this.#fail = fail;
    this.#length = request.bodyLength;
    this.#writer = new BlockWriter(socket, () => this.#written(), defaultLimits.requestBodyWaitingBytesMax);
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
    return !this.#isSent && this.#socket.writableLength === 0 && this.#writer.waitingBytes === 0;
  }

  /** Sends the head, and the body from now on. */
  start(head: string): void {
    const body = this.#body;
    this.#writer.writeText(head);
    body.once('end', this.#onEnd).once('error', this.#onFault).once('close', this.#onClose);
    // A rewritten body can be found wrong before the connection stands, and a body can be over by then.
    if (body.errored !== null) this.#onFault(body.errored);
    else if (body.readableEnded) this.#onEnd();
    else if (body.destroyed) this.#onClose();
    else if (body instanceof DirectBody) body.takeOver(this.#take);
    else {
      body.on('data', this.#take);
      // What is there already leaves together with the head: reading it tells those who listen.
      if (body.readableLength > 0) body.read();
      if (!this.#isStopped && !this.#isFull) body.resume();
    }
  }

  /** Takes nothing more of the body. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const body = this.#body;
    body
      .off('data', this.#take)
      .off('end', this.#onEnd)
      .off('error', this.#onFault)
      .off('close', this.#onClose);
    if (this.#isSent) return;
    this.#writer.clear();
    if (body instanceof DirectBody) body.giveBack();
    else body.pause();
  }

  /** False: no more before it asks. */
  readonly #take = (chunk: Uint8Array): boolean => {
    const { length } = chunk;
    if (length === 0) return true;
    this.#activeMs = performance.now();
    this.#sentBytes += length;
    try {
      this.#request.onBodyBytes?.(length);
      if (this.#sentBytes > (this.#length ?? Infinity)) throw wrongLength();
    } catch (error) {
      this.#fail(error);
      return false;
    }
    if (this.#length === undefined) this.#writer.writeText(`${length.toString(16)}\r\n`);
    this.#writer.write(chunk);
    if (this.#length === undefined) this.#writer.writeText('\r\n');
    this.#isFull = this.#writer.waitingBytes >= defaultLimits.requestBodyWaitingBytesMax;
    if (this.#isFull && !(this.#body instanceof DirectBody)) this.#body.pause();
    return !this.#isFull;
  };

  #written(): void {
    this.#activeMs = performance.now();
    if (!this.#isFull || this.#writer.waitingBytes >= defaultLimits.requestBodyWaitingBytesMax) return;
    this.#isFull = false;
    if (this.#isStopped) return;
    if (this.#body instanceof DirectBody) this.#body.more();
    else this.#body.resume();
  }

  readonly #onEnd = (): void => {
    this.#activeMs = performance.now();
    try {
      if (this.#length === undefined) this.#writer.writeText(encodeBodyEnd(this.#request.trailers?.() ?? []));
      else if (this.#sentBytes !== this.#length) throw wrongLength();
      // All of it, so that nothing of the next request can get in front of it.
      this.#writer.flush();
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
}

/** The origin would take what is missing from the next request, or the rest for one. */
function wrongLength(): ProxyError {
  return new ProxyError('request_malformed', 'the body is not as long as its Content-Length');
}
