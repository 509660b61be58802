// What is known of a session at the server: whether it has said all that it owes, and how it reads statements. A setting may have changed
// with all that runs and was not yet told of, for a function within a SELECT can change it.

import { isUtf8 } from './sql/statement-facts.ts';

export class SessionState {
  /** Messages that the server ends with ReadyForQuery, and how many of these came. */
  #asked = 0;
  #ready = 0;
  #lastAsked: 'query' | 'sync' = 'query';
  #runsSinceSync = false;
  #isLost = false;
  #isOver = false;
  #isStandard = false;
  #isUtf8 = false;
  #wake: (() => void) | undefined;

  setting(name: string, value: string): void {
    if (name === 'standard_conforming_strings') this.#isStandard = value === 'on';
    else if (name === 'client_encoding') this.#isUtf8 = isUtf8(value);
  }

  /** A setting came that was not looked at. */
  unread(): void {
    this.#isStandard = false;
    this.#isUtf8 = false;
  }

  /** Something is sent that runs with what was parsed before. */
  runs(): void {
    this.#runsSinceSync = true;
  }

  asks(what: 'query' | 'sync'): void {
    this.#asked += 1;
    this.#lastAsked = what;
    this.#runsSinceSync = false;
  }

  ready(): void {
    this.#ready += 1;
    if (this.#ready === this.#asked) this.#wake?.();
  }

  /** A server that takes data of COPY ignores Sync, so that what it owes is not known unless a plain query began it. */
  copiesIn(): void {
    if (this.#asked - this.#ready === 1 && this.#lastAsked === 'query' && !this.#runsSinceSync) return;
    this.#isLost = true;
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  /**
   * Whether the server reads strings and characters as the parser does, as soon as that is known. `unknown`: it will not be, since
   * something that runs goes before in the same batch.
   */
  async reading(): Promise<'as-parsed' | 'other' | 'unknown'> {
    while (this.#asked !== this.#ready || this.#runsSinceSync) {
      if (this.#runsSinceSync || this.#isLost || this.#isOver) return 'unknown';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return this.#isStandard && this.#isUtf8 ? 'as-parsed' : 'other';
  }
}
