// The marks that a search by time goes by, against the events: no event up to the place of a mark is of a later time than it says. They are
// in no chain, so who lowers one would hide events from a search, and from nothing else.

import type { ChainedRow, ChainReader, TimeMark } from './audit-chain.ts';
import type { Findings } from './chain-findings.ts';

const pageMarks = 1000;

export class TimeMarks {
  readonly #reader: Pick<ChainReader, 'marks' | 'laterThan'>;
  readonly #findings: Findings;
  /** Of the events that were passed. */
  #latestMs = -Infinity;
  /** One is told: where one is false, the next ones may be too. */
  #isTold = false;

  constructor(reader: Pick<ChainReader, 'marks' | 'laterThan'>, findings: Findings) {
    this.#reader = reader;
    this.#findings = findings;
  }

  /** Events behind that place, in their order; `through` is the last place that they are of. */
  async pass(behind: number, rows: readonly ChainedRow[], through: number): Promise<void> {
    let at = 0;
    for await (const mark of this.#between(behind, through)) {
      for (let row = rows[at]; row !== undefined && row.sequence <= mark.sequence; row = rows[at]) {
        this.#take(row);
        at += 1;
      }
      if (mark.highMs < this.#latestMs) await this.#suspect(mark);
    }
    for (const row of rows.slice(at)) this.#take(row);
  }

  #take({ facts: { timeMs } }: ChainedRow): void {
    if (timeMs > this.#latestMs) this.#latestMs = timeMs;
  }

  async *#between(behind: number, through: number): AsyncGenerator<TimeMark> {
    for (let place = behind; !this.#isTold;) {
      const marks = await this.#reader.marks(place, pageMarks);
      for (const mark of marks) {
        if (mark.sequence > through || this.#isTold) return;
        yield mark;
      }
      const last = marks.at(-1)?.sequence ?? place;
      if (marks.length < pageMarks || last <= place) return;
      place = last;
    }
  }

  /** The event of the later time may be gone since, and the mark be made behind that. */
  async #suspect(mark: TimeMark): Promise<void> {
    const sequence = await this.#reader.laterThan(mark);
    if (sequence === undefined) {
      this.#latestMs = mark.highMs;
      return;
    }
    this.#isTold = true;
    const message = `A search by time would leave out the event at ${sequence}: the mark at ${mark.sequence} says that none up to there is of so late a time.`;
    this.#findings.add({ kind: 'changed', sequence, message });
  }
}
