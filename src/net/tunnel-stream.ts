// One stream of a tunnel as a Duplex that looks like a whole socket to what sits on it: TLS, an HTTP server, a pipe.

import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';

import { ProxyError } from '../protocol/error.ts';
import { errorCodeOfWire } from '../protocol/error-table.ts';
import type { OpenFields } from '../protocol/frame.ts';
import { ignore } from '../protocol/ignore.ts';
import { resetReason } from '../protocol/tunnel-fault.ts';
import type { LinkAbsence } from './link-absence.ts';
import { owned } from './shared-reads.ts';
import { bufferOf, compact, TunnelInboundQueue, type TunnelStreamSink } from './tunnel-inbound-queue.ts';

/** What a stream asks of the link that it belongs to. */
export interface TunnelStreamHost {
  readonly absence?: LinkAbsence;
  accept(streamId: number): void;
  refuse(streamId: number, error: ProxyError): void;
  /** Wants to send; the link calls `sendPending` now or when it is this stream's turn. */
  requestSend(stream: TunnelStream): void;
  /** Takes what credit allows and returns the count. */
  sendData(streamId: number, data: Uint8Array): number;
  /** What was not taken waits for credit of the stream, and not for room on the link. */
  lacksCredit(streamId: number): boolean;
  sendDatagram(streamId: number, data: Uint8Array): boolean;
  end(streamId: number): void;
  /** The count of consumed bytes may have changed. */
  consumptionChanged(stream: TunnelStream): void;
  /** The stream is over here; what is open of it on the wire is reset with `error`, or as cancelled. */
  closed(stream: TunnelStream, error: ProxyError | undefined): void;
}

type WriteCallback = (error?: Error | null) => void;

/** One chunk of a socket must fit, or every write asks its source to pause. */
const writableBytes = 128 * 1024;
/** Beyond this the bytes stay in the compact queue of the stream. */
const readableBytes = 64 * 1024;
/** Written together, pieces below this share one frame. */
const joinBytesMax = 4096;

/**
 * A stream of a tunnel. Half-close works both ways. `destroy(error)` resets it with the error's code, `destroy()` before
 * both directions ended resets it with `cancelled`; a reset by the peer destroys it with the peer's error, unless the peer
 * had ended before: then what came is read to the end. A chunk must not be changed once it was written.
 */
