// What a connection makes the gateway keep outside of its exchanges: what its client sent ahead, and what it does not take of responses
// whose exchanges are over. It is counted as what came and nobody takes.

import { ProxyError } from '../../protocol/error.ts';
import type { CountedOctets, HeldOctets } from '../../protocol/held-octets.ts';

export class ConnectionOctets {
  readonly #counted: CountedOctets;
  #ahead = 0;
  #untaken = 0;

  constructor(unread: HeldOctets, sessionId: string) {
    this.#counted = unread.counted(sessionId);
  }

  /** So much of what came is held, all together. Gives the limit that is exceeded by more. */
  ahead(octets: number): ProxyError | undefined {
    const more = octets - this.#ahead;
    this.#ahead = octets;
    return this.#change(more);
  }

  /** So much of what was sent waits, all together. Gives the limit that is exceeded by more. */
  untaken(octets: number): ProxyError | undefined {
    const more = octets - this.#untaken;
    this.#untaken = octets;
    return this.#change(more);
  }

  /** One of many that wait, until what it gives is called. */
  addUntaken(octets: number): { readonly fault: ProxyError | undefined; readonly end: () => void } {
    const fault = this.untaken(this.#untaken + octets);
    return { fault, end: () => void this.untaken(this.#untaken - octets) };
  }

  #change(more: number): ProxyError | undefined {
    if (more === 0) return undefined;
    this.#counted.change(more);
    const limit = more > 0 ? this.#counted.exceeded : undefined;
    if (limit === undefined) return undefined;
    const message = `too much of the session waits that nobody takes (${limit}); take responses as they come`;
    return new ProxyError('limit_exceeded', message, { limit });
  }
}
