// One connection of a client that speaks HTTP/1.x: its requests are read, run and responded to one after the other.

import type { Duplex } from 'node:stream';
import { type ParsedRequest, RequestParser } from '../../http/request-parser.ts';
import { encodeRefusal } from '../../http/response-writer.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { type ByteStream, bytesOf } from '../../net/byte-stream.ts';
import { ignore } from '../../protocol/ignore.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ExchangeRecord } from '../exchange/exchange-record.ts';
import { type ExchangeParts, runExchange } from '../exchange/exchange.ts';
import { refuse } from '../exchange/refusal.ts';
import { runUpgrade } from '../exchange/upgrade-exchange.ts';
import { ConnectionEnd } from './connection-end.ts';
import { ConnectionOctets } from './connection-octets.ts';
import type { FrontConnection } from './front-connection.ts';
import { Http1Client, type ResponseTransport } from './http1-client.ts';
import { RequestBody } from './request-body.ts';
import { brokenOff, opensWebSocket, refusalOf } from './servable-request.ts';

/** What the connection is at. `over`: it got its last response, and what still comes is nobody's request. */
type Phase = 'serving' | 'foreign' | 'over';

const stays = (): boolean => false;

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
  /** What was written waits for the client. */
  #isFull = false;
  readonly #octets: ConnectionOctets;
  #end: ConnectionEnd | undefined;
  #isClientEnded = false;
  /** Asks to switch protocols: what follows its head is not parsed. */
  #takenOver: Http1Client | undefined;
  /** Since when a head is waited for, or a connection is idle, or nothing moved; by `performance.now()`. */
  #headSinceMs: number | undefined;
  #idleSinceMs: number | undefined;
  #activeMs: number;

  isLeaving: () => boolean = stays;

  constructor(socket: Duplex, connection: FrontConnection, parts: ExchangeParts) {
    this.#socket = socket;
    this.#bytes = bytesOf(socket);
    this.#connection = connection;
    this.#parts = parts;
    this.#octets = new ConnectionOctets(parts.unread, connection.scene.principal.sessionId);
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
    socket.on('error', ignore).on('end', this.#onEnd).on('close', this.#onClose);
    this.#bytes.start({ onData: this.#onData, onDrain: this.#onDrained });
  }

  write(...pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return true;
    this.#activeMs = performance.now();
    for (const piece of pieces) this.#isFull = !this.#bytes.write(piece);
    return !this.#isFull;
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
    this.#settle(client);
  }

  /** Ends what waited too long. */
  look(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#parts.limits;
    this.#end?.look(nowMs);
    // Too little to wait for when the next request began; it may still be there.
    if (!this.#isFull && this.#client?.isEnded !== false) this.#waits(this.#socket.writableLength);
    if (this.#phase !== 'serving') return;
    const { absence } = this.#connection.scene;
    const waited = (sinceMs = nowMs): number => nowMs - sinceMs - (absence?.since(sinceMs) ?? 0);
    if (waited(this.#activeMs) > idleTimeoutMs) this.#socket.destroy();
    else if (waited(this.#headSinceMs) > headTimeoutMs) {
      const message = 'the request head did not arrive in time (headTimeoutMs)';
      this.#respondMalformed(new ProxyError('timeout', message, { limit: 'headTimeoutMs' }), 408);
    } else if (waited(this.#idleSinceMs) > defaultLimits.clientKeepAliveMs) this.#finish(true);
  }

  /** Ends the connection if nothing runs on it. */
  closeIdle(): void {
    if (this.#client === undefined && this.#phase === 'serving' && !this.#parser.isInHead) this.#finish(true);
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
    this.#countHeld();
  };

  readonly #onDrained = (): void => {
    this.#activeMs = performance.now();
    this.#isFull = false;
    this.#waits(0);
    for (const listener of this.#drainListeners.splice(0)) listener();
    if (this.#client !== undefined) this.#settle(this.#client);
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
    this.#held = undefined;
    this.#countHeld();
    this.#waits(0);
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
    this.#connection.onAsked?.();
    const { framing, fault } = request;
    const isEmpty = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
    const body = isEmpty ? undefined : new RequestBody(() => this.#wantBody());
    const client = new Http1Client(request, this, body);
    this.#client = client;
    const stranger = this.#connection.refusalOf?.(request);
    const refusal = stranger ?? fault ?? refusalOf(request);
    if (refusal !== undefined) {
      // What a stranger asks for may hold what it should have shown in another place.
      this.#refuse(client, refusal, stranger && {});
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
  #refuse(client: Http1Client, error: ProxyError, told: Partial<Http1Client> = client): void {
    const record = this.#record(told);
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
    this.#countHeld();
    const waits = this.#held !== undefined || this.#isBodyFull || this.#phase === 'foreign';
    if (!waits) this.#bytes.resume();
  }

  /** The tunnel takes for consumed what is held here. */
  #countHeld(): void {
    const fault = this.#phase === 'foreign' ? undefined : this.#octets.ahead(this.#held?.length ?? 0);
    if (fault !== undefined) this.#exceed(fault);
  }

  /** So much waits for the client behind the end of a response. */
  #waits(octets: number): void {
    const fault = this.#octets.untaken(octets);
    if (fault !== undefined) this.#exceed(fault);
  }

  /** There is no room for what the client makes us hold. */
  #exceed(fault: ProxyError): void {
    const client = this.#client;
    if (client !== undefined && !client.isEnded) {
      client.fail(fault);
      return;
    }
    const record = this.#record({});
    record.refused(fault);
    record.ended();
    this.abort(fault);
  }

  #endRequest(trailers: readonly string[]): void {
    const client = this.#client;
    if (client === undefined) return;
    client.requestEnded(trailers);
    this.#settle(client);
  }

  /** The next request begins when the response is out and taken, the exchange over, and the request read; a full body asks for no more then. */
  #settle(client: Http1Client): void {
    if (client !== this.#client || this.#phase !== 'serving') return;
    if (!client.isEnded || !this.#isRun) return;
    // Pipelined requests would fill the memory with their responses, and no deadline would come.
    if (this.#isFull) this.#waits(defaultLimits.stalledResponseBytes);
    if (client.closing) return this.#finish();
    if (!this.#parser.isOver) return this.#dropRest();
    if (this.#isFull) return;
    this.#client = undefined;
    this.#isBodyFull = false;
    this.#parser.begin();
    if (this.#isClientEnded && this.#held === undefined) return this.#finish();
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
    const isIdle = !this.#isFull && socket.writableLength === 0;
    if (!socket.destroyed && !socket.writableEnded)
      this.#bytes.write(Buffer.from(encodeRefusal(fault, status, record.traceId)));
    this.#finish(isIdle);
  }

  /** No more requests. A client that does not close its own side is cut off. `isIdle`: no response waits for it. */
  #finish(isIdle = false): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#held = undefined;
    this.#countHeld();
    if (this.#socket.destroyed) return;
    if (this.#isFull) this.#waits(defaultLimits.stalledResponseBytes);
    this.#bytes.flush();
    this.#end = new ConnectionEnd(this.#socket, this.#parts.limits, isIdle, this.#connection.scene.absence);
    this.#bytes.resume();
  }

  #handOver(client: Http1Client): void {
    this.#phase = 'foreign';
    const socket = this.#socket;
    this.#bytes.release();
    socket.on('drain', this.#onDrained);
    socket.off('end', this.#onEnd).off('close', this.#onClose);
    socket.once('close', () => {
      this.#waits(0);
      client.gone();
    });
    // It waits for the origin, and what was read is read into again meanwhile.
    const head = Buffer.from(this.#held ?? []);
    const fault = this.#octets.ahead(head.length);
    this.#held = undefined;
    this.#takenOver = undefined;
    if (fault !== undefined) client.fail(fault);
    const flush = (): void => this.#bytes.flush();
    void runUpgrade(client, this.#connection.scene, this.#parts, { socket, head, flush }).then(() => {
      this.#octets.ahead(0);
      // Not switched: it has its response, and nobody else ends the connection.
      if (client.isEnded) this.#finish();
    });
  }
}
