// One connection of a client that speaks HTTP/1.x: its requests are read, run and responded to one after the other.

import type { Duplex } from 'node:stream';
import { listMembers } from '../../http/field-syntax.ts';
import { HeaderList } from '../../http/header-list.ts';
import { type ParsedRequest, RequestParser } from '../../http/request-parser.ts';
import { encodeRefusal } from '../../http/response-writer.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { type ByteStream, bytesOf } from '../../net/byte-stream.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ExchangeRecord } from '../exchange/exchange-record.ts';
import { type ExchangeParts, runExchange } from '../exchange/exchange.ts';
import { refuse } from '../exchange/refusal.ts';
import { runUpgrade } from '../exchange/upgrade-exchange.ts';
import type { FrontConnection } from './front-connection.ts';
import { Http1Client, type ResponseTransport } from './http1-client.ts';
import { RequestBody } from './request-body.ts';
import { http } from '../../system/http-module.ts';

/** What the connection is at. `over`: it got its last response, and what still comes is nobody's request. */
type Phase = 'serving' | 'foreign' | 'over';

/** Serves from its construction until its socket closes. `look` has to be called now and then. */
export class ClientConnection implements ResponseTransport {
  readonly #socket: Duplex;
  readonly #bytes: ByteStream;
  readonly #connection: FrontConnection;
  readonly #parts: ExchangeParts;
  readonly #parser: RequestParser;
  #phase: Phase = 'serving';
  /** The request that is read or run. */
  #client: Http1Client | undefined;
  #isRun = false;
  /** Bytes that are not parsed yet. */
  #held: Buffer | undefined;
  #isParsing = false;
  /** More of the body waits until it is asked for. */
  #isBodyFull = false;
  /** What is left of a refused body is dropped, so far. */
  #droppedBytes: number | undefined;
  readonly #drainListeners: (() => void)[] = [];
  #isClientEnded = false;
  /** Asks to switch protocols: what follows its head is not parsed. */
  #takenOver: Http1Client | undefined;
  /** Since when a head is waited for, or a connection is idle, or nothing moved; by `performance.now()`. */
  #headSinceMs: number | undefined;
  #idleSinceMs: number | undefined;
  #activeMs: number;

  constructor(socket: Duplex, connection: FrontConnection, parts: ExchangeParts) {
    this.#socket = socket;
    this.#bytes = bytesOf(socket);
    this.#connection = connection;
    this.#parts = parts;
    this.#parser = new RequestParser(
      {
        onHead: (request) => this.#begin(request),
        onData: (piece) => this.#takeBody(piece),
        onEnd: (trailers) => this.#endRequest(trailers),
      },
      parts.limits,
    );
    this.#activeMs = performance.now();
    this.#headSinceMs = this.#activeMs;
    this.#parser.begin();
    socket.on('error', ignore).once('end', this.#onEnd).once('close', this.#onClose);
    this.#bytes.start({ onData: this.#onData, onDrain: this.#onDrained });
  }

