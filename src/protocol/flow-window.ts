// Flow control of the receiving side: what was promised to the peer, per stream and over all streams of one tunnel.
// Why it is made like this: docs/decisions/flow-control.md.

import { uint31Max } from './frame-codec.ts';
import type { CountedOctets, SpareOctets } from './held-octets.ts';
import type { Limits } from './limits.ts';

/**
 * Credit that every stream has from its start in each direction without being told, and that its receiver always gives
 * back once it was consumed. A part of the wire, so no setting: both ends must agree on it.
 */
export const streamReserveBytes = 64 * 1024;
/** Credit of the whole connection from its start, in each direction. A part of the wire as well. */
export const linkCreditBytesInitial = 1024 * 1024;

/** Slower than this many round trips for a whole window: the window is not what limits the stream. */
const roundTripsToGrow = 2;
/** At this pace a window is far larger than its stream needs; it shrinks when the pool runs low. */
const roundTripsToShrink = 8;
/** Below this a round trip cannot be told from the turn of an event loop. */
const roundTripMsMin = 0.05;

/**
 * The bytes beyond the reserves that the receiver may have promised, over all streams of a tunnel. As every promise is
 * counted until its bytes are consumed, memory is bounded and no stream can use up what another one was promised.
 */
export class ReceivePool {
  readonly capacity: number;
  readonly #spare: SpareOctets | undefined;
  readonly #unread: CountedOctets | undefined;
  #used = 0;

  /**
   * @param spare what all tunnels together may promise; a window that gets nothing of it is only slower
   * @param unread what of the reserves is held
   */
  constructor(capacity: number, spare?: SpareOctets, unread?: CountedOctets) {
    this.capacity = capacity;
    this.#spare = spare;
    this.#unread = unread;
  }

  get free(): number {
    const own = this.capacity - this.#used;
    return this.#spare === undefined ? own : Math.min(own, this.#spare.free);
  }

