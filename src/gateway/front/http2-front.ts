// node:http2 for every connection that chose h2, by two servers that differ in what they offer; sockets are handed in, they never listen.

import { constants, createServer } from 'node:http2';
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { octetsMoved, Silence } from '../../net/link-absence.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { ExchangeRecord } from '../exchange/exchange-record.ts';
import { type ExchangeParts, runExchange } from '../exchange/exchange.ts';
import { ConnectionOctets } from './connection-octets.ts';
import { Http2Client, pseudoField } from './http2-client.ts';
import { Http2Floods, resetOptions } from './http2-floods.ts';
import { Http2Windows } from './http2-windows.ts';
import { keepCompact } from './compact-body.ts';
import type { FrontConnection } from './front-connection.ts';
import { runHttp2Upgrade } from '../exchange/upgrade-exchange.ts';

/** Above its own bounds node resets a stream without telling; a head between ours and those gets a response and an event. */
const headRoom = 2;
/** The last id that a client can use. */
const lastStreamId = 2 ** 31 - 1;

export interface Http2Connection extends FrontConnection {
  /** Its SETTINGS say so from the beginning, and to the end (RFC 8441 §3). */
  readonly isOfferedWebSocket: boolean;
}

interface Adopted {
  readonly connection: FrontConnection;
  readonly floods: Http2Floods;
  readonly windows: Http2Windows;
  readonly octets: ConnectionOctets;
}

export class Http2Front {
  /** With the offer of WebSockets, and without. */
  readonly #offering: Http2Server;
  readonly #plain: Http2Server;
  readonly #parts: ExchangeParts;
  readonly #adopted = new WeakMap<ServerHttp2Session, Adopted>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Set while a socket is handed over: node emits `session` before `emit` returns. */
  #arriving: { readonly connection: FrontConnection; readonly socket: Duplex } | undefined;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#offering = this.#createServer(true);
    this.#plain = this.#createServer(false);
  }

  /** Serves HTTP/2 on the socket until it ends. */
  serve(socket: Duplex, connection: Http2Connection): void {
    this.#arriving = { connection, socket };
    const server = connection.isOfferedWebSocket ? this.#offering : this.#plain;
    try {
      server.emit('connection', socket);
    } finally {
      this.#arriving = undefined;
    }
  }

  /** Asks every client to open no new stream here; those that cross that are served (RFC 9113 §6.8). */
  drain(): void {
    for (const session of this.#sessions) session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamId);
  }

  /** Ends the connections on which nothing runs, and the others behind what does. */
  closeIdle(): void {
    for (const session of this.#sessions) session.close();
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
    this.#offering.close();
    this.#plain.close();
  }

  #createServer(offersWebSocket: boolean): Http2Server {
    const server = createHttp2Server(this.#parts.limits, offersWebSocket);
    server.on('session', (session) => {
      this.#adopt(session);
    });
    server.on('sessionError', (error, session) => {
      this.#malformed(error, session);
    });
    server.on('stream', (stream, _headers, flags, rawHeaders) => {
      // On a server every stream is a server's; the type of the event is the common one.
      this.#serve(stream as ServerHttp2Stream, flags, rawHeaders);
    });
    return server;
  }

  #adopt(session: ServerHttp2Session): void {
    if (this.#arriving === undefined) {
      session.destroy();
      return;
    }
    const { connection, socket } = this.#arriving;
    // HTTP/2 has no half-closed connection: who sends nothing more grants no window either. Node would leave it open, and
    // with it every WebSocket inside.
    socket.once('end', () => {
      session.destroy();
    });
    const { limits, clock, held, unread } = this.#parts;
    const { sessionId } = connection.scene.principal;
    const floods = new Http2Floods(session, limits, clock);
    const windows = new Http2Windows(session, held, sessionId);
    const octets = new ConnectionOctets(unread, sessionId);
    this.#adopted.set(session, { connection, floods, windows, octets });
    this.#sessions.add(session);
    session.setLocalWindowSize(defaultLimits.http2ConnectionWindowBytes);
    const { absence } = connection.scene;
    session.setTimeout(limits.idleTimeoutMs);
    const silence = new Silence(absence, limits.idleTimeoutMs, () => octetsMoved(socket));
    session.on('timeout', () => {
      const moreMs = silence.moreMs();
      if (moreMs === undefined) session.close();
      else session.setTimeout(moreMs);
    });
    session.once('close', () => this.#sessions.delete(session));
  }

  /** The frames are not HTTP/2, or a flood: the session has ended, and one event says why. */
  #malformed(error: Error & { readonly code?: string }, session: ServerHttp2Session): void {
    const adopted = this.#adopted.get(session);
    if (adopted === undefined) return;
    const { connection, floods } = adopted;
    // The client going away is no attempt of anything.
    if (!(error instanceof ProxyError) && error.code?.startsWith('ERR_HTTP2') !== true) return;
    const fault = floods.faultOf(error) ?? new ProxyError('request_malformed', error.message);
    this.#record(connection, fault, `the HTTP/2 connection was ended: ${error.message}`);
  }

  #record({ scene }: FrontConnection, fault: ProxyError, message: string): void {
    const { audit, clock } = this.#parts;
    const { principal, destination, protocol } = scene;
    const record = new ExchangeRecord(audit, 'stream', principal, clock());
    record.asked({ protocol, destination });
    record.refused(fault, { message });
    record.ended();
  }

  #serve(stream: ServerHttp2Stream, flags: number, rawHeaders: readonly string[]): void {
    const { session } = stream;
    // Whatever becomes of it: an error that nobody hears would end the process.
    stream.on('error', () => undefined);
    // As above: of a server.
    const adopted = session === undefined ? undefined : this.#adopted.get(session as ServerHttp2Session);
    if (adopted === undefined) {
      // The session ended in the same read; its fault has the event.
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return;
    }
    const { connection, windows } = adopted;
    connection.onAsked?.();
    const endsAtHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const uploads = endsAtHead ? undefined : windows;
    const end = uploads?.begin();
    if (uploads !== undefined) keepCompact(stream);
    const client = new Http2Client(
      stream,
      { rawHeaders, endsAtHead, windows: uploads, absence: connection.scene.absence },
      this.#parts.limits,
    );
    if (pseudoField(rawHeaders, ':protocol') !== '') {
      void runHttp2Upgrade(client, connection.scene, this.#parts, stream).then(() => {
        end?.();
        this.#countUntaken(stream, adopted);
      });
      return;
    }
    void runExchange(client, connection.scene, this.#parts).then(() => {
      end?.();
      this.#countUntaken(stream, adopted);
      if (!endsAtHead) stopReading(stream, client.responseEndedAtHead);
    });
  }

  /** The exchange is over: what its client did not take of the response waits for as long as the stream is there. */
  #countUntaken(stream: ServerHttp2Stream, { connection, octets }: Adopted): void {
    if (stream.destroyed || stream.writableLength === 0) return;
    const { fault, end } = octets.addUntaken(stream.writableLength);
    stream.once('close', end);
    if (fault === undefined) return;
    this.#record(connection, fault, `the response was cut off: ${fault.message}`);
    // Not `close(code)`: the client would take the cut response for a complete one.
    stream.destroy(fault);
  }
}

