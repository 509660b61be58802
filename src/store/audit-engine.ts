// What an engine does for a search of the audit in its own way, and how one is asked that keeps events in parts (days): a few at a time, those
// first that are wanted first.

import { type Part, type Range, type Value } from './audit-statement.ts';
import type { StoredRow } from './stored-row.ts';

/** Parts that one statement asks: in PostgreSQL each costs a dozen locks, of which a server has some thousand. */
export const partsAtOnce = 64;

export interface SearchEngine {
  readonly all: (sql: string, values: readonly Value[]) => Promise<readonly StoredRow[]>;
  /** How a statement names its value of that number, from 1. */
  readonly place: (number: number) => string;
  /** That the sequence is one of a list, which is the value. */
  readonly listed: string;
  /** The statement of the newest places of each of some hosts: values are the hosts, a place above and one below all, and how many of each. */
  readonly newestOfHosts: string;
  /** What events of traces with that beginning are, and the order of the index that has them. */
  readonly tracesOf: (beginning: string) => { readonly where: Part; readonly order: string };
  /** Absent where all events are in one table. */
  readonly parts?: AuditParts;
}

/** Parts in which an engine keeps events, in the order of storing. */
export interface AuditParts {
  /** Their first places, the newest first; none before there are some. */
  readonly firsts: () => Promise<readonly number[]>;
  /** By what a statement leaves out parts, beside what an index is asked: written so that it leads to no index. */
  readonly within: (range: Range) => readonly Part[];
}

/**
 * The range in steps, where an engine keeps it in parts: one part, then 2, 4, 8 and so on at a time. What is common is found in the first; a statement
 * over all of them asks each one's index, and locks it.
 */
export async function* partsOf(
  engine: SearchEngine,
  { below, above }: Range,
  order: 'oldest' | 'newest',
): AsyncGenerator<Range> {
  const parts = (await engine.parts?.firsts()) ?? [];
  // Where one part ends and the next begins.
  const borders = parts.filter((first) => first > above + 1 && first < below).toSorted((a, b) => a - b);
  for (let count = 1; borders.length > 0; count = Math.min(2 * count, partsAtOnce)) {
    if (order === 'newest') {
      const [first = above] = borders.splice(-count);
      yield { below, above: first - 1 };
      below = first;
    } else {
      const end = borders.splice(0, count).at(-1) ?? below;
      yield { below: end, above };
      above = end - 1;
    }
  }
  yield { below, above };
}

/** Nothing for an engine without parts. */
export function bounds({ parts }: SearchEngine, range: Range): readonly Part[] {
  return parts?.within(range) ?? [];
}

export function ask(engine: SearchEngine, parts: readonly Part[]): Promise<readonly StoredRow[]> {
  let number = 0;
  const sql = parts
    .map(({ text }) => text)
    .join(' ')
    .replaceAll('?', () => {
      number += 1;
      return engine.place(number);
    });
  return engine.all(
    sql,
    parts.flatMap(({ values }) => values),
  );
}