  /** Idle streams in great number must not take it from those that move data. */
  get isHalfFree(): boolean {
    const isOwn = (this.capacity - this.#used) * 2 > this.capacity;
    return isOwn && (this.#spare === undefined || this.#spare.free * 2 > this.#spare.max);
  }

  /** A stream's commitment (credit at the peer and bytes held) changes; only what exceeds the reserve counts. */
  commit(before: number, after: number): void {
    const change = Math.max(0, after - streamReserveBytes) - Math.max(0, before - streamReserveBytes);
    if (change === 0) return;
    this.#used += change;
    this.#spare?.change(change);
  }

  /** The bytes that a stream holds change: those within its reserve were promised by the wire, and are counted once they are there. */
  hold(before: number, after: number): void {
    const change = Math.min(after, streamReserveBytes) - Math.min(before, streamReserveBytes);
    if (change !== 0) this.#unread?.change(change);
  }
}

/** What one stream may still receive, and what it received and was not consumed. Grants are the bytes of `window` frames. */
export class ReceiveWindow {
  readonly #pool: ReceivePool;
  readonly #limits: Limits;
  /** The size aimed at; what is really promised may be less when the pool is low. */
  #window = streamReserveBytes;
  #credit = streamReserveBytes;
  #held = 0;
  #proven = false;
  #open = true;
  #epochBytes = 0;
  #epochStartMs: number | undefined;

  constructor(pool: ReceivePool, limits: Limits) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /** Bytes received and not consumed. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Bytes that the peer may still send. */
  get creditBytes(): number {
    return this.#credit;
  }

  /**
   * The grant for a new stream: the whole initial window at once while the pool is more than half free.
   */
  grantInitially(): number {
    if (!this.#pool.isHalfFree) return 0;
    this.#aimAt(this.#limits.windowBytesInitial);
    return this.#grant(this.#window - this.#credit);
  }

  /** Takes bytes off the credit; the caller has checked that they fit. */
  received(bytes: number, nowMs: number): void {
    this.#credit -= bytes;
    this.#pool.hold(this.#held, this.#held + bytes);
    this.#held += bytes;
    this.#epochStartMs ??= nowMs;
  }

  /** Bytes were drained. Gives the credit to grant now, or 0 while less than half a window is owed. */
  consumed(bytes: number, nowMs: number, roundTripMs: number | undefined): number {
    const before = this.#committed;
    this.#pool.hold(this.#held, this.#held - bytes);
    this.#held -= bytes;
    this.#pool.commit(before, this.#committed);
    if (!this.#open) return 0;
    this.#tune(bytes, nowMs, roundTripMs);
    const missing = this.#window - this.#committed;
    if (missing * 2 < this.#window) return 0;
    const allowed = Math.max(0, streamReserveBytes - this.#committed) + Math.max(0, this.#pool.free);
    const grant = Math.min(missing, allowed);
    // A crumb from an empty pool is not worth a frame: the stream still has more than half of its reserve.
    return grant * 2 < streamReserveBytes ? 0 : this.#grant(grant);
  }

  /** The peer sends no more: what it has left of its credit goes back to the pool. */
  close(): void {
    const before = this.#committed;
    this.#credit = 0;
    this.#open = false;
    this.#pool.commit(before, this.#committed);
  }

  /** Nobody reads the held bytes any more. */
  release(): void {
    this.close();
    this.#pool.commit(this.#held, 0);
    this.#pool.hold(this.#held, 0);
    this.#held = 0;
  }

  get #committed(): number {
    return this.#credit + this.#held;
  }

  /** A quarter of what the pool would have without this stream: however many grow, the next in need finds something. */
  get #share(): number {
    return Math.floor((this.#pool.free + Math.max(0, this.#committed - streamReserveBytes)) / 4);
  }

  #grant(bytes: number): number {
    if (bytes <= 0) return 0;
    const before = this.#committed;
    this.#credit += bytes;
    this.#pool.commit(before, this.#committed);
    return bytes;
  }

  /** A window is what could be on its way during one round trip: it grows when it is used up faster than that. */
  #tune(bytes: number, nowMs: number, roundTripMs: number | undefined): void {
    this.#epochBytes += bytes;
    // Half a window drained proves a live reader; from here on it may have what a new stream gets in good times.
    if (!this.#proven && this.#epochBytes * 2 >= this.#window) {
      this.#proven = true;
      this.#aimAt(this.#limits.windowBytesInitial);
    }
    if (this.#epochBytes < this.#window) return;
    const elapsedMs = nowMs - (this.#epochStartMs ?? nowMs);
    this.#epochBytes = 0;
    this.#epochStartMs = nowMs;
    if (roundTripMs === undefined) return;
    const roundTrips = elapsedMs / Math.max(roundTripMs, roundTripMsMin);
    if (roundTrips < roundTripsToGrow) this.#aimAt(2 * this.#window);
    else if (roundTrips > roundTripsToShrink && this.#window > this.#share) {
      this.#window = Math.max(streamReserveBytes, Math.floor(this.#window / 2));
    }
  }

  /** Grows the window, up to its share of the pool. */
  #aimAt(bytes: number): void {
    const aim = Math.min(bytes, this.#limits.windowBytesMax, this.#share, uint31Max);
    this.#window = Math.max(this.#window, aim);
  }
}

/**
 * The window of the connection: bytes that are on the link. It is given back when they arrive, not when they are
 * consumed, so a stream whose reader stands still cannot stop the others.
 */
export class LinkWindow {
  readonly #target: number;
  #credit = linkCreditBytesInitial;

  constructor(limits: Limits) {
    this.#target = Math.min(limits.connectionWindowBytes, uint31Max);
  }

  /** Bytes that the peer may still send. */
  get creditBytes(): number {
    return this.#credit;
  }

  /** Takes bytes off the credit; the caller has checked that they fit. */
  received(bytes: number): void {
    this.#credit -= bytes;
  }

  /** The credit to grant now, or 0 while more than half of the window is left. */
  grant(): number {
    if (this.#credit * 2 > this.#target) return 0;
    const grant = this.#target - this.#credit;
    this.#credit = this.#target;
    return grant;
  }
}
