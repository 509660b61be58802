// The streams of one tunnel, at one end: those that live and those that only have received bytes left.

import { ProxyError } from './error.ts';
import { ReceivePool, ReceiveWindow, streamReserveBytes } from './flow-window.ts';
import type { CountedOctets, SpareOctets } from './held-octets.ts';
import type { LimitName, Limits } from './limits.ts';
import { NumberTable } from './roster.ts';

/** A stream as seen from one end; `closed` while the last received bytes are still to be consumed. */
export type StreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

/** The mutable record of one stream. */
export class StreamRecord {
  readonly id: number;
  readonly receive: ReceiveWindow;
  /** Carries plaintext of TLS that ended in the agent: requests, most of which need no more credit than every stream has, and end by their bytes. */
  readonly isPlain: boolean;
  /** The gateway responded, by `accept` or by what implies it. */
  accepted = false;
  localEnded = false;
  remoteEnded = false;
  /** Bytes that may still be sent. */
  sendCredit = streamReserveBytes;
  /** There was more to send than that. */
  awaitsCredit = false;

  constructor(id: number, receive: ReceiveWindow, isPlain: boolean) {
    this.id = id;
    this.receive = receive;
    this.isPlain = isPlain;
  }

  get state(): StreamState {
    if (this.localEnded && this.remoteEnded) return 'closed';
    if (this.localEnded) return 'half-closed-local';
    return this.remoteEnded ? 'half-closed-remote' : 'open';
  }
}

/** Streams by id. Ids are given out one by one, so every id up to `lastStreamId` was opened once. */
export class StreamTable {
  readonly #limits: Limits;
  readonly #pool: ReceivePool;
  readonly #unread: CountedOctets | undefined;
  readonly #live = new NumberTable<StreamRecord>();
  readonly #draining = new NumberTable<StreamRecord>();
  lastStreamId = 0;
  /** There was one of plaintext at some time. */
  carriedPlainModes = false;

  constructor(limits: Limits, spare?: SpareOctets, unread?: CountedOctets) {
    this.#limits = limits;
    this.#unread = unread;
    this.#pool = new ReceivePool(limits.connectionWindowBytes, spare, unread);
  }

  /** The limit of what may wait here that is exceeded. */
  get exceeded(): LimitName | undefined {
    return this.#unread?.exceeded;
  }

  /** Streams of which at least one direction is open. */
  get liveCount(): number {
    return this.#live.size;
  }

  /** All streams that hold memory here. */
  get count(): number {
    return this.#live.size + this.#draining.size;
  }

  get live(): readonly StreamRecord[] {
    return this.#live.values;
  }

  /** A stream of which at least one direction is open. */
  get(id: number): StreamRecord | undefined {
    return this.#live.get(id);
  }

  /** A stream that may still hold received bytes. */
  getHolding(id: number): StreamRecord | undefined {
    return this.#live.get(id) ?? this.#draining.get(id);
  }

  /**
   * The stream of a received frame; undefined for one that is over, as its last frames may have crossed our reset.
   * Throws frame_unexpected for one that never was.
   */
  find(id: number, frameType: string): StreamRecord | undefined {
    if (id > this.lastStreamId) {
      throw new ProxyError('frame_unexpected', `${frameType} on stream ${id}, which was never opened`);
    }
    return this.#live.get(id);
  }

  add(id: number, isPlain = false): StreamRecord {
    const stream = new StreamRecord(id, new ReceiveWindow(this.#pool, this.#limits), isPlain);
    this.#live.set(id, stream);
    this.lastStreamId = id;
    this.carriedPlainModes ||= isPlain;
    return stream;
  }

  /** Over in both directions; received bytes stay accounted for until they are consumed. */
  retire(stream: StreamRecord): void {
    stream.localEnded = true;
    if (stream.receive.heldBytes === 0) return this.forget(stream);
    this.#live.delete(stream.id);
    this.#draining.set(stream.id, stream);
  }

  /** Over, and nobody reads what was received. */
  forget(stream: StreamRecord): void {
    this.#live.delete(stream.id);
    this.#draining.delete(stream.id);
    stream.receive.release();
  }

  /** Forgets a stream that was only draining, once nothing is left of it. */
  settle(stream: StreamRecord): void {
    if (stream.receive.heldBytes === 0) this.#draining.delete(stream.id);
  }

  clear(): void {
    for (const stream of [...this.#live.values, ...this.#draining.values]) this.forget(stream);
  }
}
