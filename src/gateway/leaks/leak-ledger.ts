// How often a session tried to send what may not leave: guessing at a value has a price.

import { defaultLimits, type Limits } from '../../protocol/limits.ts';

export interface LeakLedgerOptions {
  readonly limits?: Pick<Limits, 'leakMatchesMax'>;
  /** The session has had all that it may; told once. */
  readonly onExceeded: (sessionId: string, matches: number) => void;
}

export class LeakLedger {
  readonly #max: number;
  readonly #onExceeded: LeakLedgerOptions['onExceeded'];
  readonly #bySession = new Map<string, number>();

  constructor({ limits = defaultLimits, onExceeded }: LeakLedgerOptions) {
    this.#max = limits.leakMatchesMax;
    this.#onExceeded = onExceeded;
  }

  count(sessionId: string): void {
    const matches = (this.#bySession.get(sessionId) ?? 0) + 1;
    this.#bySession.set(sessionId, matches);
    if (matches === this.#max) this.#onExceeded(sessionId, matches);
  }

  /** Whether it may send nothing more that is searched, even before it has ended. */
  isExceeded(sessionId: string): boolean {
    return (this.#bySession.get(sessionId) ?? 0) >= this.#max;
  }

  forget(sessionId: string): void {
    this.#bySession.delete(sessionId);
  }
}
