// One WebSocket after its handshake (RFC 6455 §5–7): binary messages only, no extensions, payload as it comes.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { OutputBlock } from '../protocol/output-queue.ts';
import { printable } from '../protocol/printable.ts';

import { ReadMemory, shareReads } from './shared-reads.ts';
import { type CloseStatus, closeCode, encodeClose, opcode, WebSocketFault } from './websocket-frame.ts';
import { WebSocketParser } from './websocket-parser.ts';
import { WebSocketWriter } from './websocket-writer.ts';

/**
 * What a connection calls. `onClose` comes once and last, with an error unless the close was an orderly one; `wasCut`: the connection below
 * went away without a word of either end.
 */
export interface WebSocketHandlers {
  /** The next bytes of the current message, which hold until this returns. */
  onData(chunk: Uint8Array): void;
  onMessageEnd(): void;
  onPong?(): void;
  onClose(error: ProxyError | undefined, wasCut: boolean): void;
  /** All that was written has left, after a `sendBinary` that returned false. */
  onDrain?(): void;
}

export interface WebSocketOptions {
  /** Connected, any TLS done. The connection owns it from now on. */
  readonly socket: Duplex;
  readonly role: 'client' | 'server';
  /** Agreed in the handshake: the client's mask is zero. */
  readonly zeroMask: boolean;
  readonly limits: Limits;
  /** Bytes that were read behind the handshake. */
  readonly head?: Uint8Array;
  readonly subprotocol?: string;
  /** Agreed in the handshake: modes are agreed for the tunnel. */
  readonly agreesOnModes?: boolean;
  /** Agreed in the handshake: the tunnel outlives this connection. */
  readonly isResumable?: boolean;
  /** Agreed in the handshake: datagrams are carried. */
  readonly agreesOnDatagrams?: boolean;
  /** The gateway said in the handshake that it challenges the agent first. */
  readonly isChallenged?: boolean;
}

const empty = new Uint8Array();
const memory = new ReadMemory();

/** An endpoint of a WebSocket. Nothing is read before `start`. */
export class WebSocketConnection {
  /** The agreed subprotocol, or empty. */
  readonly subprotocol: string;
  /** Both ends said that they agree on modes for the tunnel. */
  readonly agreesOnModes: boolean;
  /** Both ends said that the tunnel outlives this connection. */
  readonly isResumable: boolean;
  /** Both ends said that they carry datagrams. */
  readonly agreesOnDatagrams: boolean;
  /** The gateway challenges the agent before anything else. */
  readonly isChallenged: boolean;
  readonly #socket: Duplex;
  #isPaused = false;
  readonly #role: 'client' | 'server';
  readonly #limits: Limits;
  readonly #parser: WebSocketParser;
  readonly #writer: WebSocketWriter;
  readonly #socketClosed: Promise<void>;
  readonly #head: Uint8Array;
  #handlers: WebSocketHandlers | undefined;
  #ended: { readonly error: ProxyError | undefined; readonly wasCut: boolean } | undefined;
  #endReported = false;
  #closeSent = false;
  #closeRequested = false;
  #closeTimer: NodeJS.Timeout | undefined;
  #needsDrain = false;
  #pendingPong: Uint8Array | undefined;

