// Ranges of links, of several chains; each chain's come in their order.

const rangesMax = 10_000;

export class LinkRanges {
  readonly #byChain = new Map<number, { readonly first: number; readonly last: number }[]>();
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Whoever adds looks at them now, and begins anew. */
  get isFull(): boolean {
    return this.#count >= rangesMax;
  }

  /** @param last behind those that were added of the chain */
  add(number: number, first: number, last: number): void {
    const ranges = this.#byChain.get(number) ?? [];
    this.#byChain.set(number, ranges);
    let start = first;
    for (
      let before = ranges.at(-1);
      before !== undefined && before.last >= first - 1;
      before = ranges.at(-1)
    ) {
      start = Math.min(start, before.first);
      ranges.pop();
      this.#count -= 1;
    }
    ranges.push({ first: start, last });
    this.#count += 1;
  }

  has(number: number, link: number): boolean {
    const ranges = this.#byChain.get(number) ?? [];
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((ranges[middle]?.last ?? Infinity) < link) low = middle + 1;
      else high = middle;
    }
    return (ranges[low]?.first ?? Infinity) <= link;
  }
}
