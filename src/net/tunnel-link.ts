// Binds the tunnel's state machine to a WebSocket: bytes in and out, timers, and streams as Duplexes.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import { errorTable } from '../protocol/error-table.ts';
import type { LinkFrame, OpenFields } from '../protocol/frame.ts';
import type { Limits } from '../protocol/limits.ts';
import { printable } from '../protocol/printable.ts';
import { TunnelConnection } from '../protocol/tunnel-connection.ts';
import type { TunnelEvent } from '../protocol/tunnel-event.ts';
import { pingCancelled, tunnelClosed } from '../protocol/tunnel-fault.ts';
import type { TunnelLinkOptions } from './tunnel-link-options.ts';
import { TunnelStream, type TunnelStreamHost } from './tunnel-stream.ts';
import type { WebSocketConnection } from './websocket-connection.ts';
import { closeCode } from './websocket-frame.ts';

/** A tunnel: many streams on one WebSocket, which it owns. */
export class TunnelLink implements AsyncDisposable {
  /** Settles when the tunnel is over: undefined after an orderly end, else the reason. All streams have ended by then. */
  readonly closed: Promise<ProxyError | undefined>;
  readonly #webSocket: WebSocketConnection;
  readonly #limits: Limits;
  readonly #connection: TunnelConnection;
  readonly #options: TunnelLinkOptions;
  readonly #nowMs: () => number;
  readonly #host: TunnelStreamHost;
  readonly #streams = new Map<number, TunnelStream>();
  /** Streams that wait for room on the socket or for credit of the connection, longest waiting first. */
  readonly #waiting = new Set<TunnelStream>();
  /** Streams whose reader may have consumed something since the last flush. */
  readonly #consuming = new Set<TunnelStream>();
  readonly #pongWaiters = new Set<PromiseWithResolvers<number>>();
  readonly #idleWaiters = new Set<() => void>();
  readonly #resolveClosed: (error: ProxyError | undefined) => void;
  #flushScheduled = false;
  /** One message is written at a time: Node's TLS joins what waits behind it by a copy. The rest waits here. */
  #isWriting = false;
  #goaway = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Infinity;

  constructor(options: TunnelLinkOptions) {
    const { webSocket, role, limits } = options;
    this.#options = options;
    this.#webSocket = webSocket;
    this.#limits = limits;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    const { spare, unread, agreesOnModes } = options;
    const nowMs = this.#nowMs();
    this.#connection = new TunnelConnection({ role, limits, nowMs, spare, unread, agreesOnModes });
    this.#host = this.#streamHost();
    const { promise, resolve } = Promise.withResolvers<ProxyError | undefined>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    webSocket.start({
      onData: (chunk) => this.#receive(chunk),
      onMessageEnd: () => this.#endOfMessage(),
      onClose: (error) => this.#end(error),
    });
    this.#armTimer();
  }

  /** Streams that are not closed yet. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** New streams can be opened. */
  get isOpen(): boolean {
    return !this.#isOver && !this.#goaway;
  }

