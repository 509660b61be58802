// Counts the copies of some bytes in the memory of a process: all writable pages that are really there.

import { openSync, readFileSync, readSync } from 'node:fs';

const pageBytes = 4096;
const blockBytes = 1 << 20;

/** A scan of the memory of a process, by default of this one. Open it before hardening: afterwards nobody may but root. */
export class MemoryScan {
  readonly #folder: string;
  readonly #memory: number;
  readonly #pages: number;

  constructor(process: number | 'self' = 'self') {
    this.#folder = `/proc/${process}`;
    this.#memory = openSync(`${this.#folder}/mem`, 'r');
    this.#pages = openSync(`${this.#folder}/pagemap`, 'r');
  }

  /**
   * How often the bytes stand in memory, as they are or as UTF-16. `flipped` holds each byte inverted, so that what is
   * looked for is not itself a copy. Where there is one copy, the scan's own buffers may add to the count.
   */
  count(flipped: Uint8Array): number {
    let count = 0;
    const block = Buffer.alloc(blockBytes);
    const overlap = flipped.length * 2 - 1;
    for (const [start, end] of this.#presentRuns()) {
      // Blocks overlap, so that nothing hides on a border.
      for (let at = start; at < end; at += blockBytes - overlap) {
        const size = this.#read(block, at, Math.min(blockBytes, end - at));
        count +=
          occurrences(block.subarray(0, size), flipped, 1) + occurrences(block.subarray(0, size), flipped, 2);
      }
    }
    block.fill(0);
    return count;
  }

  #read(block: Buffer, at: number, length: number): number {
    try {
      return readSync(this.#memory, block, 0, length, at);
    } catch {
      // Gone meanwhile, or a page that cannot be read.
      return 0;
    }
  }

  /** Address ranges of pages that are in memory. Bun maps gigabytes that it never touches. */
  *#presentRuns(): Generator<readonly [start: number, end: number]> {
    for (const line of readFileSync(`${this.#folder}/maps`, 'latin1').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (match === null) continue;
      const first = Number.parseInt(match[1] ?? '', 16) / pageBytes;
      const last = Number.parseInt(match[2] ?? '', 16) / pageBytes;
      const entries = Buffer.alloc((last - first) * 8);
      const size = readSync(this.#pages, entries, 0, entries.length, first * 8);
      let start: number | undefined;
      for (let page = 0; page * 8 < size; page++) {
        // Bits 63 and 62 of an entry: present, swapped (`man 5 proc_pid_pagemap`).
        const isThere = ((entries[page * 8 + 7] ?? 0) & 0xc0) !== 0;
        if (isThere) start ??= page;
        else if (start !== undefined) {
          yield [(first + start) * pageBytes, (first + page) * pageBytes];
          start = undefined;
        }
      }
      if (start !== undefined) yield [(first + start) * pageBytes, last * pageBytes];
    }
  }
}

function occurrences(haystack: Buffer, flipped: Uint8Array, step: number): number {
  let count = 0;
  const first = (flipped[0] ?? 0) ^ 0xff;
  const span = (flipped.length - 1) * step + 1;
  for (
    let i = haystack.indexOf(first);
    i !== -1 && i + span <= haystack.length;
    i = haystack.indexOf(first, i + 1)
  ) {
    let j = 1;
    while (j < flipped.length && haystack[i + j * step] === ((flipped[j] ?? 0) ^ 0xff)) j += 1;
    if (j === flipped.length) count += 1;
  }
  return count;
}