/**
 * The response is out: what the client still sends is not wanted (RFC 9113 §8.1). The reset comes behind the end of the response;
 * in its place, clients take the response for a cut one.
 */
function stopReading(stream: ServerHttp2Stream, responseEndedAtHead: boolean): void {
  if (stream.readableEnded || stream.closed) return;
  // Nothing is held for a client that takes its time with the response.
  stream.resume();
  const close = (): void => {
    stream.close(constants.NGHTTP2_NO_ERROR);
  };
  // `finish` tells that node has the last byte, not that the end was sent: that is the trailers' part.
  if (responseEndedAtHead || stream.sentTrailers !== undefined) setImmediate(close);
  else stream.once('wantTrailers', () => setImmediate(close));
}

function createHttp2Server(limits: Limits, offersWebSocket: boolean): Http2Server {
  return createServer({
    settings: {
      maxConcurrentStreams: limits.http2StreamsMax,
      initialWindowSize: defaultLimits.http2WindowBytes,
      maxHeaderListSize: headRoom * limits.headBytesMax,
      enableConnectProtocol: offersWebSocket,
    },
    maxSessionMemory: defaultLimits.http2SessionMegabytesMax,
    maxHeaderListPairs: headRoom * limits.headersCountMax,
    maxSettings: defaultLimits.http2SettingsEntriesMax,
    // Origins do say X-Content-Type-Options twice; a response goes on as it is.
    strictSingleValueFields: false,
    ...resetOptions(limits),
    unknownProtocolTimeout: limits.handshakeTimeoutMs,
  });
}
