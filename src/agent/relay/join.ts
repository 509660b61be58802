// Joins the connection of a client and its stream: octets both ways, so that an end stays an end and a reset stays a reset.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ByteSink, type ByteStream, bytesOf } from '../../net/byte-stream.ts';
import { type LinkAbsence, octetsMoved, Silence } from '../../net/link-absence.ts';
import { resetSocket } from '../../net/reset-socket.ts';
import { ProxyError } from '../../protocol/error.ts';
import { ignore } from '../../protocol/ignore.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';

/** A connection to a destination, by way of the gateway. Its `end` is the far end's; anything else that ends it is an error. */
export interface RelayStream extends Duplex {
  /** Ends both directions at once; the far end sees a reset. */
  reset(error: ProxyError): void;
  /** When its tunnel had no link. */
  readonly absence?: LinkAbsence | undefined;
}

/** The socket is not read yet, and both are its from now on. */
export function join(socket: Socket, stream: RelayStream, limits: Limits): void {
  new Junction(socket, stream, limits).begin();
}

/** One for each connection, for as long as it lives: what listens are few functions, and each event comes once. */
class Junction {
  readonly #socket: Socket;
  readonly #stream: RelayStream;
  readonly #limits: Limits;
  readonly #client: ByteStream;
  readonly #far: ByteStream;
  #silence: Silence | undefined;
  #hasResponded = false;

  constructor(socket: Socket, stream: RelayStream, limits: Limits) {
    this.#socket = socket;
    this.#stream = stream;
    this.#limits = limits;
    this.#client = bytesOf(socket, defaultLimits.clientWaitingBytesMax);
    this.#far = bytesOf(stream);
  }

  begin(): void {
    const [socket, stream] = [this.#socket, this.#stream];
    stream.on('error', ignore);
    stream.on('end', () => this.#streamEnded());
    stream.on('close', () => this.#streamClosed());
    socket.on('close', () => this.#socketClosed());
    socket.on('timeout', () => this.#wasSilent());
    socket.setTimeout(this.#limits.idleTimeoutMs);
    if (socket.readableEnded) stream.end();
    else socket.on('end', () => this.#socketEnded());
    // First: what the client's socket holds goes behind what was written to the stream, and not beside it.
    this.#far.start(new Way(this.#far, this.#client, socket));
    this.#client.start(new Way(this.#client, this.#far, stream));
  }

  #streamEnded(): void {
    this.#hasResponded = true;
    if (this.#socket.destroyed) return;
    this.#client.flush();
    this.#socket.end();
  }

  #streamClosed(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    // A cut response must never look complete, so it gets no FIN (HTTP/1.0 takes that for its end).
    if (!this.#hasResponded) {
      // What came before the cut, such as an alert of TLS, goes before it.
      this.#client.flush();
      resetSocket(socket);
    } else if (!socket.readableEnded) linger(socket, this.#limits);
  }

  #socketEnded(): void {
    // Bun also emits `end` for a socket that we destroy; that is no end of the client.
    if (this.#socket.destroyed) return;
    this.#far.flush();
    this.#stream.end();
  }

  #socketClosed(): void {
    const stream = this.#stream;
    this.#socket.setTimeout(0);
    if (!stream.destroyed && !(stream.readableEnded && stream.writableFinished)) {
      stream.reset(new ProxyError('cancelled', 'the client closed its connection'));
    }
  }

  #wasSilent(): void {
    const [socket, stream] = [this.#socket, this.#stream];
    const { idleTimeoutMs } = this.#limits;
    const absence: LinkAbsence = { since: (sinceMs) => stream.absence?.since(sinceMs) ?? 0 };
    this.#silence ??= new Silence(absence, idleTimeoutMs, () => octetsMoved(socket));
    const moreMs = this.#silence.moreMs();
    if (moreMs !== undefined) return void socket.setTimeout(moreMs);
    stream.reset(new ProxyError('timeout', `no byte either way for ${idleTimeoutMs} ms`));
    if (!socket.destroyed) resetSocket(socket);
  }
}

/** What comes from one side goes to the other. Behind an end that is destroyed it is dropped. */
class Way implements ByteSink {
  readonly #from: ByteStream;
  readonly #to: ByteStream;
  readonly #end: Duplex;

  constructor(from: ByteStream, to: ByteStream, end: Duplex) {
    this.#from = from;
    this.#to = to;
    this.#end = end;
  }

  onData(chunk: Buffer): void {
    if (!this.#end.destroyed && !this.#to.write(chunk)) this.#from.pause();
  }

  onDrain(): void {
    this.#to.resume();
  }
}

/** The client still sends what nobody takes any more: drop it for a moment, or the kernel would respond with a reset. */
export function linger(socket: Socket, limits: Limits): void {
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(() => socket.destroy(), limits.lingerTimeoutMs);
  };
  // Not before all is written: a slow reader has as long as any other connection without a byte.
  if (socket.writableFinished) start();
  else socket.once('finish', start);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
}