export class TunnelStream extends Duplex {
  readonly streamId: number;
  /** Claims of the agent, never a right to anything. */
  readonly fields: OpenFields;
  /** There is no socket of its own to tell of. */
  readonly remoteAddress = undefined;
  readonly encrypted = undefined;
  readonly connecting = false;
  /** Who listens to `data` copies each chunk at once, as Node's TLS does: then it may be memory that is read into again. */
  isCopiedAtOnce = false;
  readonly #host: TunnelStreamHost;
  readonly #inbound = new TunnelInboundQueue();
  #receivedBytes = 0;
  #reportedBytes = 0;
  #writtenBytes = 0;
  #remoteEnded = false;
  #endPushed = false;
  /** The peer reset the stream behind its own end: nothing that is written arrives any more. */
  #resetAfterEnd = false;
  #outgoing: Uint8Array[] = [];
  #outgoingDone: WriteCallback | undefined;
  /** Bytes of the write that Writable waits for; what it has beyond them comes later. */
  #writingBytes = 0;
  #sink: TunnelStreamSink | undefined;
  /** The sink takes nothing for now. */
  #isHeld = false;
  /** `send` said that something waits. */
  #isWaitedFor = false;
  /** The end waits for what was sent before it. */
  #finalDone: WriteCallback | undefined;
  #streamError: ProxyError | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(host: TunnelStreamHost, streamId: number, fields: OpenFields) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: readableBytes,
      writableHighWaterMark: writableBytes,
    });
    this.#host = host;
    this.streamId = streamId;
    this.fields = fields;
    // A stream that fails before its user listens must not end the process.
    this.on('error', ignore);
  }

  /** Why the stream ended, if it did not end orderly. */
  get streamError(): ProxyError | undefined {
    return this.#streamError;
  }

  /** When its peer could not be reached. */
  get absence(): LinkAbsence | undefined {
    return this.#host.absence;
  }

  get bytesRead(): number {
    return this.#receivedBytes;
  }

  /** Bytes that the link has taken. */
  get bytesWritten(): number {
    return this.#writtenBytes;
  }

  /** Of mode `udp`, once it is accepted; what comes is the event `datagram`. Whether it goes out: else it is dropped. */
  sendDatagram(data: Uint8Array): boolean {
    return !this.destroyed && this.#host.sendDatagram(this.streamId, data);
  }

  /** Gateway: tells the agent that the stream is served. Data or an end say the same. */
  accept(): void {
    if (!this.destroyed) this.#host.accept(this.streamId);
  }

  /** Gateway: the agent sees why the stream is not served. After `accept` or data it is a reset. */
  refuse(error: ProxyError): void {
    if (this.destroyed) return;
    this.#streamError ??= error;
    this.#host.refuse(this.streamId, error);
    this.destroy();
  }

  /** Ends both directions at once; the peer sees a reset. */
  reset(error: ProxyError): void {
    this.destroy(error);
  }

  /** As of a socket: `timeout` is emitted after `ms` without a byte; 0 stops it. Does not keep the process alive. */
  setTimeout(ms: number, callback?: () => void): this {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (callback !== undefined) {
      if (ms > 0) this.once('timeout', callback);
      else this.off('timeout', callback);
    }
    if (ms > 0 && !this.destroyed) this.#idleTimer = setTimeout(() => this.emit('timeout'), ms).unref();
    return this;
  }

  /** As of a socket; the link decides for all its streams. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** As of a socket; the link keeps the process alive. */
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** As of a socket: ends, and destroys once all is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** From now on what comes goes to the sink, what is there already first; ends and faults are told as ever. */
  takeOver(sink: TunnelStreamSink): void {
    this.#sink = sink;
    this.goOn();
  }

  /** Sends to the peer by a call; what does not leave at once is copied. False: it waits, and `onDrain` comes. */
  send(piece: Uint8Array): boolean {
    if (this.destroyed || this.writableEnded || this.#resetAfterEnd) return true;
    if (this.#sink === undefined) return this.write(new Uint8Array(piece));
    if (this.#buffersWrites) {
      this.write(new Uint8Array(piece));
      this.#isWaitedFor = true;
      return false;
    }
    const isFirst = this.#outgoing.length === 0;
    this.#outgoing.push(isFirst ? piece : new Uint8Array(piece));
    if (isFirst) this.#host.requestSend(this);
    const [rest] = this.#outgoing;
    this.#isWaitedFor = rest !== undefined;
    if (isFirst && rest !== undefined) this.#outgoing[0] = new Uint8Array(rest);
    return rest === undefined;
  }

  /** The sink takes nothing for now. */
  hold(): void {
    this.#isHeld = true;
  }

  /** The sink takes more; what waited goes to it before this returns. */
  goOn(): void {
    this.#isHeld = false;
    while (this.#sink !== undefined && !this.#isHeld && !this.destroyed) {
      // What was there for a reader before comes first. It stays there until it is taken: the sink may hold, or let go.
      const piece = this.readableLength > 0 ? this.read() : undefined;
      if (piece === null) break;
      if (piece !== undefined) this.#sink.onData(piece);
      else if (!this.#inbound.handOn(this.#sink)) break;
    }
    this.#host.consumptionChanged(this);
    this.#endIfTaken();
  }

  /** An ordinary Duplex again, paused. */
  release(): void {
    this.#sink = undefined;
    this.pause();
    this.#refill();
    this.#pushEnd();
  }

  /** Link: bytes of the peer. They are consumed when they were read from this stream, not before. */
  receiveData(data: Uint8Array): void {
    if (this.destroyed) return;
    this.#receivedBytes += data.length;
    this.#idleTimer?.refresh();
    if (this.#sink !== undefined) this.#deliver(data);
    else if (this.#inbound.bytes > 0 || this.readableLength > 0) this.#inbound.push(data);
    else if (this.readableFlowing !== true) this.push(compact(data));
    else this.push(this.isCopiedAtOnce ? data : owned(data));
    this.#host.consumptionChanged(this);
  }

  /** Link: the peer sends no more; what came before is read first. */
  receiveEnd(): void {
    this.#remoteEnded = true;
    if (this.#sink === undefined) this.#pushEnd();
    else this.#endIfTaken();
  }

  /** Link: the peer ended both directions. */
  receiveReset(code: number, message: string): void {
    const error = new ProxyError(errorCodeOfWire(code), message);
    if (this.#remoteEnded) this.#readToEnd(error.code === 'cancelled' ? undefined : error);
    else this.destroy(error);
  }

  /** Link: the peer ended the tunnel. What was complete by then is still read. */
  receiveLinkEnd(error: ProxyError): void {
    if (this.#remoteEnded) this.#readToEnd(this.writableFinished ? undefined : error);
    else this.destroy(error);
  }

  /** Nothing more is sent, and what came before the peer's end is for the reader. */
  #readToEnd(reason: ProxyError | undefined): void {
    this.#resetAfterEnd = true;
    if (this.readableEnded) return void this.destroy(reason);
    this.once('end', () => this.destroy(reason));
    this.#outgoing = [];
    this.#completeWrite();
  }

  /**
   * Link: sends what waits. `sent` if nothing is left, `blocked` if the stream's credit is used up (the link calls again when
   * it came back), `more` if `bytesMax` or the room on the link was reached, where frames count with their heads.
   */
  sendPending(bytesMax: number): 'sent' | 'blocked' | 'more' {
    let room = bytesMax;
    for (let chunk = this.#outgoing[0]; chunk !== undefined; chunk = this.#outgoing[0]) {
      if (room === 0) return 'more';
      const part = chunk.length <= room ? chunk : chunk.subarray(0, room);
      const taken = this.#host.sendData(this.streamId, part);
      this.#writtenBytes += taken;
      room -= taken;
      if (taken === chunk.length) this.#outgoing.shift();
      else if (taken > 0) this.#outgoing[0] = chunk.subarray(taken);
      if (taken < part.length) return this.#host.lacksCredit(this.streamId) ? 'blocked' : 'more';
    }
    this.#completeWrite();
    return 'sent';
  }

  /** Link: bytes read since the last call. */
  takeConsumed(): number {
    const consumed = this.#receivedBytes - this.readableLength - this.#inbound.bytes - this.#reportedBytes;
    this.#reportedBytes += Math.max(consumed, 0);
    return Math.max(consumed, 0);
  }

  /** Every reader comes through here, so this is where bytes become consumed. */
  override read(size?: number): Buffer | null {
    // Typed `any` by Duplex; without `setEncoding` it is this.
    const chunk: Buffer | null = super.read(size);
    if (chunk !== null) {
      this.#refill();
      this.#host.consumptionChanged(this);
      // Not from inside here: the end emits `readable` at once, and whoever reads then overtakes this chunk.
      if (this.#remoteEnded && !this.#endPushed) process.nextTick(() => this.#pushEnd());
    }
    return chunk;
  }

  /** Bytes are pushed as they arrive, and by `read` when the peer was faster than the reader. */
  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#send([chunk], chunk.length, callback);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: WriteCallback): void {
    const buffers = chunks.map(({ chunk }) => chunk);
    const length = buffers.reduce((sum, { length }) => sum + length, 0);
    this.#send(length <= joinBytesMax ? [Buffer.concat(buffers, length)] : buffers, length, callback);
  }

  override _final(callback: WriteCallback): void {
    if (this.#outgoing.length > 0) {
      this.#finalDone = callback;
      return;
    }
    this.#host.end(this.streamId);
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    clearTimeout(this.#idleTimer);
    this.#inbound.clear();
    this.#outgoing = [];
    this.#outgoingDone = undefined;
    this.#finalDone = undefined;
    if (error !== null) this.#streamError ??= resetReason(error);
    this.#host.closed(this, this.#streamError);
    callback(error);
  }

  /** What was written before has not come to `outgoing` yet: what `send` takes goes behind it. */
  get #buffersWrites(): boolean {
    return this.writableLength > this.#writingBytes;
  }

  #send(chunks: Uint8Array[], length: number, callback: WriteCallback): void {
    if (this.#resetAfterEnd) return callback();
    this.#outgoing.push(...chunks);
    this.#outgoingDone = callback;
    this.#writingBytes = length;
    this.#idleTimer?.refresh();
    this.#host.requestSend(this);
  }

  #completeWrite(): void {
    const done = this.#outgoingDone;
    this.#outgoingDone = undefined;
    this.#writingBytes = 0;
    this.#idleTimer?.refresh();
    // Writable may write here what it had buffered.
    done?.();
    if (this.#outgoing.length > 0 || this.#buffersWrites) return;
    if (this.#finalDone !== undefined) {
      const final = this.#finalDone;
      this.#finalDone = undefined;
      this._final(final);
    } else if (this.#isWaitedFor) {
      this.#isWaitedFor = false;
      this.#sink?.onDrain();
    }
  }

  /** To the sink, or behind what waits for it. */
  #deliver(data: Uint8Array): void {
    const { bytes } = this.#inbound;
    if (this.#sink === undefined || this.#isHeld || bytes > 0 || this.readableLength > 0)
      this.#inbound.pushLent(data);
    else this.#sink.onData(bufferOf(data));
  }

  /** The end of the peer is told by `end`, once all that came before was taken. */
  #endIfTaken(): void {
    if (!this.#remoteEnded || this.#isHeld || this.#sink === undefined) return;
    if (this.#inbound.bytes > 0 || this.readableLength > 0) return;
    this.#pushEnd();
    this.resume();
  }

  /** Moves bytes from the queue to the reader, as many as it takes at once. */
  #refill(): void {
    while (this.readableLength < readableBytes && !this.destroyed) {
      const piece = this.#inbound.shift();
      if (piece === undefined) return;
      this.push(piece);
    }
  }

  #pushEnd(): void {
    if (!this.#remoteEnded || this.#endPushed || this.#inbound.bytes > 0 || this.destroyed) return;
    this.#endPushed = true;
    this.push(null);
  }
}
