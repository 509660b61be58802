// What a verification found: the first of them in full, of the rest how many there are.

const findingsMax = 1000;

export interface Finding {
  /**
   * `removed`: links are missing in the middle, `cut_tail`: at the end. `changed`: an event or its link is not what was stored. `reordered`: it
   * stands elsewhere. `inserted`: it is in no chain, or where another one is. `forged`: a signature is none.
   */
  readonly kind: 'removed' | 'cut_tail' | 'changed' | 'reordered' | 'inserted' | 'forged';
  readonly chain?: number;
  readonly link?: number;
  /** The place in the store. */
  readonly sequence?: number;
  readonly id?: string;
  readonly message: string;
}

export class Findings {
  readonly #first: Finding[] = [];
  #total = 0;

  get first(): readonly Finding[] {
    return this.#first;
  }

  get total(): number {
    return this.#total;
  }

  add(finding: Finding): void {
    this.#total += 1;
    if (this.#first.length < findingsMax) this.#first.push(finding);
  }
}