  constructor(options: WebSocketOptions) {
    const { socket, role, limits } = options;
    this.subprotocol = options.subprotocol ?? '';
    this.agreesOnModes = options.agreesOnModes ?? false;
    this.isResumable = options.isResumable ?? false;
    this.agreesOnDatagrams = options.agreesOnDatagrams ?? false;
    this.isChallenged = options.isChallenged ?? false;
    this.#socket = socket;
    this.#role = role;
    this.#limits = limits;
    this.#head = options.head ?? empty;
    this.#writer = new WebSocketWriter(
      socket,
      role === 'server' ? 'none' : options.zeroMask ? 'zero' : 'random',
    );
    this.#parser = new WebSocketParser({
      role,
      messageBytesMax: limits.messageBytesMax,
      sink: {
        data: (part) => this.#handlers?.onData(part),
        messageEnd: () => this.#handlers?.onMessageEnd(),
        ping: (payload) => this.#respondToPing(payload),
        pong: () => this.#handlers?.onPong?.(),
        close: (status) => this.#peerClosed(status),
      },
    });
    this.#socketClosed = this.#watchSocket(socket);
  }

  /** On one of the runtime's own, which is done with what it was given when it says so. */
  get isOnSocket(): boolean {
    return this.#socket instanceof Socket;
  }

  /** Bytes that were given to the socket and have not left it. */
  get writableLength(): number {
    return this.#socket.writableLength;
  }

  /** Begins to read. Handlers are called from the next microtask on, never from inside this call. */
  start(handlers: WebSocketHandlers): void {
    this.#handlers = handlers;
    queueMicrotask(() => {
      if (this.#ended !== undefined) this.#reportEnd();
      else this.#startReading();
    });
  }

  /**
   * Sends one message. The parts are taken over, not copied: they must not change until `written` is called, which comes later than
   * this returns. False: more than `writeBufferBytesMax` is waiting, wait for `onDrain`. After the end nothing is sent, and nobody is told.
   */
  sendBinary(parts: readonly Uint8Array[], written?: () => void): boolean {
    if (this.#closeSent || this.#ended !== undefined) return false;
    let length = 0;
    for (const part of parts) length += part.length;
    this.#checkLength(length);
    this.#writer.binary(parts, length, written);
    return !this.#isFull();
  }

  /**
   * Sends a block as one message. It is taken over, room in front of it and all, until `written` is called: that comes once, and later
   * than this returns. After the end nothing is sent, and nobody is told. `isKept`: the frames in it stay as they are, to be sent again.
   */
  sendBlock(block: OutputBlock, written: () => void, isKept = false): void {
    if (this.#closeSent || this.#ended !== undefined) return;
    this.#checkLength(block.end - block.start);
    this.#writer.block(block, written, isKept);
  }

  #checkLength(length: number): void {
    if (length <= this.#limits.messageBytesMax) return;
    throw new ProxyError(
      'internal',
      `A message of ${length} bytes is longer than messageBytesMax; send it as several.`,
    );
  }

  ping(): void {
    if (!this.#closeSent && this.#ended === undefined) this.#writer.control(opcode.ping, empty);
  }

  /** Stops reading; what was already read, at most one chunk of the socket, is still handed on. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Closes in an orderly way; resolves when the socket is closed, at the latest after `closeTimeoutMs`. */
  close(code: number = closeCode.normal, reason = ''): Promise<void> {
    if (!this.#closeRequested && this.#ended === undefined) {
      this.#closeRequested = true;
      this.#sendClose(code, reason);
      this.#armCloseTimer();
      if (this.#handlers === undefined) this.#startReading();
    }
    return this.#socketClosed;
  }

  /** Ends now, without a close frame, so that the peer cannot take it for an orderly end. */
  destroy(error?: ProxyError): void {
    this.#end(error);
    this.#socket.destroy();
  }

  #startReading(): void {
    if (this.#head.length > 0) this.#receive(this.#head);
    const receive = (chunk: Uint8Array): void => this.#receive(chunk);
    const reads = shareReads(this.#socket, memory, receive);
    if (reads !== undefined) return reads.start(() => this.#isPaused);
    this.#socket.on('data', receive);
    // The handshake left the socket paused.
    if (!this.#isPaused) this.#socket.resume();
  }

  #watchSocket(socket: Duplex): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('drain', () => this.#drained());
    socket.on('end', () => {
      this.#end(lost('closed the connection without a close frame'), true);
      // Behind a close handshake this is the server's FIN, which the client waits for.
      socket.end();
      this.#armCloseTimer();
    });
    socket.on('error', (error) => this.#end(lost(`is gone: ${error.message}`, error), true));
    socket.on('close', () => {
      this.#end(lost('is gone'), true);
      clearTimeout(this.#closeTimer);
      resolve();
    });
    if (socket.destroyed) {
      this.#end(lost('is gone'), true);
      resolve();
    }
    return promise;
  }

  #receive(chunk: Uint8Array): void {
    try {
      this.#parser.receive(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A breach of the protocol ends this connection and nothing else; the peer learns which one. */
  #fail(error: unknown): void {
    this.#parser.stop();
    const fault = asProxyError(error);
    const code = fault instanceof WebSocketFault ? fault.closeCode : closeCode.internalError;
    this.#sendClose(code, fault instanceof WebSocketFault ? fault.message : '');
    this.#end(fault);
    this.#endSocket();
  }

  #peerClosed(status: CloseStatus): void {
    // RFC 6455 §5.5.1: the echo carries the code that was received.
    this.#sendClose(status.code === 1005 ? closeCode.normal : status.code, '');
    const isOrderly =
      status.code === closeCode.normal || status.code === closeCode.goingAway || status.code === 1005;
    this.#end(
      isOrderly
        ? undefined
        : lost(`closed the connection with ${status.code}${withReason(printable(status.reason))}`),
    );
    this.#endSocket();
  }

  /** RFC 6455 §7.1.1: the server closes the TCP connection, the client waits for it. */
  #endSocket(): void {
    if (this.#role === 'server') this.#socket.end();
    this.#socket.resume();
    this.#armCloseTimer();
  }

  #sendClose(code: number, reason: string): void {
    if (this.#closeSent || !this.#socket.writable) return;
    this.#closeSent = true;
    this.#writer.control(opcode.close, encodeClose(code, reason));
  }

  /** RFC 6455 §5.5.3 lets an endpoint respond to the latest ping only, which bounds what a flood of pings can queue. */
  #respondToPing(payload: Uint8Array): void {
    if (this.#closeSent || this.#ended !== undefined) return;
    if (this.#isFull()) this.#pendingPong = payload;
    else this.#writer.control(opcode.pong, payload);
  }

  /** True only where the socket owes a `drain`, so that whoever waits for it is woken. */
  #isFull(): boolean {
    const { writableLength, writableNeedDrain } = this.#socket;
    this.#needsDrain = writableNeedDrain && writableLength >= this.#limits.writeBufferBytesMax;
    return this.#needsDrain;
  }

  #drained(): void {
    if (!this.#needsDrain || this.#ended !== undefined) return;
    this.#needsDrain = false;
    const pong = this.#pendingPong;
    this.#pendingPong = undefined;
    if (pong !== undefined && !this.#closeSent) this.#writer.control(opcode.pong, pong);
    this.#handlers?.onDrain?.();
  }

  #armCloseTimer(): void {
    this.#closeTimer ??= setTimeout(() => this.#socket.destroy(), this.#limits.closeTimeoutMs).unref();
  }

  /** The first reason counts. A close that this side asked for is orderly however the peer takes it. */
  #end(error: ProxyError | undefined, wasCut = false): void {
    if (this.#ended !== undefined) return;
    this.#ended = {
      error: this.#closeRequested ? undefined : error,
      wasCut: wasCut && !this.#closeRequested,
    };
    this.#parser.stop();
    this.#pendingPong = undefined;
    if (this.#handlers !== undefined) this.#reportEnd();
  }

  #reportEnd(): void {
    if (this.#endReported) return;
    this.#endReported = true;
    this.#handlers?.onClose(this.#ended?.error, this.#ended?.wasCut ?? false);
  }
}

function lost(what: string, cause?: unknown): ProxyError {
  return new ProxyError('tunnel_lost', `The other side of the WebSocket ${what}.`, { cause });
}

function withReason(reason: string): string {
  return reason === '' ? '' : `: ${reason}`;
}
