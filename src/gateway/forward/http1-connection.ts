// One connection of HTTP/1.1 to an origin: one exchange at a time, and another one behind it only if nothing at all was amiss.

import type { Socket } from 'node:net';
import { encodeRequestHead } from '../../http/request-writer.ts';
import { ResponseParser } from '../../http/response-parser.ts';
import type { DialResult } from '../../net/dialer.ts';
import { ReadMemory, type SharedReads, owned, shareReads } from '../../net/shared-reads.ts';
import { keepReadable } from '../../net/unwritable-socket.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { type Limits, defaultLimits } from '../../protocol/limits.ts';
import { respondLate, clientLeft, endsConnection, idleFor, requireClient } from './forwarder.ts';
import type { ForwardRequest, OriginConnection, ResponseReceiver } from './forwarder.ts';
import { RequestBodyPump } from './request-body-pump.ts';

const memory = new ReadMemory();
/** So much earlier than the origin says that it closes them. */
const idleMarginMs = 1_000;

/** A connection after the origin switched protocols; `head` came behind its response. */
export interface SwitchedConnection {
  readonly rawHeaders: readonly string[];
  readonly socket: Socket;
  readonly head: Buffer;
}

interface Exchange {
  readonly request: ForwardRequest;
  readonly receiver: ResponseReceiver;
  readonly pump: RequestBodyPump | undefined;
  /** The origin was told that nothing follows; it could take what it did not read of the body for the next request. */
  readonly closes: boolean;
  readonly resolve: (switched: SwitchedConnection | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** What the dialer gave. */
type DialedConnection = Pick<DialResult, 'socket' | 'address' | 'aliases' | 'dialTimes'>;

export class Http1Connection implements OriginConnection {
  readonly address: string;
  readonly aliases: OriginConnection['aliases'];
  readonly dialTimes: OriginConnection['dialTimes'];
  /** Whether it waited for an exchange; the pool says so. */
  wasIdle = false;
  readonly #socket: Socket;
  readonly #limits: Limits;
  readonly #onEnd: () => void;
  readonly #parser: ResponseParser;
  readonly #reads: SharedReads | undefined;
  readonly #unkeep: () => void;
  #exchange: Exchange | undefined;
  #switched: readonly string[] | undefined;
  /** What came while the receiver could not take it; the socket is paused. */
  #held: Buffer | undefined;
  #isPaused = false;
  #hasHead = false;
  #served = 0;
  /** When something last moved. */
  #activeMs = performance.now();
  #idleMs = defaultLimits.originIdleMsMax;
  #lost: Error | undefined;
  /** The origin takes nothing more of the body; its response may be there all the same. */
  #unwritable: Error | undefined;
  /** The origin sends nothing more. */
  #hasEnded = false;
  #isOpen = true;

  /** `onEnd` is told once, when the connection can carry no exchange any more. */
  constructor({ socket, address, aliases, dialTimes }: DialedConnection, limits: Limits, onEnd: () => void) {
    this.#socket = socket;
    this.address = address;
    this.aliases = aliases;
    this.dialTimes = dialTimes;
    this.#limits = limits;
    this.#onEnd = onEnd;
    this.#parser = new ResponseParser(
      {
        onInformation: (status, raw) => this.#exchange?.receiver.onInformation(status, raw),
        onHead: (status, raw) => {
          this.#hasHead = true;
          this.#exchange?.receiver.onHead(status, raw);
        },
        onData: (piece) => this.#receiveData(piece),
        onEnd: (trailers) => {
          this.#exchange?.receiver.onTrailers(trailers);
          this.#exchange?.receiver.onComplete?.();
        },
        onSwitch: (raw) => (this.#switched = raw),
      },
      limits,
    );
    this.#reads = shareReads(socket, memory, this.#onData);
    socket.on('end', this.#onSocketEnd).on('error', this.#onError).on('close', this.#onClose);
    this.#unkeep = keepReadable(socket, this.#onUnwritable);
  }

  /** Begins to read, once. What the origin said before it was asked ends the connection in here. */
  start(): void {
    if (this.#reads === undefined) this.#socket.on('data', this.#onData);
    else this.#reads.start(() => this.#isPaused);
  }

  /** Whether the origin may be closing it: it carried an exchange before, or waited for one. */
  get isKept(): boolean {
    return this.#served > 0 || this.wasIdle;
  }

  /** Whether a byte of the response to the last request came. */
  get hasResponded(): boolean {
    return this.#parser.hasBegun;
  }

  /** Whether another exchange can begin. */
  get isReady(): boolean {
    return this.#isOpen && this.#exchange === undefined && !this.#socket.destroyed && this.#socket.writable;
  }

  /**
   * Sends a request and hands its response on. Resolves when the response is whole, with the connection itself if it was
   * switched to `switchTo`. @throws ProxyError origin_malformed, origin_truncated, timeout, cancelled, what the receiver throws
   */
  run(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    switchTo?: string,
  ): Promise<SwitchedConnection | undefined> {
    try {
      return this.#run(request, receiver, switchTo);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** No async function: each of its turns would be one of each request. */
  #run(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    switchTo: string | undefined,
  ): Promise<SwitchedConnection | undefined> {
    const { body, bodyLength, signal, head } = request;
    this.#parser.begin({ method: head.method, asksToSwitch: switchTo !== undefined });
    requireClient(request);
    if (!this.isReady) throw this.#truncated(head.destination.host);
    const { promise, resolve, reject } = Promise.withResolvers<SwitchedConnection | undefined>();
    const framing = bodyLength ?? (body === undefined ? 'none' : 'chunked');
    const closes = endsConnection(request);
    const text = encodeRequestHead(head, framing, { switchTo, closes });
    const pump =
      body === undefined
        ? undefined
        : new RequestBodyPump(this.#socket, request, body, (error) => this.#fail(error));
    request.onConnection?.(this);
    this.#exchange = { request, receiver, pump, closes, resolve, reject };
    this.#served += 1;
    this.#hasHead = false;
    this.#switched = undefined;
    this.#activeMs = performance.now();
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (pump === undefined) this.#socket.write(text, 'latin1');
    else pump.start(text);
    return promise;
  }

  /** Takes the exchange that ends now. */
  #take(): Exchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.request.signal.removeEventListener('abort', this.#onAbort);
    return exchange;
  }

  /** Looked at again and again: whether a deadline has passed. */
  checkDeadline(nowMs: number): void {
    const quietMs = nowMs - Math.max(this.#activeMs, this.#exchange?.pump?.activeMs ?? 0);
    const { responseHeadTimeoutMs, idleTimeoutMs } = this.#limits;
    if (this.#exchange === undefined) {
      if (quietMs >= this.#idleMs) this.destroy();
      return;
    }
    const { pump, request } = this.#exchange;
    const { host } = request.head.destination;
    if (this.#unwritable !== undefined && !this.#isPaused) {
      if (quietMs >= this.#limits.lateResponseMs) this.#fail(this.#truncated(host));
      return;
    }
    const awaitsClient = this.#isPaused || pump?.awaitsClient === true;
    const absentMs = awaitsClient ? (request.absence?.since(nowMs - quietMs) ?? 0) : 0;
    if (!this.#hasHead && pump?.awaitsClient !== true) {
      if (quietMs >= responseHeadTimeoutMs) this.#fail(respondLate(host));
    } else if (quietMs - absentMs >= idleTimeoutMs) {
      const what = this.#isPaused ? 'the client took nothing' : `${host} sent nothing`;
      this.#fail(idleFor(this.#hasHead ? `${what} of the response` : 'nothing came of the body'));
    }
  }

  /** Ends the connection; an exchange on it fails with `error`. */
  destroy(error?: ProxyError): void {
    if (this.#exchange === undefined) this.#close();
    else this.#fail(error ?? new ProxyError('shutting_down', 'the connection was closed'));
  }

  readonly #onData = (chunk: Buffer): void => {
    // Bytes that nobody asked for: whatever they are, the next response could not be told from them.
    if (this.#exchange === undefined) this.#close();
    // What TLS had taken from the system before it was stopped waits behind the rest.
    else if (this.#isPaused) this.#held = Buffer.concat([this.#held ?? Buffer.alloc(0), chunk]);
    else this.#receive(chunk);
  };

  #receive(chunk: Buffer): void {
    this.#activeMs = performance.now();
    this.#held = undefined;
    let used: number;
    try {
      this.#isPaused = false;
      used = this.#parser.push(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#exchange === undefined) return;
    if (this.#switched !== undefined) {
      this.#release(this.#switched, bufferOf(owned(chunk.subarray(used))));
      return;
    }
    const rest = used === chunk.length ? undefined : bufferOf(owned(chunk.subarray(used)));
    if (this.#parser.isOver) {
      this.#finish(rest === undefined);
      return;
    }
    this.#held = rest;
    if (this.#isPaused) this.#socket.pause();
  }

  #receiveData(piece: Uint8Array): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) return false;
    const goesOn = exchange.receiver.onData(piece, () => this.#resume(exchange));
    if (!goesOn) this.#isPaused = true;
    return goesOn;
  }

  #resume(exchange: Exchange): void {
    if (this.#exchange !== exchange || !this.#isPaused) return;
    this.#isPaused = false;
    if (this.#held === undefined) this.#activeMs = performance.now();
    else this.#receive(this.#held);
    // It may be paused again, over, or the connection of another exchange.
    if (this.#exchange !== exchange || this.#isPaused) return;
    if (this.#hasEnded) this.#onSocketEnd();
    else this.#socket.resume();
  }

  readonly #onSocketEnd = (): void => {
    if (this.#exchange === undefined) {
      this.#close();
      return;
    }
    this.#hasEnded = true;
    // What came before is read first.
    if (this.#held !== undefined) return;
    try {
      if (this.#unwritable === undefined && this.#parser.endOfConnection()) this.#finish(false);
      else this.#fail(this.#truncated(this.#exchange.request.head.destination.host));
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onError = (error: Error): void => {
    // What follows a failed write is its end, and what was read before is still handed on.
    if (this.#unwritable === undefined) this.#lost ??= error;
    this.#onClose();
  };

  /** An origin that refuses a body closes without reading it, and often before its response is read here. */
  readonly #onUnwritable = (error: Error): void => {
    const pump = this.#exchange?.pump;
    if (pump === undefined) {
      this.#onError(error);
      return;
    }
    this.#unwritable = error;
    this.#activeMs = performance.now();
    pump.stop();
  };

  readonly #onClose = (): void => {
    this.#hasEnded = true;
    if (this.#exchange === undefined) this.#close();
    else if (this.#lost !== undefined || this.#held === undefined)
      this.#fail(this.#truncated(this.#exchange.request.head.destination.host));
  };

  readonly #onAbort = (): void => {
    this.#fail(clientLeft());
  };

  #truncated(host: string): ProxyError {
    const message = `${host} closed the connection before its response was complete`;
    return new ProxyError('origin_truncated', message, { cause: this.#lost ?? this.#unwritable });
  }

  /** The response is whole. What is left of the body, or came behind the response, must not get into another exchange. */
  #finish(isClean: boolean): void {
    const exchange = this.#take();
    if (exchange === undefined) return;
    exchange.pump?.stop();
    const isSent = exchange.pump?.isSent !== false;
    this.#idleMs = this.#idleTime();
    const isReusable = isClean && isSent && !exchange.closes && this.#parser.isReusable;
    if (!isReusable || this.#idleMs <= 0) this.#close();
    else {
      // Paused on the last bytes: what the origin says next has to be seen.
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#isPaused = false;
    }
    exchange.resolve(undefined);
  }

  #idleTime(): number {
    const { keepAliveSeconds } = this.#parser;
    if (keepAliveSeconds === undefined) return defaultLimits.originIdleMsMax;
    return Math.min(defaultLimits.originIdleMsMax, keepAliveSeconds * 1000 - idleMarginMs);
  }

  #fail(error: unknown): void {
    const exchange = this.#take();
    if (exchange === undefined) return;
    exchange.pump?.stop();
    this.#close();
    exchange.reject(asProxyError(error));
  }

  /** Gives the socket away. */
  #release(rawHeaders: readonly string[], head: Buffer): void {
    const exchange = this.#take();
    const socket = this.#socket;
    socket.pause();
    this.#reads?.stop();
    this.#unkeep();
    socket.off('data', this.#onData).off('end', this.#onSocketEnd);
    socket.off('error', this.#onError).off('close', this.#onClose);
    // Who gets it does not listen yet.
    socket.on('error', () => undefined);
    this.#forget();
    exchange?.resolve({ rawHeaders, socket, head });
  }

  #close(): void {
    this.#held = undefined;
    this.#socket.destroy();
    this.#forget();
  }

  #forget(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onEnd();
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
