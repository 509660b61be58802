// What goes of chains at once, as runs: of a day of events these are a few thousand, which can be said in one short transaction.

import { defaultLimits } from '../../protocol/limits.ts';
import {
  type RemovedLink,
  type RemovedRun,
  removedRunOf,
  stretchLinks,
  stretchStart,
  type Touched,
} from './chain-cuts.ts';
import type { LinkHasher } from './link-hash.ts';

/** What else is known of a stretch of a chain: links at which somebody says a hash, and those of which a cut says that they are gone already. */
export interface ChainBorders {
  readonly links: ReadonlySet<number>;
  /** In their order. */
  readonly gone: readonly LinkRange[];
}

/** Stretches that are known at a time: chains of many gateways take turns. */
const stretchesMax = 256;

interface LinkRange {
  readonly first: number;
  readonly last: number;
}

export class GatheredRuns {
  readonly #hasher: LinkHasher;
  readonly #bordersOf: (stretch: Touched) => Promise<ChainBorders>;
  readonly #borders = new Map<string, ChainBorders>();
  readonly #last = new Map<number, { run: RemovedRun; isClosed: boolean }>();
  readonly #runs: RemovedRun[] = [];
  #left = 0;

  /** @param bordersOf is asked for each stretch of a chain, before anything of it goes */
  constructor(hasher: LinkHasher, bordersOf: (stretch: Touched) => Promise<ChainBorders>) {
    this.#hasher = hasher;
    this.#bordersOf = bordersOf;
  }

  /** How many links are in no run, for there were too many runs. */
  get left(): number {
    return this.#left;
  }

  /** In the order of storing. */
  async add(link: RemovedLink): Promise<void> {
    const run = removedRunOf(link, this.#hasher);
    if (run === undefined) return;
    if (this.#runs.length + this.#last.size >= defaultLimits.auditDayRunsMax) {
      this.#left += 1;
      return;
    }
    const { number, first } = run;
    const borders = await this.#of(number, stretchStart(first));
    const isAlone = isWithin(borders.gone, first);
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

  async #of(number: number, first: number): Promise<ChainBorders> {
    const key = `${number} ${first}`;
    let borders = this.#borders.get(key);
    if (borders === undefined) {
      borders = await this.#bordersOf({ number, first, last: first + stretchLinks - 1 });
      for (const oldest of this.#borders.keys()) {
        if (this.#borders.size < stretchesMax) break;
        this.#borders.delete(oldest);
      }
      this.#borders.set(key, borders);
    }
    return borders;
  }
}

/** Of each link of a day it is asked, and half of a stretch may be gone. */
function isWithin(ranges: readonly LinkRange[], link: number): boolean {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.first ?? Infinity) <= link) low = middle + 1;
    else high = middle;
  }
  return (ranges[low - 1]?.last ?? -Infinity) >= link;
}
