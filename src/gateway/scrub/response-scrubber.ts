// Replaces injected secrets in a body by a marker of the same length, streaming. How much of it leaves when depends on lengths and on
// borders that the body itself sets, never on what is searched for: lengths of pieces are seen by the workload.

import { Buffer } from 'node:buffer';
import { noBorders, type Borders } from './borders.ts';
import type { SearchTable } from './search-table.ts';
import { SecretSearch, type Marked } from './secret-search.ts';

/** What is held back is a multiple of this, so that it tells the length of a secret no better. */
const windowStepBytes = 64;

/** What a body is searched for; renewed values come in while it runs. */
export interface SearchedValues {
  readonly tables: readonly SearchTable[];
}

/** The constant that is held back: less could be let go before the last octet of the longest form is seen. */
export function windowBytes(tables: readonly SearchTable[]): number {
  const longest = Math.max(windowStepBytes, ...tables.map(({ formBytesMax }) => formBytesMax - 1));
  return Math.ceil(longest / windowStepBytes) * windowStepBytes;
}

export class ResponseScrubber {
  readonly #searched: SearchedValues;
  readonly #borders: Borders;
  /** What does not come as the origin sent it leaves in pieces of this. */
  readonly #pieceBytes: number;
  #tables: readonly SearchTable[] = [];
  #searches: readonly SecretSearch[] = [];
  #windowBytes = windowStepBytes;
  #held: Buffer = Buffer.alloc(0);
  /** Where in `#held` the octets end that were marked last. */
  #markedEnd = 0;
  /** How many occurrences were replaced. */
  replaced = 0;

  constructor(
    searched: SearchedValues,
    {
      borders = noBorders,
      pieceBytes = 1,
    }: { readonly borders?: Borders; readonly pieceBytes?: number } = {},
  ) {
    this.#searched = searched;
    this.#borders = borders;
    this.#pieceBytes = pieceBytes;
  }

  /** How many bytes wait for what follows them. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** The bytes that may go on now. @throws ProxyError origin_malformed for what cannot be searched */
  push(chunk: Uint8Array): Buffer {
    this.#takeTables();
    const from = this.#held.length;
    // The chunk belongs to the engine, and all searches read it as it came: replace in a copy.
    const text = Buffer.concat([this.#held, chunk]);
    this.#note(
      this.#searches.flatMap((search) => search.run(chunk, text, from)),
      from,
    );
    const border = this.#borders.last(text, from);
    const spare = Math.max(0, text.length - border - this.#windowBytes);
    return this.#let(text, border + spare - (spare % this.#pieceBytes));
  }

  /** The end of what is searched as one: all that was held, and the next octet begins anew. */
  end(): Buffer {
    this.#searches = this.#tables.map((table) => new SecretSearch(table));
    return this.letGo();
  }

  /** All that is held, before it is known what follows. */
  letGo(): Buffer {
    return this.#let(this.#held, this.#held.length);
  }

  #let(text: Buffer, length: number): Buffer {
    // A copy, so that the few octets that wait do not keep the whole.
    this.#held = Buffer.from(text.subarray(length));
    this.#markedEnd = Math.max(0, this.#markedEnd - length);
    return text.subarray(0, length);
  }

  #note(marked: readonly Marked[], from: number): void {
    if (marked.length === 0) return;
    for (const { start, end } of marked.toSorted((one, other) => one.end - other.end)) {
      this.#borders.marked?.({ start, end }, from);
      // Forms begin alike and lie in each other: what overlaps is one occurrence.
      if (start >= this.#markedEnd) this.replaced += 1;
      this.#markedEnd = Math.max(this.#markedEnd, end);
    }
  }

  /** A new value is searched for in what is held, too. */
  #takeTables(): void {
    const { tables } = this.#searched;
    if (tables === this.#tables) return;
    this.#searches = tables.map((table) => {
      const running = this.#searches.find((search) => search.table === table);
      if (running !== undefined) return running;
      const search = new SecretSearch(table);
      this.#note(search.run(Buffer.from(this.#held), this.#held, 0), this.#held.length);
      return search;
    });
    this.#tables = tables;
    this.#windowBytes = windowBytes(tables);
  }
}
