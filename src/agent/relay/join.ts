// Joins the connection of a client and its stream: octets both ways, so that an end stays an end and a reset stays a reset.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bytesOf } from '../../net/byte-stream.ts';
import { type LinkAbsence, octetsMoved, Silence } from '../../net/link-absence.ts';
import { resetSocket } from '../../net/reset-socket.ts';
import { ProxyError } from '../../protocol/error.ts';
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
  const client = bytesOf(socket, defaultLimits.clientWaitingBytesMax);
  const far = bytesOf(stream);
  let responded = false;
  stream.once('end', () => {
    responded = true;
    if (socket.destroyed) return;
    client.flush();
    socket.end();
  });
  stream.once('error', () => {});
  stream.once('close', () => {
    if (socket.destroyed) return;
    // A cut response must never look complete, so it gets no FIN (HTTP/1.0 takes that for its end).
    if (!responded) {
      // What came before the cut, such as an alert of TLS, goes before it.
      client.flush();
      resetSocket(socket);
    } else if (!socket.readableEnded) linger(socket, limits);
  });
  socket.once('close', () => {
    socket.setTimeout(0);
    if (!stream.destroyed && !(stream.readableEnded && stream.writableFinished)) {
      stream.reset(new ProxyError('cancelled', 'the client closed its connection'));
    }
  });
  socket.setTimeout(limits.idleTimeoutMs);
  const absence: LinkAbsence = { since: (sinceMs) => stream.absence?.since(sinceMs) ?? 0 };
  const silence = new Silence(absence, limits.idleTimeoutMs, () => octetsMoved(socket));
  socket.on('timeout', () => {
    const moreMs = silence.moreMs();
    if (moreMs !== undefined) return void socket.setTimeout(moreMs);
    stream.reset(new ProxyError('timeout', `no byte either way for ${limits.idleTimeoutMs} ms`));
    if (!socket.destroyed) resetSocket(socket);
  });
  // Bun also emits `end` for a socket that we destroy; that is no end of the client.
  if (socket.readableEnded) stream.end();
  else
    socket.once('end', () => {
      if (socket.destroyed) return;
      far.flush();
      stream.end();
    });
  // First: what the client's socket holds goes behind what was written to the stream, and not beside it.
  far.start({
    onData: (chunk) => {
      if (!socket.destroyed && !client.write(chunk)) far.pause();
    },
    onDrain: () => client.resume(),
  });
  client.start({
    onData: (chunk) => {
      // Behind the stream it is dropped.
      if (!stream.destroyed && !far.write(chunk)) client.pause();
    },
    onDrain: () => far.resume(),
  });
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
