// What cuts say of links that are missing. The last one is kept: many gaps of a stretch are in one cut, which may be long.

import type { KeyObject } from 'node:crypto';
import type { ChainReader } from './audit-chain.ts';
import { verifiedCut } from './chain-cuts.ts';
import type { Findings } from './chain-findings.ts';
import type { ChainCut, CutRun } from './chain-statements.ts';

/** The run that has a link; without one, where the next one may begin. */
export interface RemovedAt {
  readonly run?: CutRun;
  readonly next: number;
}

export class ReadCuts {
  readonly #reader: Pick<ChainReader, 'cut'>;
  readonly #findings: Findings;
  readonly #keyOf: (number: number) => KeyObject | undefined;
  #last: ChainCut | undefined;

  constructor(
    reader: Pick<ChainReader, 'cut'>,
    findings: Findings,
    keyOf: (number: number) => KeyObject | undefined,
  ) {
    this.#reader = reader;
    this.#findings = findings;
    this.#keyOf = keyOf;
  }

  async at(number: number, link: number): Promise<RemovedAt> {
    // What a cut says stays true; what it doesn't say, one that replaced it may say by now.
    const known = this.#last?.number === number ? runFrom(this.#last, link) : undefined;
    if (known !== undefined && known.first <= link) return { run: known, next: known.last + 1 };
    const row = await this.#reader.cut(number, link);
    if (row === undefined) return { next: Infinity };
    const cut = verifiedCut(row, this.#keyOf);
    if (cut === undefined) {
      const message = `What is said of links that were removed from chain ${number}, from ${row.first} on, was not signed by a chain that is known.`;
      this.#findings.add({ kind: 'forged', chain: number, link: row.first, message });
      return { next: row.last < link ? Infinity : row.last + 1 };
    }
    this.#last = cut;
    const run = runFrom(cut, link);
    if (run === undefined) return { next: cut.last < link ? Infinity : cut.last + 1 };
    return run.first <= link ? { run, next: run.last + 1 } : { next: run.first };
  }
}

/** They are in their order, and do not overlap. */
function runFrom({ runs }: ChainCut, link: number): CutRun | undefined {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((runs[middle]?.last ?? Infinity) < link) low = middle + 1;
    else high = middle;
  }
  return runs[low];
}
