// One node:http server for every decrypted or plain connection of the streams; sockets are handed in, it never listens.

import { Server, ServerResponse } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodeRefusal } from '../../http/response-writer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { ClientExchange } from '../exchange/client-exchange.ts';
import { ExchangeRecord } from '../exchange/exchange-record.ts';
import { runExchange } from '../exchange/exchange.ts';
import { refuse } from '../exchange/refusal.ts';
import type { ExchangeParts, ExchangeScene } from '../exchange/exchange.ts';
import { Http1Client, type Http1Options } from './http1-client.ts';
import { runUpgrade } from '../exchange/upgrade-exchange.ts';

export interface FrontConnection {
  readonly scene: ExchangeScene;
  /** Ends the client's connection as a reset. */
  readonly abort: (error: ProxyError) => void;
}

export class HttpFront {
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, FrontConnection>();
  /** The exchange whose request was read last on a connection, and its end. */
  readonly #latest = new WeakMap<Duplex, RunningExchange>();
  /** Connections that got their last response: what still comes on them is nobody's request. */
  readonly #responded = new WeakSet<Duplex>();
  readonly #readCounts = new WeakMap<Duplex, () => number>();
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#server = createServer(parts.limits);
    this.#server.on('request', (request, response) => {
      this.#serve(request, response, false);
    });
    this.#server.on('checkContinue', (request, response) => {
      this.#serve(request, response, true);
    });
    this.#server.on('checkExpectation', (request, response) => {
      // Any other expectation is refused by the validation of the request.
      this.#serve(request, response, false);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#afterEarlier(socket, () => {
        this.#upgrade(request, socket, head);
      });
    });
    this.#server.on('connect', (request, socket) => {
      this.#afterEarlier(socket, () => {
        this.#refuseConnect(request, socket);
      });
    });
    this.#server.on('clientError', (error, socket) => {
      this.#malformed(error, socket);
    });
  }

  /** Serves HTTP/1.x on the socket until it ends. */
  serve(socket: Duplex, connection: FrontConnection): void {
    this.#connections.set(socket, connection);
    this.#server.emit('connection', socket);
    this.#readCounts.set(socket, countRead(socket));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    // Pipelined behind a request whose end is not agreed, or that closes the connection.
    if (this.#latest.get(request.socket)?.client.closing === true) return;
    const client = new Http1Client(
      request,
      response,
      this.#clientOptions(request, connection, expectsContinue),
    );
    if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') {
      const version = request.httpVersion;
      this.#refuse(
        request,
        client,
        connection,
        new ProxyError('request_malformed', `HTTP/${version} is not spoken on this connection`),
      );
      return;
    }
    const done = runExchange(client, connection.scene, this.#parts).then(() => {
      discardBody(request);
    });
    const { promise: responded, resolve } = Promise.withResolvers<undefined>();
    response.once('close', () => resolve(undefined));
    this.#latest.set(request.socket, { client, done: Promise.all([done, responded]) });
  }

  /** A socket carries one response at a time: what takes it over waits for the responses before it. */
  #afterEarlier(socket: Duplex, next: () => void): void {
    const latest = this.#latest.get(socket);
    if (latest === undefined) {
      next();
      return;
    }
    this.#latest.delete(socket);
    void latest.done.then(() => {
      if (socket.destroyed || latest.client.closing) socket.destroy();
      else next();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const client = this.#bareClient(request, socket, connection);
    void runUpgrade(client, connection.scene, this.#parts, { socket, head });
  }

  #refuseConnect(request: IncomingMessage, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const error = new ProxyError(
      'request_malformed',
      'CONNECT is not served inside a connection; open a new one',
    );
    this.#refuse(request, this.#bareClient(request, socket, connection), connection, error);
    socket.end();
  }

  /** Refuses a request that never becomes an exchange. */
  #refuse(
    request: IncomingMessage,
    client: ClientExchange,
    { scene }: FrontConnection,
    error: ProxyError,
  ): void {
    const { audit, clock } = this.#parts;
    const record = new ExchangeRecord(audit, 'exchange', scene.principal, clock());
    const { protocol, destination } = scene;
    record.asked({ method: request.method ?? '', target: request.url ?? '', protocol, destination });
    refuse(client, error, record);
    record.ended();
  }

  /** For the events that come without a ServerResponse. */
  #bareClient(request: IncomingMessage, socket: Duplex, connection: FrontConnection): ClientExchange {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    // node:http writes to any Duplex; its type asks for a net.Socket.
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
    response.once('finish', () => {
      socket.end();
    });
    return new Http1Client(request, response, this.#clientOptions(request, connection, false));
  }

  #clientOptions(
    { socket }: IncomingMessage,
    { abort }: FrontConnection,
    expectsContinue: boolean,
  ): Http1Options {
    return {
      abortConnection: abort,
      expectsContinue,
      bytesRead: this.#readCounts.get(socket) ?? (() => 0),
      chunkOverheadBytesMax: this.#parts.limits.chunkOverheadBytesMax,
    };
  }

  /** The parser gave up: the bytes are not HTTP. One response, one event, and the connection ends. */
  #malformed(error: Error & { readonly code?: string }, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    if (this.#responded.has(socket)) return;
    // The client going away between requests is not an exchange.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || error instanceof ProxyError) {
      socket.destroy();
      return;
    }
    const latest = this.#latest.get(socket);
    if (latest !== undefined && !latest.client.requestComplete) {
      // Bytes of the body of a request that has its own verdict: one request, one verdict.
      latest.client.fail(parserFault(error).fault);
      if (latest.client.headSent) socket.end();
      return;
    }
    // Behind a request that closes the connection nothing is read (RFC 9112 §9.6).
    if (latest?.client.closing === true || error.code === 'HPE_CLOSED_CONNECTION') return;
    if (latest === undefined) {
      this.#respondMalformed(error, socket, connection);
      return;
    }
    // Earlier requests get their own responses first.
    void this.#respondAfter(latest, error, socket, connection);
  }

  async #respondAfter(
    { done }: RunningExchange,
    error: Error,
    socket: Duplex,
    connection: FrontConnection,
  ): Promise<void> {
    await done;
    if (!socket.destroyed) this.#respondMalformed(error, socket, connection);
  }

  #respondMalformed(error: Error, socket: Duplex, connection: FrontConnection): void {
    const { audit, clock } = this.#parts;
    const record = new ExchangeRecord(audit, 'exchange', connection.scene.principal, clock());
    this.#responded.add(socket);
    const { status, fault } = parserFault(error);
    record.asked(connection.scene);
    record.refused(fault);
    record.refusedWith(status);
    record.ended();
    // A client that does not close its own side after the refusal is cut off.
    setTimeout(() => socket.destroy(), this.#parts.limits.lingerTimeoutMs).unref();
    socket.end(encodeRefusal(fault, status, record.traceId));
  }
}

