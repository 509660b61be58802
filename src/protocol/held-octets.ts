// One budget for what is held of one session, and of all: bodies, windows that were promised, queues.

import { ProxyError } from './error.ts';
import { defaultLimits, type LimitName, type Limits } from './limits.ts';

/** The limits that a budget stands for. */
export interface HeldOctetsBounds {
  readonly perSession: LimitName;
  readonly all: LimitName;
}

export interface Reservation {
  readonly octets: number;
  /** Gives the room back; twice is harmless. */
  release(): void;
}

/** What is promised to one session beyond what it needs, and only where there is room to spare. */
export interface SpareOctets {
  /** What may be promised at all. */
  readonly max: number;
  /** What may be promised now. */
  readonly free: number;
  /** More is promised, or by a negative number less. */
  change(octets: number): void;
}

/** What comes without having been asked for: it is counted as it comes, and whoever brings too much is told. */
export interface CountedOctets {
  /** More is held, or by a negative number less. */
  change(octets: number): void;
  /** The limit that is exceeded. */
  readonly exceeded: LimitName | undefined;
}

/** Of what came and nobody takes. Beside the budget of all that is promised: a full one must not end what does no harm. */
export const unreadBounds: HeldOctetsBounds = {
  perSession: 'unreadOctetsPerSessionMax',
  all: 'unreadOctetsMax',
};

const everything: HeldOctetsBounds = { perSession: 'heldOctetsPerSessionMax', all: 'heldOctetsMax' };

/**
 * Counts octets, never holds them. No session gets more than is left for the others, however large the bound of a session is: of
 * many that take all they can, each has the same, and as much stays free for the next.
 */
export class HeldOctets {
  /** What the limits say: to look them up by name costs each frame more than to compare. */
  readonly #max: { readonly perSession: number; readonly all: number };
  readonly #bounds: HeldOctetsBounds;
  readonly #within: HeldOctets | undefined;
  readonly #bySession = new Map<string, number>();
  #all = 0;

  /** @param within a wider budget, from which all that this one gives is taken too */
  constructor(limits: Limits = defaultLimits, bounds: HeldOctetsBounds = everything, within?: HeldOctets) {
    this.#max = { perSession: limits[bounds.perSession], all: limits[bounds.all] };
    this.#bounds = bounds;
    this.#within = within;
  }

  /** Octets that are held, over all sessions. */
  get all(): number {
    return this.#all;
  }

  ofSession(sessionId: string): number {
    return this.#bySession.get(sessionId) ?? 0;
  }

  /** Room for so many octets. @throws ProxyError limit_exceeded, with the limit that leaves none */
  reserve(sessionId: string, octets: number): Reservation {
    const limit = this.lacking(sessionId, octets);
    if (limit !== undefined) throw tooMuch(limit);
    const outer = this.#within?.reserve(sessionId, octets);
    this.change(sessionId, octets);
    let isHeld = true;
    return {
      octets,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.change(sessionId, -octets);
        outer?.release();
      },
    };
  }

  /** As `reserve`, where less will do: half of the room stays for what cannot do with less. Undefined if there is none to spare. */
  reserveSpare(sessionId: string, octets: number): Reservation | undefined {
    return octets <= this.spareOf(sessionId) ? this.reserve(sessionId, octets) : undefined;
  }

  /** What a session may be promised beyond its need: at most half of what it may have at all. */
  spare(sessionId: string): SpareOctets {
    return new SpareOf(this, sessionId, this.#max.perSession / 2);
  }

  /** For what one session is sent whatever is held already. */
  counted(sessionId: string): CountedOctets {
    return new CountedOf(this, sessionId);
  }

  /** What a session may be promised now beyond its need. */
  spareOf(sessionId: string): number {
    const { perSession, all } = this.#max;
    const own = this.ofSession(sessionId);
    return Math.max(0, Math.min(perSession / 2 - own, all / 2 - this.#all, all - this.#all - own));
  }

  /** The limit that leaves no room for so many octets more. */
  lacking(sessionId: string, octets: number): LimitName | undefined {
    const { perSession, all } = this.#max;
    const own = this.ofSession(sessionId) + octets;
    if (own > perSession) return this.#bounds.perSession;
    return own > all - this.#all ? this.#bounds.all : undefined;
  }

  /** So many octets more are held of a session, or by a negative number less, whatever the bounds are. */
  change(sessionId: string, octets: number): void {
    this.#all += octets;
    const own = this.ofSession(sessionId) + octets;
    if (own > 0) this.#bySession.set(sessionId, own);
    else this.#bySession.delete(sessionId);
  }
}

/** Classes: an object with a getter of its own costs each connection more, and each look at it. */
class SpareOf implements SpareOctets {
  readonly max: number;
  readonly #held: HeldOctets;
  readonly #sessionId: string;

  constructor(held: HeldOctets, sessionId: string, max: number) {
    this.max = max;
    this.#held = held;
    this.#sessionId = sessionId;
  }

  get free(): number {
    return this.#held.spareOf(this.#sessionId);
  }

  change(octets: number): void {
    this.#held.change(this.#sessionId, octets);
  }
}

class CountedOf implements CountedOctets {
  readonly #held: HeldOctets;
  readonly #sessionId: string;

  constructor(held: HeldOctets, sessionId: string) {
    this.#held = held;
    this.#sessionId = sessionId;
  }

  get exceeded(): LimitName | undefined {
    return this.#held.lacking(this.#sessionId, 0);
  }

  change(octets: number): void {
    this.#held.change(this.#sessionId, octets);
  }
}

function tooMuch(limit: LimitName): ProxyError {
  const message = `there is no room for what would have to be held (${limit}); end other requests and try again`;
  return new ProxyError('limit_exceeded', message, { limit, retryAfterSeconds: 1 });
}
