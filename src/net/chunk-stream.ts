// The seed protocol `upstreamproxy.chunk`: one WebSocket is one client connection, each message one protobuf chunk.

import type { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';

import { decodeChunk, encodeChunk } from '../protocol/chunk-codec.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import { ignore } from '../protocol/ignore.ts';
import type { Limits } from '../protocol/limits.ts';

import { TunnelInboundQueue } from './tunnel-inbound-queue.ts';
import type { WebSocketConnection } from './websocket-connection.ts';

type WriteCallback = (error?: Error | null) => void;

export interface ChunkStreamOptions {
  /** Bytes of the peer came: what the loop does next is for it. */
  readonly onReceive?: () => void;
  /** At the client's side, who keeps the connection alive and may still read after its own end. */
  readonly client?: {
    /** An empty chunk goes out after so long a silence of ours. */
    readonly keepAliveMs: number;
    /** After our end: how long the peer may be silent before the connection is closed under what it still had to say. */
    readonly endTimeoutMs: number;
  };
}

/**
 * The bytes of the client connection on `webSocket`, which the stream owns from now on; for either side. The protocol has
 * no half-close: the peer's close ends both directions, and `end()` closes the WebSocket, at the client's side only once the
 * peer has said what it had to say. `destroy` drops the connection, which the peer sees as an error.
 */
export function chunkStream(
  webSocket: WebSocketConnection,
  limits: Limits,
  options: ChunkStreamOptions = {},
): ChunkStream {
  return new ChunkStream(webSocket, limits, options);
}

export class ChunkStream extends Duplex {
  readonly #webSocket: WebSocketConnection;
  readonly #chunkBytesMax: number;
  readonly #client: ChunkStreamOptions['client'];
  readonly #message = new TunnelInboundQueue();
  #outgoing: Buffer | undefined;
  #outgoingDone: WriteCallback | undefined;
  #isFull = false;
  /** The peer closed in an orderly way. */
  #isClosed = false;
  /** We did, while the peer could still have said something. */
  #isClosing = false;
  #keepAliveTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(webSocket: WebSocketConnection, limits: Limits, { onReceive, client }: ChunkStreamOptions) {
    super({ allowHalfOpen: false, highWaterMark: limits.frameBytesMax });
    // A stream that fails before its user listens must not end the process.
    this.on('error', ignore);
    this.#webSocket = webSocket;
    this.#chunkBytesMax = limits.frameBytesMax;
    this.#client = client;
    if (client !== undefined)
      this.#keepAliveTimer = setTimeout(() => this.#keepAlive(), client.keepAliveMs).unref();
    webSocket.start({
      onData: (part) => {
        onReceive?.();
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

  /** Ends both directions at once; the peer sees an error. */
  reset(error: ProxyError): void {
    this.destroy(error);
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#outgoingDone = callback;
    if (this.#isClosed) return this.#wrote();
    this.#outgoing = chunk;
    this.#sendPending();
  }

  override _final(callback: WriteCallback): void {
    if (this.#client === undefined) void this.#webSocket.close();
    else if (!this.#isClosed) this.#awaitPeer(this.#client.endTimeoutMs);
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#message.clear();
    this.#outgoing = undefined;
    this.#stopTimers();
    // Behind an orderly end the close handshake goes on by itself, with a deadline of its own.
    if (!this.#isClosing && (error !== null || !this.writableFinished)) this.#webSocket.destroy();
    callback(error);
  }

  #keepAlive(): void {
    if (!this.#isFull) this.#webSocket.sendBinary(encodeChunk(new Uint8Array()));
    this.#keepAliveTimer?.refresh();
  }

  /** Our bytes are complete, and the peer cannot be told without ending it too: so it may finish first. */
  #awaitPeer(endTimeoutMs: number): void {
    this.#endTimer = setTimeout(() => {
      // What lies here unread is no silence of the peer's.
      if (this.readableLength > 0) return this.#awaitPeer(endTimeoutMs);
      this.#isClosing = true;
      void this.#webSocket.close();
      const message = `the far end sent nothing for ${endTimeoutMs} ms after the client's end`;
      this.destroy(new ProxyError('timeout', message, { limit: 'chunkEndTimeoutMs' }));
    }, endTimeoutMs).unref();
  }

  #stopTimers(): void {
    clearTimeout(this.#keepAliveTimer);
    clearTimeout(this.#endTimer);
    this.#keepAliveTimer = undefined;
    this.#endTimer = undefined;
  }

  #sendPending(): void {
    while (this.#outgoing !== undefined && !this.#isFull) {
      const part = this.#outgoing.subarray(0, this.#chunkBytesMax);
      this.#outgoing = part.length < this.#outgoing.length ? this.#outgoing.subarray(part.length) : undefined;
      const isLast = this.#outgoing === undefined;
      const send = (written?: () => void): boolean => this.#webSocket.sendBinary(encodeChunk(part), written);
      // Until the last of it has left the memory is the socket's; whoever wrote it may use it again afterwards.
      this.#isFull = !(isLast ? send(() => this.#wrote()) : send());
      this.#keepAliveTimer?.refresh();
    }
  }

  #wrote(): void {
    const done = this.#outgoingDone;
    this.#outgoingDone = undefined;
    done?.();
  }

  #receiveMessage(): void {
    const message = takeAll(this.#message);
    if (this.destroyed) return;
    this.#endTimer?.refresh();
    try {
      // An empty chunk, or an empty message, keeps the connection alive and says nothing.
      const data = decodeChunk(message);
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
    this.#stopTimers();
    this.push(null);
    // Nothing that is written arrives any more, but what came before is still to be read: so it is dropped, not an error.
    this.#isClosed = true;
    this.#outgoing = undefined;
    this.#isFull = false;
    this.#wrote();
  }
}

/** One buffer; without a copy where the message came in one piece of some size, as it mostly does. */
function takeAll(message: TunnelInboundQueue): Uint8Array {
  const length = message.bytes;
  const first = message.shift();
  if (first === undefined || first.length === length) return first ?? new Uint8Array();
  const whole = new Uint8Array(length);
  let offset = 0;
  for (let part: Uint8Array | undefined = first; part !== undefined; part = message.shift()) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
