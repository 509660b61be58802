// One end of a tunnel as a state machine without I/O, clock or randomness: bytes and calls go in, events and bytes come
// out, and it says when it wants to be woken. The rules are in docs/reference/wire.md.

import { asProxyError, ProxyError } from './error.ts';
import { LinkWindow, linkCreditBytesInitial } from './flow-window.ts';
import { FrameParser, type ParsedFrame, uint31Max } from './frame-codec.ts';
import type { Frame, LinkFrame, OpenFields, ResumableFrame } from './frame.ts';
import { AckSchedule } from './ack-schedule.ts';
import { KeepAlive, type KeepAliveTimes, keepAliveTimes } from './keep-alive.ts';
import type { Limits } from './limits.ts';
import { sentBytesMax } from './sent-frames.ts';
import { StreamFrames } from './stream-frames.ts';
import { type StreamRecord, type StreamState, StreamTable } from './stream-table.ts';
import { EventQueue, type TunnelEvent } from './tunnel-event.ts';
import type { TunnelConnectionOptions, TunnelRole } from './tunnel-options.ts';
import { TunnelOutput } from './tunnel-output.ts';
import { addCredit, bounded, cutFrame, encodeGoaway, encodeOpen, gatewayDrains } from './tunnel-fault.ts';
import { impossibleCount, noNewStreams, notHeld, overrun, silentPeer } from './tunnel-fault.ts';
import { streamLimit, unexpected, unreadLimit } from './tunnel-fault.ts';

/**
 * Sans-I/O endpoint of `upstreamproxy.v1`. After each call drain `nextEvent` and write `output`. A fault of the peer
 * becomes one `failed` event, after which every call does nothing (only `openStream` throws).
 */
export class TunnelConnection {
  readonly #role: TunnelRole;
  readonly #limits: Limits;
  readonly #parser: FrameParser;
  readonly #output: TunnelOutput;
  readonly #events = new EventQueue();
  readonly #keepAlive: KeepAlive;
  readonly #aliveBy: KeepAliveTimes;
  readonly #streams: StreamTable;
  readonly #frames: StreamFrames;
  readonly #link: LinkWindow;
  readonly #agreesOnModes: boolean;
  readonly #frameBytesMax: number;
  /** Undefined where the tunnel ends with its link. */
  readonly #acks: AckSchedule | undefined;
  #hasLink = true;
  #linkCredit = linkCreditBytesInitial;
  #goawaySent = false;
  #goawayReceived = false;
  #failure: ProxyError | undefined;