  /**
   * Agent: opens a stream; it may be written at once, before the gateway responds. Emits `accept` when it did.
   * Throws `shutting_down` after a goaway, `stream_limit`, or `tunnel_lost`.
   */
  openStream(fields: OpenFields): TunnelStream {
    if (this.#isOver) throw tunnelClosed();
    return this.#addStream(this.#connection.openStream(fields), fields);
  }

  /** Milliseconds of a ping and its response. Rejects with `timeout` after `pingTimeoutMs`, `cancelled` or `tunnel_lost`. */
  async roundTrip(signal?: AbortSignal): Promise<number> {
    if (this.#isOver) throw tunnelClosed();
    if (signal?.aborted === true) throw pingCancelled(signal?.reason);
    const waiter = Promise.withResolvers<number>();
    const { pingTimeoutMs } = this.#limits;
    const late = `No response to a ping of the tunnel within ${pingTimeoutMs} ms.`;
    const timer = setTimeout(() => waiter.reject(new ProxyError('timeout', late)), pingTimeoutMs);
    const onAbort = (): void => waiter.reject(pingCancelled(signal?.reason));
    signal?.addEventListener('abort', onAbort);
    this.#pongWaiters.add(waiter);
    this.#connection.ping(this.#nowMs());
    this.#scheduleFlush();
    try {
      return await waiter.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#pongWaiters.delete(waiter);
    }
  }

  /** Sends a frame of the agreement on modes. */
  sendLinkFrame(frame: LinkFrame): void {
    if (this.#isOver) return;
    this.#connection.sendLinkFrame(frame);
    this.#scheduleFlush();
  }

  /** Tells the peer that no new stream is served; open ones go on. */
  goaway(error: ProxyError): void {
    if (this.#isOver) return;
    this.#goaway = true;
    this.#connection.goaway(error.wireCode, error.message);
    this.#scheduleFlush();
  }

  /** Says goaway, waits up to `timeoutMs` for the streams to end, resets those that did not, and closes. */
  async drain(timeoutMs: number): Promise<void> {
    this.goaway(new ProxyError('shutting_down', 'This side of the tunnel is shutting down.'));
    await this.#streamsEnded(timeoutMs);
    await this.#close();
  }

  /** Ends now: streams fail with `error`, the peer loses the connection. */
  destroy(error?: ProxyError): void {
    this.#end(error);
    this.#webSocket.destroy(error);
  }

  /** Ends now, and tells the peer why, by a goaway and by the close; it has `closeTimeoutMs` to take that. */
  dismiss(error: ProxyError): void {
    if (this.#isOver) return;
    this.#connection.goaway(error.wireCode, error.message);
    this.#fail(error, closeCode.goingAway);
  }

  /** Resets what is open and closes in an orderly way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const stream of this.#streams.values()) {
      stream.destroy(new ProxyError('shutting_down', 'The tunnel was closed while the stream was open.'));
    }
    if (!this.#isOver) this.#flush();
    await this.#webSocket.close(closeCode.goingAway);
    this.#end(undefined);
  }

  async #streamsEnded(timeoutMs: number): Promise<void> {
    if (this.#streams.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#idleWaiters.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#idleWaiters.delete(resolve);
  }

  #receive(chunk: Uint8Array): void {
    this.#options.onReceive?.();
    this.#connection.receive(chunk, this.#nowMs());
    this.#handleEvents();
  }

  #endOfMessage(): void {
    this.#connection.endOfMessage();
    this.#handleEvents();
  }

  #handleEvents(): void {
    for (
      let event = this.#connection.nextEvent();
      event !== undefined;
      event = this.#connection.nextEvent()
    ) {
      if (!this.#isOver) this.#handle(event);
    }
    if (this.#connection.outputBytes > 0) this.#scheduleFlush();
  }

  #handle(event: TunnelEvent): void {
    switch (event.type) {
      case 'open':
        return this.#serve(this.#addStream(event.streamId, event.fields));
      case 'declined':
        return this.#options.onRefused?.(event.error);
      case 'accepted':
        this.#streams.get(event.streamId)?.emit('accept');
        return;
      case 'data':
        return this.#streams.get(event.streamId)?.receiveData(event.data);
      case 'end':
        return this.#streams.get(event.streamId)?.receiveEnd();
      case 'refused':
      case 'reset':
        return this.#streams.get(event.streamId)?.receiveReset(event.code, printable(event.message));
      case 'writable': {
        const stream = this.#streams.get(event.streamId);
        if (stream !== undefined) this.#requestSend(stream);
        return;
      }
      case 'linkWritable':
        if (this.#waiting.size > 0) this.#scheduleFlush();
        return;
      case 'goaway':
        this.#goaway = true;
        return this.#options.onGoaway?.(event.code, printable(event.message));
      case 'pong':
        for (const waiter of this.#pongWaiters) waiter.resolve(event.roundTripMs);
        return;
      case 'link':
        return this.#takeLinkFrame(event.frame);
      case 'failed': {
        const isLost = event.error.code === 'tunnel_lost';
        return this.#fail(event.error, isLost ? closeCode.goingAway : closeCode.protocolError);
      }
    }
  }

  #takeLinkFrame(frame: LinkFrame): void {
    try {
      this.#options.onLinkFrame?.(frame);
    } catch (error) {
      this.dismiss(asProxyError(error));
    }
  }

  #serve(stream: TunnelStream): void {
    const { onStream } = this.#options;
    if (onStream === undefined) {
      stream.refuse(new ProxyError('shutting_down', 'No streams are served on this tunnel.'));
      return;
    }
    try {
      onStream(stream);
    } catch (error) {
      stream.refuse(asProxyError(error));
    }
  }

  #addStream(streamId: number, fields: OpenFields): TunnelStream {
    const stream = new TunnelStream(this.#host, streamId, fields);
    this.#streams.set(streamId, stream);
    this.#scheduleFlush();
    return stream;
  }

  /** What the streams may do to the connection; everything they do leaves with the next flush. */
  #streamHost(): TunnelStreamHost {
    const connection = this.#connection;
    return {
      accept: (streamId) => {
        connection.accept(streamId);
        this.#scheduleFlush();
      },
      refuse: (streamId, error) => {
        connection.refuse(streamId, error.wireCode, error.message);
        this.#scheduleFlush();
      },
      requestSend: (stream) => this.#requestSend(stream),
      sendData: (streamId, data) => connection.sendData(streamId, data),
      end: (streamId) => {
        connection.end(streamId);
        this.#scheduleFlush();
      },
      consumptionChanged: (stream) => {
        this.#consuming.add(stream);
        this.#scheduleFlush();
      },
      closed: (stream, error) => {
        this.#removeStream(stream);
        // Most streams have ended by then: no error is made for them.
        if (error === undefined)
          connection.reset(
            stream.streamId,
            errorTable.cancelled.wire,
            'The other side closed the connection.',
          );
        else connection.reset(stream.streamId, error.wireCode, error.message);
        this.#scheduleFlush();
      },
    };
  }

  #removeStream(stream: TunnelStream): void {
    this.#streams.delete(stream.streamId);
    this.#waiting.delete(stream);
    this.#consuming.delete(stream);
    if (this.#streams.size > 0) return;
    for (const resolve of this.#idleWaiters) resolve();
  }

  /** Bytes that may be taken from streams now: what does not fit on the link waits here, in its turn. */
  get #room(): number {
    const { outputBytes, linkCreditBytes } = this.#connection;
    return Math.min(this.#limits.writeBufferBytesMax - outputBytes, linkCreditBytes);
  }

  #requestSend(stream: TunnelStream): void {
    if (this.#isOver) return;
    const room = this.#room;
    if (this.#waiting.size > 0 || room <= 0) this.#waiting.add(stream);
    else if (stream.sendPending(room) === 'more') this.#waiting.add(stream);
    this.#scheduleFlush();
  }

  /** In turn, a frame each, so that one bulk stream does not hold up the others. */
  #sendWaiting(): void {
    for (const stream of this.#waiting) {
      const room = this.#room;
      if (room <= 0) return;
      this.#waiting.delete(stream);
      // Added again it comes last, and this loop reaches it there.
      if (stream.sendPending(Math.min(room, this.#limits.frameBytesMax)) === 'more')
        this.#waiting.add(stream);
    }
  }

  /** Once per turn of the event loop: what many streams did in the meantime leaves in one message. */
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#isOver) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      if (!this.#isOver) this.#flush();
    });
  }

  #flush(): void {
    const nowMs = this.#nowMs();
    for (const stream of this.#consuming)
      this.#connection.consumed(stream.streamId, stream.takeConsumed(), nowMs);
    this.#consuming.clear();
    this.#sendWaiting();
    if (!this.#isWriting) this.#writeBlock();
    this.#handleEvents();
    this.#armTimer();
  }

  #writeBlock(): void {
    const block = this.#connection.output.take();
    if (block === undefined) return;
    this.#isWriting = true;
    this.#webSocket.sendBlock(block, () => {
      this.#isWriting = false;
      this.#connection.output.giveBack(block);
      if (!this.#isOver && (this.#connection.outputBytes > 0 || this.#waiting.size > 0)) this.#flush();
    });
  }

  /** The deadline moves with every chunk; the timer is set anew only when it must come earlier, or has come. */
  #armTimer(): void {
    const deadlineMs = this.#connection.deadlineMs;
    if (this.#isOver || deadlineMs === undefined || this.#timerMs <= deadlineMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = deadlineMs;
    const delayMs = Math.max(0, Math.ceil(deadlineMs - this.#nowMs()));
    this.#timer = setTimeout(() => this.#timeout(), delayMs).unref();
  }

  #timeout(): void {
    this.#timerMs = Infinity;
    this.#connection.output.dropSpares();
    const nowMs = this.#nowMs();
    if ((this.#connection.deadlineMs ?? Infinity) <= nowMs) this.#connection.handleTimeout(nowMs);
    this.#handleEvents();
    this.#armTimer();
  }

  /** The peer is told why, by a goaway that waits in the output and by the close. */
  #fail(error: ProxyError, code: number): void {
    // All of it, whatever is being written: what waits must not hide the reason.
    while (this.#connection.outputBytes > 0) this.#writeBlock();
    this.#end(error);
    void this.#webSocket.close(code, error.message);
  }

  #end(error: ProxyError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const reason = error ?? tunnelClosed();
    for (const stream of this.#streams.values()) stream.destroy(reason);
    for (const waiter of this.#pongWaiters) waiter.reject(reason);
    this.#resolveClosed(error);
  }
}
