// One end of a tunnel as a state machine without I/O, clock or randomness: bytes and calls go in, events and bytes come
// out, and it says when it wants to be woken. The rules are in docs/reference/wire.md.

import { asProxyError, ProxyError } from './error.ts';
import { LinkWindow, linkCreditBytesInitial } from './flow-window.ts';
import { FrameParser, type ParsedFrame, uint31Max } from './frame-codec.ts';
import type { Frame, LinkFrame, OpenFields } from './frame.ts';
import { KeepAlive } from './keep-alive.ts';
import type { Limits } from './limits.ts';
import { OutputQueue } from './output-queue.ts';
import { sentBytesMax } from './sent-frames.ts';
import { type StreamRecord, type StreamState, StreamTable } from './stream-table.ts';
import { EventQueue, type TunnelEvent } from './tunnel-event.ts';
import type { TunnelConnectionOptions, TunnelRole } from './tunnel-options.ts';
import { addCredit, bounded, encodeGoaway, encodeOpen, noNewStreams, notHeld } from './tunnel-fault.ts';
import { overrun, silentPeer, streamLimit, unexpected, unreadLimit } from './tunnel-fault.ts';

/**
 * Sans-I/O endpoint of `upstreamproxy.v1`. After each call drain `nextEvent` and write `output`. A fault of the peer
 * becomes one `failed` event, after which every call does nothing (only `openStream` throws).
 */
export class TunnelConnection {
  readonly #role: TunnelRole;
  readonly #limits: Limits;
  readonly #parser: FrameParser;
  readonly #output: OutputQueue;
  readonly #events = new EventQueue();
  readonly #keepAlive: KeepAlive;
  readonly #streams: StreamTable;
  readonly #link: LinkWindow;
  readonly #agreesOnModes: boolean;
  readonly #frameBytesMax: number;
  #linkCredit = linkCreditBytesInitial;
  #goawaySent = false;
  #goawayReceived = false;
  #failure: ProxyError | undefined;

  constructor(options: TunnelConnectionOptions) {
    const { role, limits, nowMs } = options;
    this.#role = role;
    this.#limits = limits;
    this.#parser = new FrameParser(limits);
    this.#output = new OutputQueue(limits);
    this.#keepAlive = new KeepAlive({ limits, pings: role === 'agent', nowMs });
    this.#streams = new StreamTable(limits, options.spare, options.unread);
    this.#link = new LinkWindow(limits);
    this.#agreesOnModes = options.agreesOnModes ?? false;
    this.#frameBytesMax = sentBytesMax(limits, 'frameBytesMax');
  }

  /** Open streams, those included that are half-closed. */
  get streamCount(): number {
    return this.#streams.liveCount;
  }

  /** Bytes that may be sent over all streams. */
  get linkCreditBytes(): number {
    return this.#linkCredit;
  }

  /** Bytes that wait in `output`. */
  get outputBytes(): number {
    return this.#output.bytes;
  }

  /** When `handleTimeout` wants to be called; undefined once failed. */
  get deadlineMs(): number | undefined {
    return this.#failure === undefined ? this.#keepAlive.deadlineMs : undefined;
  }

  /** Undefined for a stream that never was or of which nothing is left. */
  streamState(id: number): StreamState | undefined {
    return this.#streams.getHolding(id)?.state;
  }