  constructor(options: TunnelConnectionOptions) {
    const { role, limits, nowMs, isResumable = false, spare, unread, blocks } = options;
    this.#role = role;
    this.#limits = limits;
    this.#parser = new FrameParser(limits);
    this.#output = new TunnelOutput(limits, { isResumable, spare, blocks });
    this.#acks = isResumable ? new AckSchedule() : undefined;
    const times = (this.#aliveBy = keepAliveTimes(limits, isResumable && role === 'agent'));
    this.#keepAlive = new KeepAlive({ times, pings: role === 'agent', nowMs });
    this.#streams = new StreamTable(limits, spare, unread);
    this.#frames = new StreamFrames(role, this.#streams, this.#events, options.agreesOnDatagrams);
    this.#link = new LinkWindow(limits);
    this.#agreesOnModes = options.agreesOnModes ?? false;
    this.#frameBytesMax = sentBytesMax(limits, 'frameBytesMax');
  }

  /** Open streams, those included that are half-closed. */
  get streamCount(): number {
    return this.#streams.liveCount;
  }

  /** Bytes that may be sent over all streams, and kept until they are acknowledged. */
  get linkCreditBytes(): number {
    return Math.min(this.#linkCredit, this.#output.room);
  }

  /** Octets of counted frames that came in the life of the tunnel. */
  get receivedBytes(): number {
    return this.#parser.countedBytes;
  }

  /** A stream of plaintext of TLS that ended in the agent was opened at some time. */
  get carriedPlainModes(): boolean {
    return this.#streams.carriedPlainModes;
  }

  /** There is nothing that another link would have to bring. */
  get isSettled(): boolean {
    return this.#streams.liveCount === 0 && this.#output.isDelivered;
  }

  get outputBytes(): number {
    return this.#output.bytes;
  }

  /** When `handleTimeout` wants to be called; undefined once failed. */
  get deadlineMs(): number | undefined {
    if (this.#failure !== undefined || !this.#hasLink) return undefined;
    return Math.min(this.#keepAlive.deadlineMs, this.#acks?.dueMs ?? Infinity);
  }

  /** Undefined for one that never was or of which nothing is left. */
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
        if (frame === undefined) break;
        this.#handle(frame, nowMs);
      }
      this.#acks?.received(this.#parser.countedBytes, nowMs);
      this.#acknowledge(nowMs);
    } catch (error) {
      this.#fail(asProxyError(error));
    }
  }

  /** A message must end between frames. */
  endOfMessage(): void {
    if (this.#failure === undefined && this.#parser.isInsideFrame) this.#fail(cutFrame());
  }

  nextEvent(): TunnelEvent | undefined {
    return this.#events.shift();
  }

  /**
   * Opens a stream (agent only). Throws stream_limit, frame_too_large, shutting_down after a goaway, or the failure.
   */
  openStream(fields: OpenFields): number {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#role !== 'agent') throw new ProxyError('internal', 'only the agent opens streams');
    const streamId = this.#streams.lastStreamId + 1;
    if (this.#goawaySent || this.#goawayReceived || streamId > uint31Max) throw noNewStreams();
    if (this.#streams.liveCount >= this.#limits.streamsMax) throw streamLimit(this.#limits.streamsMax);
    const bytesMax = sentBytesMax(this.#limits, 'controlFrameBytesMax');
    this.#output.pushEncodedControl(encodeOpen(streamId, fields, bytesMax));
    this.#addStream(streamId, fields);
    return streamId;
  }

  accept(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.accepted) return;
    stream.accepted = true;
    this.#send({ type: 'accept', streamId: id }, stream.isPlain);
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
    const count = Math.min(data.length, stream.sendCredit, this.linkCreditBytes);
    if (count < data.length && count === stream.sendCredit) stream.awaitsCredit = true;
    if (count === 0) return 0;
    stream.accepted ||= this.#role === 'gateway';
    stream.sendCredit -= count;
    this.#linkCredit -= count;
    const part = count === data.length ? data : data.subarray(0, count);
    this.#output.pushData(id, part, this.#frameBytesMax);
    return count;
  }

  lacksCredit(id: number): boolean {
    return this.#streams.get(id)?.awaitsCredit ?? true;
  }

  /** No more data from this side; the other direction stays open. */
  end(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.localEnded) return;
    stream.accepted ||= this.#role === 'gateway';
    stream.localEnded = true;
    if (stream.remoteEnded) this.#streams.retire(stream);
    const isUnhurried = stream.isPlain && (stream.remoteEnded || this.#role === 'agent');
    this.#send({ type: 'end', streamId: id }, isUnhurried);
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

  ping(nowMs: number): void {
    if (this.#failure === undefined) this.#send({ type: 'ping', nonce: this.#keepAlive.ping(nowMs) });
  }

  sendLinkFrame(frame: LinkFrame | ResumableFrame): void {
    this.#send(frame);
  }

  /** The link is gone; streams, credit and what is not acknowledged stay for the next one. */
  detach(): void {
    this.#hasLink = false;
    this.#parser.cut();
    this.#output.detach();
  }

  /** Goes on upon another link, at which the peer said how much it has. That cannot be just any number. */
  attach(peerReceivedBytes: number, nowMs: number): void {
    if (this.#failure !== undefined) return;
    this.#hasLink = true;
    this.#keepAlive.input(nowMs);
    this.#acks?.acknowledged(this.#parser.countedBytes);
    if (!this.#output.attach(peerReceivedBytes)) return this.#fail(impossibleCount(peerReceivedBytes));
    // Whoever waits for room looks again; an event too many does no harm here.
    this.#events.push({ type: 'linkWritable' });
  }

  /** No new streams from now on; open ones go on, and `takesCrossing` those that the peer opened before it heard of it. */
  goaway(code: number, message: string, takesCrossing = false): void {
    this.#goawaySent ||= !takesCrossing || this.#role === 'agent';
    if (this.#failure === undefined) this.#sayGoaway(code, message, takesCrossing ? uint31Max : undefined);
  }

  /** The frames that wait, as blocks to be written as one message each. `dropSpares` now and then. */
  get output(): Omit<TunnelOutput, 'attach' | 'detach' | 'acknowledge'> {
    return this.#output;
  }

  /** Call it at `deadlineMs`: pings, or fails with tunnel_lost. */
  handleTimeout(nowMs: number): void {
    if (this.#failure !== undefined || !this.#hasLink) return;
    this.#acknowledge(nowMs);
    const due = this.#keepAlive.due(nowMs);
    if (due === 'ping') this.ping(nowMs);
    if (due !== 'lost') return;
    const error = silentPeer(this.#role, this.#aliveBy);
    if (this.#acks === undefined) this.#fail(error);
    else this.#events.push({ type: 'silent', error });
  }

  #acknowledge(nowMs: number): void {
    const receivedBytes = this.#acks?.take(nowMs);
    if (receivedBytes !== undefined) this.#send({ type: 'ack', receivedBytes: BigInt(receivedBytes) });
  }

  #sayGoaway(code: number, message: string, lastStreamId = this.#streams.lastStreamId): void {
    this.#output.pushEncodedControl(encodeGoaway(lastStreamId, code, message));
  }

  #fail(error: ProxyError): void {
    this.#failure = error;
    this.#streams.clear();
    this.#sayGoaway(error.wireCode, error.message);
    this.#events.push({ type: 'failed', error });
  }

  /** Too many control frames that wait are a fault of the peer, too. */
  #send(frame: Exclude<Frame, { readonly type: 'data' }>, isUnhurried = false): void {
    if (this.#failure !== undefined) return;
    try {
      this.#output.pushControl(frame, isUnhurried);
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
        return this.#frames.response(frame);
      case 'end':
        return this.#frames.end(frame.streamId);
      case 'datagram':
        return this.#frames.datagram(frame);
      case 'reset':
        return this.#frames.reset(frame);
      case 'ping':
        return this.#send({ type: 'pong', nonce: frame.nonce });
      case 'pong': {
        const roundTripMs = this.#keepAlive.pong(frame.nonce, nowMs);
        if (roundTripMs !== undefined) this.#events.push({ type: 'pong', roundTripMs });
        return;
      }
      case 'goaway':
        this.#goawayReceived = true;
        return this.#frames.goaway(frame);
      case 'ack':
        return this.#handleAck(Number(frame.receivedBytes));
      case 'resume':
        throw unexpected('resume, which is for the start of a link');
      case 'resumable':
        if (this.#acks === undefined || this.#role !== 'agent')
          throw unexpected('resumable, which was not agreed');
        return this.#events.push({ type: 'resumable', frame });
      default:
        if (!this.#agreesOnModes) throw unexpected(`${frame.type}, which was not agreed`);
        return this.#events.push({ type: 'link', frame });
    }
  }

  /** An end that keeps nothing for a replay has nothing to forget. */
  #handleAck(receivedBytes: number): void {
    if (this.#acks === undefined) return;
    const hadCredit = this.linkCreditBytes > 0;
    if (!this.#output.acknowledge(receivedBytes)) throw impossibleCount(receivedBytes);
    if (!hadCredit && this.linkCreditBytes > 0) this.#events.push({ type: 'linkWritable' });
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
    this.#frames.implyAccept(stream);
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
    this.#frames.window(streamId, bytes);
  }

  #handleOpen(streamId: number, fields: OpenFields): void {
    if (this.#role !== 'gateway') throw unexpected('open from the gateway');
    const { lastStreamId, count } = this.#streams;
    if (streamId !== lastStreamId + 1) throw unexpected(`open of stream ${streamId} after ${lastStreamId}`);
    if (this.#goawaySent || count >= this.#limits.streamsMax) {
      this.#streams.lastStreamId = streamId;
      const error = this.#goawaySent ? gatewayDrains() : streamLimit(this.#limits.streamsMax);
      if (error.limit !== undefined) this.#events.push({ type: 'declined', error });
      return this.#send({ type: 'refuse', streamId, code: error.wireCode, message: error.message });
    }
    this.#addStream(streamId, fields);
    this.#events.push({ type: 'open', streamId, fields });
  }

  #addStream(id: number, { mode }: OpenFields): void {
    const isPlain = mode === 'http1' || mode === 'http2';
    const stream = this.#streams.add(id, isPlain);
    this.#grant(stream, stream.receive.grantInitially(), isPlain);
  }

  #grant(stream: StreamRecord, bytes: number, isUnhurried = false): void {
    if (bytes > 0) this.#send({ type: 'window', streamId: stream.id, bytes }, isUnhurried);
  }
}
