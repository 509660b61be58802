// What goes of chains at once, as runs: of a day of events these are a few thousand, which can be said in one short transaction.

import { defaultLimits } from '../../protocol/limits.ts';
import { type RemovedLink, type RemovedRun, removedRunOf, stretchStart } from './chain-cuts.ts';
import type { LinkHasher } from './link-hash.ts';

/** What else is known of one chain: links at which somebody says a hash, and cuts, in which some are gone already. */
export interface ChainBorders {
  readonly links: ReadonlySet<number>;
  /** In their order. */
  readonly cuts: readonly LinkRange[];
}

interface LinkRange {
  readonly first: number;
  readonly last: number;
}

export class GatheredRuns {
  readonly #hasher: LinkHasher;
  readonly #bordersOf: (number: number) => Promise<ChainBorders>;
  readonly #borders = new Map<number, ChainBorders>();
  readonly #last = new Map<number, { run: RemovedRun; isClosed: boolean }>();
  readonly #runs: RemovedRun[] = [];

  /** @param bordersOf is asked once for each chain, before anything of it goes */
  constructor(hasher: LinkHasher, bordersOf: (number: number) => Promise<ChainBorders>) {
    this.#hasher = hasher;
    this.#bordersOf = bordersOf;
  }

  /** In the order of storing. */
  async add(link: RemovedLink): Promise<void> {
    const run = removedRunOf(link, this.#hasher);
    if (run === undefined || this.#runs.length + this.#last.size >= defaultLimits.auditDayRunsMax) return;
    const { number, first } = run;
    const borders = await this.#of(number);
    const isAlone = isWithin(borders.cuts, first);
    const isClosed = isAlone || borders.links.has(first);
    const before = this.#last.get(number);
    const goesOn =
      before !== undefined &&
      !before.isClosed &&
      !isAlone &&
      before.run.last + 1 === first &&
      before.run.hash === run.before &&
      stretchStart(before.run.first) === stretchStart(first);
    if (goesOn) {
      before.run = { ...before.run, last: run.last, hash: run.hash };
      before.isClosed = isClosed;
      return;
    }
    if (before !== undefined) this.#runs.push(before.run);
    this.#last.set(number, { run, isClosed });
  }

  /** All of them. */
  take(): readonly RemovedRun[] {
    const runs = [...this.#runs, ...[...this.#last.values()].map(({ run }) => run)];
    this.#runs.length = 0;
    this.#last.clear();
    return runs;
  }

  async #of(number: number): Promise<ChainBorders> {
    let borders = this.#borders.get(number);
    if (borders === undefined) this.#borders.set(number, (borders = await this.#bordersOf(number)));
    return borders;
  }
}

/** Of each link of a day it is asked, and there may be thousands of cuts. */
function isWithin(ranges: readonly LinkRange[], link: number): boolean {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.first ?? Infinity) <= link) low = middle + 1;
    else high = middle;
  }
  return (ranges[low - 1]?.last ?? -Infinity) >= link;
}