  write(...pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return true;
    this.#activeMs = performance.now();
    let goesOn = true;
    for (const piece of pieces) goesOn = this.#bytes.write(piece);
    return goesOn;
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  abort(error: ProxyError): void {
    this.#phase = 'over';
    this.#connection.abort(error);
  }

  ended(client: Http1Client): void {
    this.#bytes.flush();
    if (this.#phase === 'foreign') this.#socket.end();
    else this.#settle(client);
  }

  /** Ends what waited too long. */
  look(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#parts.limits;
    if (this.#phase !== 'serving') return;
    if (nowMs - this.#activeMs > idleTimeoutMs) this.#socket.destroy();
    else if (this.#headSinceMs !== undefined && nowMs - this.#headSinceMs > headTimeoutMs) {
      const message = 'the request head did not arrive in time (headTimeoutMs)';
      this.#respondMalformed(new ProxyError('timeout', message, { limit: 'headTimeoutMs' }), 408);
    } else if (this.#idleSinceMs !== undefined && nowMs - this.#idleSinceMs > defaultLimits.clientKeepAliveMs)
      this.#finish();
  }

  /** Ends the connection with what runs on it. */
  close(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#activeMs = performance.now();
    // Behind a body that is no HTTP nothing is parsed any more.
    if (this.#phase === 'over' || this.#client?.fault !== undefined) return;
    this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    // What TLS had taken already when it was paused waits with the rest.
    if (!this.#isBodyFull) this.#advance();
    // What is kept must not change under us, nor keep the whole of what was read alive.
    if (this.#held?.buffer === chunk.buffer) this.#held = Buffer.from(this.#held);
  };

  readonly #onDrained = (): void => {
    this.#activeMs = performance.now();
    for (const listener of this.#drainListeners.splice(0)) listener();
  };

  readonly #onEnd = (): void => {
    this.#isClientEnded = true;
    this.#takeEnd();
  };

  /** The end counts behind all that came before it. */
  #takeEnd(): void {
    if (this.#phase !== 'serving' || this.#held !== undefined) return;
    if (this.#client === undefined) {
      if (this.#parser.isInHead) this.#malformed(brokenOff());
      else this.#finish();
    } else if (!this.#parser.isOver) this.#client.gone();
  }

  readonly #onClose = (): void => {
    this.#phase = 'over';
    this.#client?.gone();
  };

  /** Parses what is there, up to where somebody has to be waited for. */
  #advance(): void {
    if (this.#isParsing) return;
    this.#isParsing = true;
    try {
      while (this.#held !== undefined && this.#phase === 'serving') {
        if (this.#parser.isOver && this.#client !== undefined) break;
        const held: Buffer = this.#held;
        const used = this.#parser.push(held);
        this.#held = used === held.length ? undefined : held.subarray(used);
        if (this.#isBodyFull) break;
      }
    } catch (error) {
      this.#malformed(asProxyError(error));
    } finally {
      this.#isParsing = false;
    }
    if (this.#client === undefined && this.#phase === 'serving' && this.#parser.isInHead)
      this.#headSinceMs ??= performance.now();
    if (this.#takenOver !== undefined) this.#handOver(this.#takenOver);
    // What came ahead of the response waits in one piece, and the rest where it is; behind the last response it is dropped.
    else if (this.#phase === 'over') this.#held = undefined;
    else if (this.#held !== undefined || this.#isBodyFull) this.#bytes.pause();
    else if (this.#isClientEnded) this.#takeEnd();
  }

  #begin(request: ParsedRequest): 'body' | 'foreign' {
    this.#headSinceMs = undefined;
    this.#idleSinceMs = undefined;
    this.#droppedBytes = undefined;
    this.#isBodyFull = false;
    const { framing, fault } = request;
    const isEmpty = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
    const body = isEmpty ? undefined : new RequestBody(() => this.#wantBody());
    const client = new Http1Client(request, this, body);
    this.#client = client;
    const refusal = fault ?? refusalOf(request);
    if (refusal !== undefined) {
      this.#refuse(client, refusal);
      return 'foreign';
    }
    if (isEmpty && opensWebSocket(request)) {
      client.closeConnection();
      this.#takenOver = client;
      return 'foreign';
    }
    this.#isRun = false;
    void runExchange(client, this.#connection.scene, this.#parts).then(() => {
      this.#isRun = true;
      this.#settle(client);
    });
    return 'body';
  }

  /** A request that never becomes an exchange, and is the last one. */
  #refuse(client: Http1Client, error: ProxyError): void {
    const record = this.#record(client);
    client.closeConnection();
    this.#isRun = true;
    refuse(client, error, record);
    record.ended();
    if (!client.isEnded) this.#finish();
  }

  #record(asked: Partial<Pick<ParsedRequest, 'method' | 'target'>>): ExchangeRecord {
    const { scene } = this.#connection;
    const { audit, clock } = this.#parts;
    const record = new ExchangeRecord(audit, 'exchange', scene.principal, clock());
    const { protocol, destination } = scene;
    const { method, target } = asked;
    record.asked({
      ...(method === undefined ? {} : { method }),
      ...(target === undefined ? {} : { target }),
      protocol,
      destination,
    });
    return record;
  }

  #takeBody(piece: Uint8Array): boolean {
    if (this.#droppedBytes === undefined) {
      const goesOn = this.#client?.take(piece) ?? true;
      this.#isBodyFull = !goesOn;
      return goesOn;
    }
    this.#droppedBytes += piece.length;
    if (this.#droppedBytes > defaultLimits.discardedBodyBytesMax) this.#finish();
    return true;
  }

  #wantBody(): void {
    this.#isBodyFull = false;
    if (this.#phase !== 'serving' || this.#isParsing) return;
    this.#goOn();
  }

  /** Parses what was held, and lets more come if nothing is left of that. */
  #goOn(): void {
    if (this.#held !== undefined) this.#advance();
    const waits = this.#held !== undefined || this.#isBodyFull || this.#phase === 'foreign';
    if (!waits) this.#bytes.resume();
  }

  #endRequest(trailers: readonly string[]): void {
    const client = this.#client;
    if (client === undefined) return;
    client.requestEnded(trailers);
    this.#settle(client);
  }

  /** The next request begins when the response is out, the exchange over, and the request read. */
  #settle(client: Http1Client): void {
    if (client !== this.#client || this.#phase !== 'serving') return;
    if (!client.isEnded || !this.#isRun) return;
    if (client.closing) {
      this.#finish();
      return;
    }
    if (!this.#parser.isOver) {
      this.#dropRest();
      return;
    }
    this.#client = undefined;
    this.#parser.begin();
    if (this.#isClientEnded && this.#held === undefined) {
      this.#finish();
      return;
    }
    this.#idleSinceMs = performance.now();
    this.#goOn();
  }

  /** A small rest of an unread body is dropped, a large one ends the connection. */
  #dropRest(): void {
    if (this.#droppedBytes !== undefined) return;
    if (this.#isClientEnded || this.#parser.leftBytes > defaultLimits.discardedBodyBytesMax) {
      this.#finish();
      return;
    }
    this.#droppedBytes = 0;
    this.#isBodyFull = false;
    this.#goOn();
  }

  /** What came is no HTTP. */
  #malformed(fault: ProxyError): void {
    const client = this.#client;
    this.#held = undefined;
    if (client !== undefined && !this.#parser.isOver) {
      // Bytes of the body of a request that has its own verdict: one request, one verdict.
      if (client.isEnded) this.#finish();
      else client.fail(fault);
      return;
    }
    this.#respondMalformed(fault, errorTable[fault.code].http);
  }

  #respondMalformed(fault: ProxyError, status: number): void {
    const record = this.#record(this.#parser.firstLine ?? {});
    record.refused(fault);
    record.refusedWith(status);
    record.ended();
    const socket = this.#socket;
    if (!socket.destroyed && !socket.writableEnded)
      this.#bytes.write(Buffer.from(encodeRefusal(fault, status, record.traceId)));
    this.#finish();
  }

  /** No more requests. A client that does not close its own side is cut off. */
  #finish(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#held = undefined;
    const socket = this.#socket;
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), this.#parts.limits.lingerTimeoutMs);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    this.#bytes.flush();
    socket.end();
    this.#bytes.resume();
  }

  #handOver(client: Http1Client): void {
    this.#phase = 'foreign';
    const socket = this.#socket;
    this.#bytes.release();
    socket.on('drain', this.#onDrained);
    socket.off('end', this.#onEnd).off('close', this.#onClose);
    socket.once('close', () => client.gone());
    // It waits for the origin, and what was read is read into again meanwhile.
    const head = Buffer.from(this.#held ?? []);
    this.#held = undefined;
    this.#takenOver = undefined;
    void runUpgrade(client, this.#connection.scene, this.#parts, { socket, head });
  }
}

function ignore(): void {
  // Told by 'close'.
}

function brokenOff(): ProxyError {
  return new ProxyError('request_malformed', 'the request is not valid HTTP: it ends inside of its head');
}

const knownMethods: ReadonlySet<string> = new Set(http.METHODS);

/** Why a request cannot be an exchange of this connection. */
function refusalOf({ method, httpVersion }: ParsedRequest): ProxyError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return new ProxyError('request_malformed', `HTTP/${httpVersion} is not spoken on this connection`);
  // Servers made with llhttp take a request with any other one for no HTTP, so that nobody could tell it from smuggled octets.
  if (!knownMethods.has(method))
    return new ProxyError('request_malformed', 'the request is not valid HTTP: no server knows its method');
  if (method !== 'CONNECT') return undefined;
  return new ProxyError('request_malformed', 'CONNECT is not served inside a connection; open a new one');
}

function opensWebSocket({ raw, httpVersion }: ParsedRequest): boolean {
  if (httpVersion !== '1.1') return false;
  const fields = HeaderList.fromRaw(raw);
  const offered = listMembers(fields, 'upgrade');
  if (offered.length !== 1 || offered[0] !== 'websocket') return false;
  return listMembers(fields, 'connection').includes('upgrade');
}
