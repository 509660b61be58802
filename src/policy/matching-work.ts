// What one decision may cost. A workload picks the path, the fields and the refs that rules are matched against, and an
// operator how many rules there are: their product is work that every other session of the gateway waits for.

/** Counts steps; one is about what a byte of a path costs in an automaton. Work that does not depend on the request is free. */
export class MatchingWork {
  #left: number;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
    this.#left = max;
  }

  /** Nothing that was matched since then counts: the matchers stop where they are. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  get steps(): number {
    return this.#max - this.#left;
  }

  /** Gives whether there is something left. */
  spend(steps: number): boolean {
    this.#left -= steps;
    return this.#left >= 0;
  }
}

/** For those who ask for themselves. */
export const unmeasured = new MatchingWork(Infinity);
