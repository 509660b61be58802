// Binds the tunnel's state machine to a WebSocket: bytes in and out, timers, and streams as Duplexes.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { LinkFrame, OpenFields, ResumableFrame } from '../protocol/frame.ts';
import type { Limits } from '../protocol/limits.ts';
import { printable } from '../protocol/printable.ts';
import { NumberTable } from '../protocol/roster.ts';
import { TunnelConnection } from '../protocol/tunnel-connection.ts';
import type { TunnelEvent } from '../protocol/tunnel-event.ts';
import { tunnelClosed } from '../protocol/tunnel-fault.ts';
import type { TunnelLinkOptions } from './tunnel-link-options.ts';
import { LinkGaps } from './link-absence.ts';
import { LinkSettling } from './link-settling.ts';
import { SendTurns } from './send-turns.ts';
import { sharedBlocks } from './spare-memory.ts';
import { TunnelPings } from './tunnel-pings.ts';
import { streamHost } from './tunnel-stream-host.ts';
import { TunnelStream, type TunnelStreamHost } from './tunnel-stream.ts';
import { Unhurried } from './unhurried.ts';
import type { WebSocketConnection, WebSocketHandlers } from './websocket-connection.ts';
import { closeCode } from './websocket-frame.ts';

/** A tunnel: many streams on one WebSocket at a time, which it owns. */
export class TunnelLink implements AsyncDisposable {
  /** Settles when the tunnel is over: undefined after an orderly end, else the reason. All streams have ended by then, but for what is still read. */
  readonly closed: Promise<ProxyError | undefined>;
  /** Undefined while another one is awaited. */
  #webSocket: WebSocketConnection | undefined;
  readonly #limits: Limits;
  readonly #connection: TunnelConnection;
  readonly #options: TunnelLinkOptions;
  readonly #nowMs: () => number;
  readonly #host: TunnelStreamHost;
  readonly #streams = new NumberTable<TunnelStream>();
  readonly #turns: SendTurns;
  /** Streams whose reader may have consumed something since the last flush. */
  #consuming: TunnelStream[] = [];
  readonly #pings: TunnelPings;
  readonly #unhurried = new Unhurried(() => this.#flush(true));
  readonly #gaps: LinkGaps;
  readonly #settling = new LinkSettling(
    () => this.#isOver || (this.#streams.size === 0 && this.#connection.isSettled),
  );
  readonly #resolveClosed: (error: ProxyError | undefined) => void;
  #flushScheduled = false;
  /** One message is written at a time: Node's TLS joins what waits behind it by a copy. The rest waits here. */
  #isWriting = false;
  #goaway = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Infinity;
  #sparesDroppedMs = -Infinity;

  constructor(options: TunnelLinkOptions) {
    const { webSocket, role, limits, spare, unread, agreesOnModes, isResumable } = options;
    this.#options = options;
    this.#webSocket = webSocket;
    this.#limits = limits;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#turns = new SendTurns(limits, () => this.#connection);
    this.#pings = new TunnelPings(limits.pingTimeoutMs);
    const nowMs = this.#nowMs();
    // What another kind of stream was given may be somebody else's when it says that it is written.
    const blocks = webSocket.isOnSocket ? sharedBlocks : undefined;
    const agreed = { agreesOnModes, isResumable, agreesOnDatagrams: webSocket.agreesOnDatagrams };
    this.#connection = new TunnelConnection({ role, limits, nowMs, spare, unread, blocks, ...agreed });
    this.#gaps = new LinkGaps(this.#nowMs, limits.resumeWindowMs);
    this.#host = streamHost(this.#connection, this.#gaps, {
      changed: () => this.#scheduleFlush(),
      requestSend: (stream) => this.#requestSend(stream),
      consumed: (stream) => this.#consumed(stream),
      closed: (stream) => this.#removeStream(stream),
    });
    const { promise, resolve } = Promise.withResolvers<ProxyError | undefined>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    (options.begin ?? ((handlers) => webSocket.start(handlers)))(this.#handlersOf(webSocket));
    this.#armTimer();
  }

  /** Streams that are not closed yet. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** New streams can be opened. */
  get isOpen(): boolean {
    return !this.#isOver && !this.#goaway && this.#webSocket !== undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get state(): Pick<TunnelConnection, 'receivedBytes' | 'carriedPlainModes' | 'isSettled' | 'output'> {
    return this.#connection;
  }

  /** Gives the WebSocket up, if there is one. Streams stay, and what has not arrived, for the next one. */
  detach(): void {
    const webSocket = this.#webSocket;
    if (webSocket === undefined || this.#isOver) return;
    this.#webSocket = undefined;
    webSocket.destroy();
    this.#isWriting = false;
    this.#connection.detach();
    this.#gaps.begin();
    clearTimeout(this.#timer);
    this.#timerMs = Infinity;
    this.#options.onDetached?.();
  }

  /** Goes on upon another WebSocket, whose owner hands on what comes. `peerReceivedBytes` is the peer's word there. */
  attach(webSocket: WebSocketConnection, peerReceivedBytes: number): WebSocketHandlers {
    this.detach();
    this.#webSocket = webSocket;
    this.#connection.attach(peerReceivedBytes, this.#nowMs());
    this.#gaps.end();
    this.#handleEvents();
    this.#armTimer();
    this.#scheduleFlush();
    return this.#handlersOf(webSocket);
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
    return await this.#pings.wait(() => {
      this.#connection.ping(this.#nowMs());
      this.#scheduleFlush();
    }, signal);
  }

  /** Sends a frame that concerns the WebSocket that is there. */
  sendLinkFrame(frame: LinkFrame | ResumableFrame): void {
    if (this.#isOver) return;
    this.#connection.sendLinkFrame(frame);
    this.#scheduleFlush();
  }

  /**
   * Says goaway, waits up to `timeoutMs` for the streams to end and for the peer to have all of them, resets those that did not, and closes.
   * Without a WebSocket it waits for the next one. What the peer opens before it hears of it is served.
   */
  async drain(timeoutMs: number): Promise<void> {
    if (!this.#isOver) {
      const { wireCode, message } = new ProxyError(
        'shutting_down',
        'This side of the tunnel is shutting down.',
      );
      this.#goaway = true;
      this.#connection.goaway(wireCode, message, true);
      this.#scheduleFlush();
      // Where it is not acknowledged, the response to a ping comes behind what crossed it.
      if (this.#options.isResumable !== true) this.#settling.notBefore(this.roundTrip());
    }
    await this.#settling.within(timeoutMs);
    await this.#close();
  }

  /** Ends now: streams fail with `error`, the peer loses the connection. */
  destroy(error?: ProxyError): void {
    this.#end(error);
    this.#webSocket?.destroy(error);
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
    for (const stream of this.#streams.values)
      stream.destroy(new ProxyError('shutting_down', 'The tunnel was closed while the stream was open.'));
    if (!this.#isOver) this.#flush(true);
    await this.#webSocket?.close(closeCode.goingAway);
    this.#end(undefined);
  }

  /** What a WebSocket says counts while it is the one that is there. */
  #handlersOf(webSocket: WebSocketConnection): WebSocketHandlers {
    const isCurrent = (): boolean => this.#webSocket === webSocket;
    return {
      onData: (chunk) => {
        if (!isCurrent()) return;
        this.#options.onReceive?.();
        this.#connection.receive(chunk, this.#nowMs());
        this.#handleEvents();
      },
      onMessageEnd: () => {
        if (!isCurrent()) return;
        this.#connection.endOfMessage();
        this.#handleEvents();
      },
      onClose: (error, wasCut) => {
        if (!isCurrent()) return;
        if (wasCut && this.#options.isResumable === true) this.detach();
        else this.#end(error, true);
      },
    };
  }

  #handleEvents(): void {
    for (
      let event = this.#connection.nextEvent();
      event !== undefined;
      event = this.#connection.nextEvent()
    ) {
      if (!this.#isOver) this.#handle(event);
    }
    // Else the next connection begins it, or the end of what is being written.
    const { outputBytes, output } = this.#connection;
    const canWrite = this.#webSocket !== undefined && !this.#isWriting && outputBytes > 0;
    if (canWrite && output.isPressing) this.#scheduleFlush();
    else if (canWrite) this.#unhurried.wait();
    this.#settling.look();
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
      case 'datagram':
        return void this.#streams.get(event.streamId)?.emit('datagram', event.data);
      case 'refused':
      case 'reset':
        return this.#streams.get(event.streamId)?.receiveReset(event.code, printable(event.message));
      case 'writable':
        return this.#requestSend(this.#streams.get(event.streamId));
      case 'linkWritable':
        if (this.#turns.size > 0) this.#scheduleFlush();
        return;
      case 'goaway':
        this.#goaway = true;
        return this.#options.onGoaway?.(event.code, printable(event.message));
      case 'pong':
        return this.#pings.responded(event.roundTripMs);
      case 'link':
        return this.#takeLinkFrame(event.frame);
      case 'resumable':
        return this.#options.onResumable?.(event.frame);
      case 'silent':
        return this.detach();
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
    if (onStream === undefined)
      return stream.refuse(new ProxyError('shutting_down', 'No streams are served on this tunnel.'));
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

  #removeStream(stream: TunnelStream): void {
    this.#streams.delete(stream.streamId);
    this.#turns.leave(stream);
    this.#settling.look();
  }

  #consumed(stream: TunnelStream): void {
    if (!this.#isOver && this.#consuming.at(-1) !== stream) this.#consuming.push(stream);
  }

  #requestSend(stream: TunnelStream | undefined): void {
    if (stream === undefined || this.#isOver) return;
    this.#turns.request(stream);
    this.#scheduleFlush();
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

  /** `isDue`: what nobody waits for leaves too. */
  #flush(isDue = false): void {
    const nowMs = this.#nowMs();
    const consuming = this.#consuming;
    this.#consuming = [];
    for (const stream of consuming) this.#connection.consumed(stream.streamId, stream.takeConsumed(), nowMs);
    this.#turns.send();
    if (!this.#isWriting && (isDue || this.#connection.output.isPressing)) this.#writeBlock();
    this.#handleEvents();
    this.#armTimer();
  }

  #writeBlock(): boolean {
    const webSocket = this.#webSocket;
    const block = webSocket === undefined ? undefined : this.#connection.output.take();
    if (webSocket === undefined || block === undefined) return false;
    this.#isWriting = true;
    const written = (): void => {
      this.#connection.output.giveBack(block);
      if (this.#webSocket !== webSocket) return;
      this.#isWriting = false;
      if (!this.#isOver && (this.#connection.outputBytes > 0 || this.#turns.size > 0)) this.#flush();
    };
    webSocket.sendBlock(block, written, this.#options.isResumable);
    return true;
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
    const nowMs = this.#nowMs();
    if (nowMs - this.#sparesDroppedMs >= this.#limits.pingIntervalMs) {
      this.#sparesDroppedMs = nowMs;
      this.#connection.output.dropSpares();
      sharedBlocks.dropOnceIn(this.#limits.pingIntervalMs, performance.now());
    }
    if ((this.#connection.deadlineMs ?? Infinity) <= nowMs) this.#connection.handleTimeout(nowMs);
    this.#handleEvents();
    this.#armTimer();
  }

  /** The peer is told why, by a goaway that waits in the output and by the close. */
  #fail(error: ProxyError, code: number): void {
    // All of it, whatever is being written: what waits must not hide the reason.
    while (this.#writeBlock());
    this.#end(error);
    void this.#webSocket?.close(code, error.message);
  }

  #end(error: ProxyError | undefined, isByPeer = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#unhurried[Symbol.dispose]();
    const reason = error ?? tunnelClosed();
    for (const stream of this.#streams.values)
      if (isByPeer) stream.receiveLinkEnd(reason);
      else stream.destroy(reason);
    this.#pings.end(reason);
    this.#connection.output.forget();
    this.#settling.end();
    this.#resolveClosed(error);
  }
}