  /** Bytes of binary messages, split in any way. Data events are views of the chunk. */
  receive(chunk: Uint8Array, nowMs: number): void {
    if (this.#failure !== undefined) return;
    this.#keepAlive.input(nowMs);
    this.#parser.push(chunk);
    try {
      // A call made for a frame can end the connection, too: then nothing behind that frame counts.
      while (this.#failure === undefined) {
        const frame = this.#parser.next();
        if (frame === undefined) return;
        this.#handle(frame, nowMs);
      }
    } catch (error) {
      this.#fail(asProxyError(error));
    }
  }

  /** A message must end between frames. */
  endOfMessage(): void {
    if (this.#failure !== undefined) return;
    try {
      this.#parser.endOfMessage();
    } catch (error) {
      this.#fail(asProxyError(error));
    }
  }

  nextEvent(): TunnelEvent | undefined {
    return this.#events.shift();
  }

  /**
   * Opens a stream (agent only); data may follow at once. Throws stream_limit, frame_too_large, shutting_down after a
   * goaway, or the failure of the connection.
   */
  openStream(fields: OpenFields): number {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#role !== 'agent') throw new ProxyError('internal', 'only the agent opens streams');
    const streamId = this.#streams.lastStreamId + 1;
    if (this.#goawaySent || this.#goawayReceived || streamId > uint31Max) {
      throw noNewStreams();
    }
    const { streamsMax } = this.#limits;
    if (this.#streams.liveCount >= streamsMax) throw streamLimit(streamsMax);
    this.#output.pushEncodedControl(
      encodeOpen(streamId, fields, sentBytesMax(this.#limits, 'controlFrameBytesMax')),
    );
    this.#addStream(streamId);
    return streamId;
  }

  /** The gateway takes the stream. */
  accept(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.accepted) return;
    stream.accepted = true;
    this.#send({ type: 'accept', streamId: id });
  }

  /** The gateway does not take the stream, which is over. After `accept` or data it becomes a reset. */
  refuse(id: number, code: number, message: string): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (stream.accepted) return this.reset(id, code, message);
    this.#streams.forget(stream);
    this.#send({ type: 'refuse', streamId: id, code, message: bounded(message) });
  }

  /**
   * Takes as many bytes as the credit of stream and connection allows and gives their count. If it is less than was given, an
   * event tells when to go on: `writable`, or `linkWritable` where the stream has credit left. What is taken is copied.
   */
  sendData(id: number, data: Uint8Array): number {
    const stream = this.#streams.get(id);
    if (stream === undefined) return 0;
    if (stream.localEnded) throw new ProxyError('internal', `data on stream ${id} after its end`);
    const count = Math.min(data.length, stream.sendCredit, this.#linkCredit);
    if (count < data.length && count === stream.sendCredit) stream.awaitsCredit = true;
    if (count === 0) return 0;
    stream.accepted ||= this.#role === 'gateway';
    stream.sendCredit -= count;
    this.#linkCredit -= count;
    const part = count === data.length ? data : data.subarray(0, count);
    this.#output.pushData(id, part, this.#frameBytesMax);
    return count;
  }

  /** No more data from this side; the other direction stays open. */
  end(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.localEnded) return;
    stream.accepted ||= this.#role === 'gateway';
    stream.localEnded = true;
    if (stream.remoteEnded) this.#streams.retire(stream);
    this.#send({ type: 'end', streamId: id });
  }

  /**
   * Ends both directions at once and gives up received bytes that were not consumed. Call it, too, for a stream that
   * ended both ways while bytes are held that nobody will read; nothing is sent then.
   */
  reset(id: number, code: number, message: string): void {
    const stream = this.#streams.getHolding(id);
    if (stream === undefined) return;
    const wasOver = stream.state === 'closed';
    this.#streams.forget(stream);
    if (!wasOver) this.#send({ type: 'reset', streamId: id, code, message: bounded(message) });
  }

  /** The local sink has drained these bytes, so credit may be granted. Throws internal for more than are held. */
  consumed(id: number, bytes: number, nowMs: number): void {
    const stream = this.#streams.getHolding(id);
    if (stream === undefined || bytes === 0) return;
    const { heldBytes } = stream.receive;
    if (!(bytes > 0 && bytes <= heldBytes)) throw notHeld(id, heldBytes, bytes);
    this.#grant(stream, stream.receive.consumed(bytes, nowMs, this.#keepAlive.roundTripMs));
    this.#streams.settle(stream);
  }

  /** Asks for a `pong` event. */
  ping(nowMs: number): void {
    if (this.#failure === undefined) this.#send({ type: 'ping', nonce: this.#keepAlive.ping(nowMs) });
  }

  /** A frame of the agreement on modes. */
  sendLinkFrame(frame: LinkFrame): void {
    this.#send(frame);
  }

  /** No new streams from now on; open ones go on. */
  goaway(code: number, message: string): void {
    this.#goawaySent = true;
    if (this.#failure === undefined)
      this.#output.pushEncodedControl(encodeGoaway(this.#streams.lastStreamId, code, message));
  }

  /** The frames that wait, as blocks to be written as one message each. `dropSpares` now and then. */
  get output(): Pick<OutputQueue, 'take' | 'giveBack' | 'dropSpares'> {
    return this.#output;
  }

  /** Call it at `deadlineMs`: pings, or fails with tunnel_lost. */
  handleTimeout(nowMs: number): void {
    if (this.#failure !== undefined) return;
    const due = this.#keepAlive.due(nowMs);
    if (due === 'ping') this.ping(nowMs);
    else if (due === 'lost') this.#fail(silentPeer(this.#role, this.#limits));
  }

  #fail(error: ProxyError): void {
    this.#failure = error;
    this.#streams.clear();
    const { lastStreamId } = this.#streams;
    this.#output.pushEncodedControl(encodeGoaway(lastStreamId, error.wireCode, error.message));
    this.#events.push({ type: 'failed', error });
  }

  /** Queues a control frame; too many of them that wait are a fault of the peer, too. */
  #send(frame: Exclude<Frame, { readonly type: 'data' }>): void {
    if (this.#failure !== undefined) return;
    try {
      this.#output.pushControl(frame);
    } catch (error) {
      this.#fail(asProxyError(error));
    }
  }

  #handle(frame: ParsedFrame, nowMs: number): void {
    switch (frame.type) {
      case 'data':
        return this.#handleData(frame, nowMs);
      case 'window':
        return this.#handleWindow(frame.streamId, frame.bytes);
      case 'open':
        return this.#handleOpen(frame.streamId, frame.fields);
      case 'accept':
      case 'refuse':
        return this.#handleResponse(frame);
      case 'end':
        return this.#handleEnd(frame.streamId);
      case 'reset':
        return this.#handleReset(frame);
      case 'ping':
        return this.#send({ type: 'pong', nonce: frame.nonce });
      case 'pong': {
        const roundTripMs = this.#keepAlive.pong(frame.nonce, nowMs);
        if (roundTripMs !== undefined) this.#events.push({ type: 'pong', roundTripMs });
        return;
      }
      case 'goaway':
        return this.#handleGoaway(frame);
      case 'ack':
        // Reserved for resuming: an endpoint that keeps nothing for a replay has nothing to forget.
        return;
      case 'resume':
        throw unexpected('resume, which was not agreed');
      default:
        if (!this.#agreesOnModes) throw unexpected(`${frame.type}, which was not agreed`);
        return this.#events.push({ type: 'link', frame });
    }
  }

  #handleData(frame: Extract<ParsedFrame, { type: 'data' }>, nowMs: number): void {
    const { streamId, data } = frame;
    const stream = this.#streams.find(streamId, 'data');
    // The frame is judged whole and before it has any effect, so that no split of the bytes changes the outcome.
    const frameBytes = data.length + frame.remaining;
    if (frameBytes > this.#link.creditBytes) throw overrun('the connection', 'connectionWindowBytes');
    if (stream?.remoteEnded === true) throw unexpected(`data on stream ${streamId} after its end`);
    if (stream !== undefined && frameBytes > stream.receive.creditBytes)
      throw overrun(`stream ${streamId}`, 'windowBytesMax');
    this.#link.received(data.length);
    const linkGrant = frame.last ? this.#link.grant() : 0;
    if (linkGrant > 0) this.#send({ type: 'window', streamId: 0, bytes: linkGrant });
    if (stream === undefined) return;
    stream.receive.received(data.length, nowMs);
    const { exceeded } = this.#streams;
    if (exceeded !== undefined) {
      // Of what nobody takes too much waits: the stream that brings more ends, and both sides are told.
      const { wireCode: code, message } = unreadLimit(exceeded);
      this.reset(streamId, code, message);
      return this.#events.push({ type: 'reset', streamId, code, message });
    }
    this.#implyAccept(stream);
    this.#events.push({ type: 'data', streamId, data });
    if (frame.last && this.#keepAlive.wantsMeasure(nowMs)) this.ping(nowMs);
  }

  #handleWindow(streamId: number, bytes: number): void {
    if (streamId === 0) {
      // One event however many wait: a peer that grants byte by byte must not have all of them looked at each time.
      if (this.#linkCredit === 0) this.#events.push({ type: 'linkWritable' });
      this.#linkCredit = addCredit(this.#linkCredit, bytes, 'the connection');
      return;
    }
    const stream = this.#streams.find(streamId, 'window');
    if (stream === undefined) return;
    stream.sendCredit = addCredit(stream.sendCredit, bytes, `stream ${streamId}`);
    if (stream.awaitsCredit && !stream.localEnded) this.#events.push({ type: 'writable', streamId });
    stream.awaitsCredit = false;
  }

  #handleOpen(streamId: number, fields: OpenFields): void {
    if (this.#role !== 'gateway') throw unexpected('open from the gateway');
    const { lastStreamId, count } = this.#streams;
    if (streamId !== lastStreamId + 1) throw unexpected(`open of stream ${streamId} after ${lastStreamId}`);
    const { streamsMax } = this.#limits;
    if (this.#goawaySent || count >= streamsMax) {
      this.#streams.lastStreamId = streamId;
      const error = this.#goawaySent
        ? new ProxyError('shutting_down', 'the gateway drains')
        : streamLimit(streamsMax);
      if (error.limit !== undefined) this.#events.push({ type: 'declined', error });
      return this.#send({ type: 'refuse', streamId, code: error.wireCode, message: error.message });
    }
    this.#addStream(streamId);
    this.#events.push({ type: 'open', streamId, fields });
  }

  #handleResponse(frame: Extract<ParsedFrame, { type: 'accept' | 'refuse' }>): void {
    const { type, streamId } = frame;
    if (this.#role !== 'agent') throw unexpected(`${type} from the agent`);
    const stream = this.#streams.find(streamId, type);
    if (stream === undefined) return;
    if (stream.accepted) throw unexpected(`${type} on stream ${streamId}, which is accepted already`);
    if (frame.type === 'accept') return this.#implyAccept(stream);
    this.#streams.forget(stream);
    this.#events.push({ type: 'refused', streamId, code: frame.code, message: frame.message });
  }

  #handleEnd(streamId: number): void {
    const stream = this.#streams.find(streamId, 'end');
    if (stream === undefined) return;
    if (stream.remoteEnded) throw unexpected(`a second end on stream ${streamId}`);
    this.#implyAccept(stream);
    stream.remoteEnded = true;
    stream.receive.close();
    this.#events.push({ type: 'end', streamId });
    if (stream.localEnded) this.#streams.retire(stream);
  }

  #handleReset(frame: Extract<ParsedFrame, { type: 'reset' }>): void {
    const { streamId, code, message } = frame;
    const stream = this.#streams.find(streamId, 'reset');
    if (stream === undefined) return;
    // After an end the received bytes are complete and may still be drained; before it they are worth nothing.
    if (stream.remoteEnded) this.#streams.retire(stream);
    else this.#streams.forget(stream);
    this.#events.push({ type: 'reset', streamId, code, message });
  }

  #handleGoaway(frame: Extract<ParsedFrame, { type: 'goaway' }>): void {
    const { lastStreamId, code, message } = frame;
    this.#goawayReceived = true;
    this.#events.push({ type: 'goaway', lastStreamId, code, message });
    if (this.#role !== 'agent') return;
    for (const stream of this.#streams.live) {
      if (stream.id <= lastStreamId) continue;
      this.#streams.forget(stream);
      this.#events.push({ type: stream.accepted ? 'reset' : 'refused', streamId: stream.id, code, message });
    }
  }

  /** Data or an end from the gateway says, like `accept`, that it took the stream. */
  #implyAccept(stream: StreamRecord): void {
    if (this.#role !== 'agent' || stream.accepted) return;
    stream.accepted = true;
    this.#events.push({ type: 'accepted', streamId: stream.id });
  }

  #addStream(id: number): void {
    const stream = this.#streams.add(id);
    this.#grant(stream, stream.receive.grantInitially());
  }

  #grant(stream: StreamRecord, bytes: number): void {
    if (bytes > 0) this.#send({ type: 'window', streamId: stream.id, bytes });
  }
}
