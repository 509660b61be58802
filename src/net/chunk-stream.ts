// The seed protocol `upstreamproxy.chunk`: one WebSocket is one client connection, each message one protobuf chunk.

import type { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';

import { decodeChunk, encodeChunk } from '../protocol/chunk-codec.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';

import type { WebSocketConnection } from './websocket-connection.ts';

type WriteCallback = (error?: Error | null) => void;

/**
 * The bytes of the client connection on `webSocket`, which the stream owns from now on; for either side. The protocol has
 * no half-close: `end()` closes the WebSocket, and the peer's close ends both directions. `destroy` drops the connection,
 * which the peer sees as an error.
 */
export function chunkStream(webSocket: WebSocketConnection, limits: Limits): Duplex {
  return new ChunkStream(webSocket, limits);
}

class ChunkStream extends Duplex {
  readonly #webSocket: WebSocketConnection;
  readonly #chunkBytesMax: number;
  #message: Uint8Array[] = [];
  #outgoing: Buffer | undefined;
  #outgoingDone: WriteCallback | undefined;
  #isFull = false;

  constructor(webSocket: WebSocketConnection, limits: Limits) {
    super({ allowHalfOpen: false, highWaterMark: limits.frameBytesMax });
    this.#webSocket = webSocket;
    this.#chunkBytesMax = limits.frameBytesMax;
    webSocket.start({
      onData: (part) => {
        this.#message.push(part);
      },
      onMessageEnd: () => this.#receiveMessage(),
      onDrain: () => {
        this.#isFull = false;
        this.#sendPending();
      },
      onClose: (error) => this.#receiveClose(error),
    });
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#outgoing = chunk;
    this.#outgoingDone = callback;
    this.#sendPending();
  }

  override _final(callback: WriteCallback): void {
    void this.#webSocket.close();
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#message = [];
    this.#outgoing = undefined;
    // Behind an orderly end the close handshake goes on by itself, with a deadline of its own.
    if (error !== null || !this.writableFinished) this.#webSocket.destroy();
    callback(error);
  }

  #sendPending(): void {
    while (this.#outgoing !== undefined && !this.#isFull) {
      const part = this.#outgoing.subarray(0, this.#chunkBytesMax);
      this.#outgoing = part.length < this.#outgoing.length ? this.#outgoing.subarray(part.length) : undefined;
      this.#isFull = !this.#webSocket.sendBinary(encodeChunk(part));
    }
    if (this.#outgoing !== undefined || this.#isFull) return;
    const done = this.#outgoingDone;
    this.#outgoingDone = undefined;
    done?.();
  }

  #receiveMessage(): void {
    const [first, ...others] = this.#message;
    this.#message = [];
    // Nothing is gathered from a message of no bytes, which is an empty chunk: a keep-alive.
    if (first === undefined || this.destroyed) return;
    try {
      const data = decodeChunk(others.length === 0 ? first : concat([first, ...others]));
      if (data.length > 0 && !this.push(data)) this.#webSocket.pause();
    } catch (error) {
      this.destroy(asProxyError(error));
    }
  }

  #receiveClose(error: ProxyError | undefined): void {
    if (error !== undefined) {
      this.destroy(error);
      return;
    }
    this.push(null);
    // Nothing can be sent any more, so what waits will never leave.
    if (this.#outgoingDone === undefined) return;
    this.destroy(new ProxyError('stream_reset', 'The other side closed the connection before all was sent.'));
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
