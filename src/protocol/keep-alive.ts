// When to ping, when the peer counts as gone, and how long a round trip takes.

import type { LimitName, Limits } from './limits.ts';

/** How often it is pinged, and how long nothing may come. */
export interface KeepAliveTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Which limit `timeoutMs` is. */
  readonly limit: LimitName;
}

/** `isWatched`: of the end that makes another connection, where that ends no stream. */
export function keepAliveTimes(limits: Limits, isWatched: boolean): KeepAliveTimes {
  const { pingIntervalMs, pingTimeoutMs, resumablePingIntervalMs, resumablePingTimeoutMs } = limits;
  return isWatched
    ? {
        intervalMs: resumablePingIntervalMs,
        timeoutMs: resumablePingTimeoutMs,
        limit: 'resumablePingTimeoutMs',
      }
    : { intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs, limit: 'pingTimeoutMs' };
}

/** Pings that may be without a response at a time; older ones are forgotten. */
const pingsMax = 8;

/** Clockless: every method is told the time. */
export class KeepAlive {
  readonly #times: KeepAliveTimes;
  /** The agent pings on its own; the gateway relies on that. */
  readonly #pings: boolean;
  readonly #sentMs = new Map<number, number>();
  #nonce = 0;
  #lastInputMs: number;
  #lastPingMs: number;
  #roundTripMs: number | undefined;

  constructor(options: { readonly times: KeepAliveTimes; readonly pings: boolean; readonly nowMs: number }) {
    this.#times = options.times;
    this.#pings = options.pings;
    this.#lastInputMs = options.nowMs;
    this.#lastPingMs = options.nowMs;
  }

  /** Smoothed; undefined before the first response. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  get deadlineMs(): number {
    const lostMs = this.#lastInputMs + this.#times.timeoutMs;
    return this.#pings ? Math.min(lostMs, this.#lastPingMs + this.#times.intervalMs) : lostMs;
  }

  input(nowMs: number): void {
    this.#lastInputMs = nowMs;
  }

  /** Data flows, so the round trip matters: true if it is unknown or old and nobody asks already. */
  wantsMeasure(nowMs: number): boolean {
    if (this.#roundTripMs === undefined) return this.#sentMs.size === 0;
    return nowMs - this.#lastPingMs >= this.#times.intervalMs;
  }

  /** Registers a ping and gives its nonce. */
  ping(nowMs: number): number {
    this.#lastPingMs = nowMs;
    this.#nonce = (this.#nonce + 1) >>> 0;
    this.#sentMs.set(this.#nonce, nowMs);
    for (const oldest of this.#sentMs.keys()) {
      if (this.#sentMs.size <= pingsMax) break;
      this.#sentMs.delete(oldest);
    }
    return this.#nonce;
  }

  /** The round trip of a ping that came back; undefined for a nonce that nobody waits for. */
  pong(nonce: number, nowMs: number): number | undefined {
    const sentMs = this.#sentMs.get(nonce);
    if (sentMs === undefined) return undefined;
    this.#sentMs.delete(nonce);
    const roundTripMs = Math.max(0, nowMs - sentMs);
    this.#roundTripMs =
      this.#roundTripMs === undefined ? roundTripMs : (3 * this.#roundTripMs + roundTripMs) / 4;
    return roundTripMs;
  }

  /** What is due at this time. */
  due(nowMs: number): 'nothing' | 'ping' | 'lost' {
    // Woken a whole interval late: this process stood still, and the peer's bytes may be waiting unread.
    if (nowMs - this.deadlineMs > this.#times.intervalMs) {
      const sinceMs = Math.max(0, this.#times.timeoutMs - this.#times.intervalMs);
      this.#lastInputMs = Math.max(this.#lastInputMs, nowMs - sinceMs);
    }
    if (nowMs - this.#lastInputMs >= this.#times.timeoutMs) return 'lost';
    return this.#pings && nowMs - this.#lastPingMs >= this.#times.intervalMs ? 'ping' : 'nothing';
  }
}
