// A connection as HTTP/1.1 needs it: what comes is handed on by a call, and what goes is taken by one, with a bound on what waits.

import type { Duplex } from 'node:stream';

import { BlockWriter } from './block-writer.ts';
import { ReadMemory, type SharedReads, shareReads } from './shared-reads.ts';
import { TunnelStream } from './tunnel-stream.ts';

/** Of TLS that ends here: its reads happen inside of those of the tunnel. */
const memory = new ReadMemory();
/** What waits for a slow reader before its writer is told, where no more is said; a part of a record more comes all the same. */
const waitingBytesMax = 64 * 1024;

/** Who takes what comes. */
export interface ByteSink {
  /** The next octets. They hold until this returns: what is kept of them has to be copied. */
  onData(chunk: Buffer): void;
  /** More is taken, after a `write` that returned false. */
  onDrain(): void;
}

/** The octets of a socket, both ways. Its ends and its faults are told by the socket itself. */
export interface ByteStream {
  /** Begins to hand on what comes, what is there already first. Once. */
  start(sink: ByteSink): void;
  /** The piece holds until this returns. False: wait for `onDrain`; what is written all the same waits, too. */
  write(piece: Uint8Array): boolean;
  /** What was written leaves now and not a turn later. */
  flush(): void;
  /** Nothing more is handed on before `resume`, but for what TLS had decrypted already. */
  pause(): void;
  resume(): void;
  /** Gives the socket back, paused, as an ordinary one, which what is written from now on goes to as well. */
  release(): void;
}

/** @param waitsMax octets that wait before the writer is told; a stream of a tunnel has its credit instead */
export function bytesOf(socket: Duplex, waitsMax = waitingBytesMax): ByteStream {
  return socket instanceof TunnelStream ? new TunnelBytes(socket) : new DuplexBytes(socket, waitsMax);
}

/** Straight from the frames of the tunnel and into them. */
class TunnelBytes implements ByteStream {
  readonly #stream: TunnelStream;
  #isPaused = false;

  constructor(stream: TunnelStream) {
    this.#stream = stream;
  }

  start(sink: ByteSink): void {
    this.#stream.takeOver(sink);
  }

  write(piece: Uint8Array): boolean {
    return this.#stream.send(piece);
  }

  flush(): void {
    // The link writes once a turn, for all of its streams.
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream.hold();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream.goOn();
  }

  release(): void {
    this.#stream.release();
  }
}

/** Any other socket. What is written in one turn leaves in one piece. */
class DuplexBytes implements ByteStream {
  readonly #socket: Duplex;
  readonly #writer: BlockWriter;
  readonly #waitsMax: number;
  #sink: ByteSink | undefined;
  #reads: SharedReads | undefined;
  #isFull = false;
  #isPaused = false;

  constructor(socket: Duplex, waitsMax: number) {
    this.#socket = socket;
    this.#waitsMax = waitsMax;
    this.#writer = new BlockWriter(socket, () => this.#written(), waitsMax);
  }

  start(sink: ByteSink): void {
    this.#sink = sink;
    this.#reads = shareReads(this.#socket, memory, this.#onData);
    if (this.#reads !== undefined) return this.#reads.start(() => this.#isPaused);
    this.#socket.on('data', this.#onData);
    // One that was paused does not flow for a listener alone.
    if (!this.#isPaused) this.#socket.resume();
  }

  write(piece: Uint8Array): boolean {
    this.#writer.write(piece);
    this.#isFull ||= this.#writer.waitingBytes >= this.#waitsMax;
    return !this.#isFull;
  }

  flush(): void {
    this.#writer.flush();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  release(): void {
    this.flush();
    this.#socket.pause();
    this.#reads?.stop();
    this.#socket.off('data', this.#onData);
  }

  readonly #onData = (chunk: Buffer): void => this.#sink?.onData(chunk);

  #written(): void {
    if (!this.#isFull || this.#writer.waitingBytes >= this.#waitsMax) return;
    this.#isFull = false;
    this.#sink?.onDrain();
  }
}