/** Bytes that were read from a connection so far. A handle of the runtime counts by itself, and without a listener it is faster. */
function countRead(socket: Duplex): () => number {
  if (socket instanceof Socket) return () => socket.bytesRead;
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  return () => bytes;
}

interface RunningExchange {
  readonly client: Http1Client;
  /** The exchange is over and its response is out. */
  readonly done: Promise<unknown>;
}

function createServer(limits: Limits): Server {
  const server = new Server({
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.headTimeoutMs,
    // Uploads may take as long as they move; the idle limit of the stream watches them.
    requestTimeout: 0,
    keepAliveTimeout: defaultLimits.clientKeepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headTimeoutMs),
    insecureHTTPParser: false,
    // The validation layer judges Host; a missing one gets its message.
    requireHostHeader: false,
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.maxHeadersCount = limits.headersCountMax + 1;
  server.timeout = limits.idleTimeoutMs;
  // Heads are timed by a timer that starts with this event; the server itself never listens.
  server.emit('listening');
  // A client that shuts its write side down still wants the response; Node's types do not know this switch.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}

interface ParserFault {
  readonly status: number;
  readonly fault: ProxyError;
}

function parserFault(error: Error & { readonly code?: string }): ParserFault {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const fault = new ProxyError('head_too_large', 'the request head is too large (headBytesMax)', {
      limit: 'headBytesMax',
    });
    return { status: 431, fault };
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const fault = new ProxyError('timeout', 'the request head did not arrive in time (headTimeoutMs)', {
      limit: 'headTimeoutMs',
    });
    return { status: 408, fault };
  }
  const detail = error.message.replace(/^Parse Error: */, '');
  const fault = new ProxyError('request_malformed', `the request is not valid HTTP: ${detail}`, {
    cause: error,
  });
  return { status: 400, fault };
}

/** A small rest of an unread body is dropped, a large one ends the connection. */
function discardBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let left = defaultLimits.discardedBodyBytesMax;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.resume();
}
