// Reads of many sockets into one piece of memory: a buffer for each read costs more than all else that is done with its octets.

import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What Node asks the system for at a time; TLS gives at most 16 KiB of it. */
const readBytes = 64 * 1024;
/** Of all memory that is read or copied into again. */
const sharedMemory = new WeakSet<ArrayBufferLike>();

/** Memory for the reads of one kind of sockets. Two kinds whose reads happen inside of each other need one each. */
export class ReadMemory {
  readonly bytes: Buffer;

  constructor() {
    // More than twice what is read at a time: whoever copies what is a small part of its memory copies this.
    this.bytes = Buffer.allocUnsafeSlow(2 * readBytes + 1).subarray(0, readBytes);
    sharedMemory.add(this.bytes.buffer);
  }
}

let isOverwritten = false;

/** For tests: what was read is overwritten as soon as its taker returns, so that whoever keeps a view of it is found out. */
export function overwriteReads(): void {
  isOverwritten = true;
}

/** The chunk itself, or a copy if its memory is read into again. */
export function owned(chunk: Uint8Array): Uint8Array {
  return sharedMemory.has(chunk.buffer) ? new Uint8Array(chunk) : chunk;
}

/** Such memory too: it is filled again once whoever was handed a piece of it has returned. */
export function lend(bytes: Uint8Array): Uint8Array {
  sharedMemory.add(bytes.buffer);
  return bytes;
}

/** Whoever was handed the piece of such memory has returned. */
export function takeBack(piece: Uint8Array): void {
  if (isOverwritten) piece.fill(0xee);
}

/** How reads of a socket are handed on. */
export interface SharedReads {
  /** Hands on what is there already, and lets more come, unless whoever took it has enough. */
  start(hasEnough: () => boolean): void;
  /** An ordinary stream again, whose next chunks are its own. */
  stop(): void;
}

/** What Node keeps of the public option `onread`, which can be given to a socket only as it is made. */
interface ReadingHandle {
  readonly useUserBuffer?: (memory: Buffer) => void;
}

/**
 * Hands every read to `receive` as a view that holds until it returns; `pause`, `resume`, `end` and `close` are as ever. After `pause` a
 * TLS socket hands on what it had taken from the system already. Undefined where the runtime cannot: then `data` is to be listened to.
 */
export function shareReads(
  socket: Duplex,
  { bytes }: ReadMemory,
  receive: (chunk: Buffer) => void,
): SharedReads | undefined {
  if (!(socket instanceof Socket) || process.versions['bun'] !== undefined) return undefined;
  const symbols = Object.getOwnPropertySymbols(socket);
  const memoryKey = symbols.find(({ description }) => description === 'kBuffer');
  const callbackKey = symbols.find(({ description }) => description === 'kBufferCb');
  // Both are Node's own: what they hold is what is looked at here.
  const inner = socket as unknown as Record<symbol, unknown> & { readonly _handle?: ReadingHandle | null };
  const handle = inner._handle;
  if (memoryKey === undefined || callbackKey === undefined || inner[memoryKey] !== null) return undefined;
  if (typeof handle?.useUserBuffer !== 'function' || socket.readableFlowing === true) return undefined;
  const reads = new SocketReads(socket, bytes, receive);
  inner[memoryKey] = bytes;
  inner[callbackKey] = (length: number) => reads.take(length);
  handle.useUserBuffer(bytes);
  return reads;
}

class SocketReads implements SharedReads {
  readonly #socket: Socket;
  readonly #bytes: Buffer;
  readonly #receive: (chunk: Buffer) => void;
  #isStopped = false;

  constructor(socket: Socket, bytes: Buffer, receive: (chunk: Buffer) => void) {
    this.#socket = socket;
    this.#bytes = bytes;
    this.#receive = receive;
  }

  /** The next read is there. False: no more for now. */
  take(length: number): boolean {
    const chunk = this.#bytes.subarray(0, length);
    if (this.#isStopped) return this.#socket.push(Buffer.from(chunk));
    this.#receive(chunk);
    if (isOverwritten) chunk.fill(0xee);
    return true;
  }

  start(hasEnough: () => boolean): void {
    const socket = this.#socket;
    while (!this.#isStopped && socket.readableLength > 0) this.#receive(socket.read() as Buffer);
    if (this.#isStopped) return;
    if (hasEnough()) socket.pause();
    else socket.resume();
  }

  stop(): void {
    const socket = this.#socket;
    this.#isStopped = true;
    // With memory of its own a socket stops reading when it is paused, and would not see the end of what it is told no more.
    socket.pause = () => Duplex.prototype.pause.call(socket) as Socket;
    // As a stream it has waited for a read to end all the time, and would begin no other.
    if (!socket.destroyed) socket.push(Buffer.alloc(0));
  }
}
