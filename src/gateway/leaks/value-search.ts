// Searches a text that comes in pieces for the values of a table: as many steps for each octet, whatever it is.

import { type LeakOwner, type LeakTable, type OwnedAutomaton } from './leak-table.ts';

/** Where a value ended. */
export interface FoundValue {
  readonly owners: readonly LeakOwner[];
  /** Behind its last octet, in the piece. */
  readonly end: number;
  /** Octets of it, without what stands between them. */
  readonly length: number;
  readonly isLoose: boolean;
}

export class ValueSearch {
  readonly table: LeakTable;
  #looseRow = 0;
  #exactRow = 0;

  constructor(table: LeakTable) {
    this.table = table;
  }

  /** By where each ends. */
  run(piece: Uint8Array): readonly FoundValue[] {
    const { loose, exact } = this.table;
    const found: FoundValue[] = [];
    this.#looseRow = searchLoose(loose, this.#looseRow, piece, found);
    // Most values have letters and digits enough.
    if (exact.owners.length === 0) return found;
    this.#exactRow = searchExact(exact, this.#exactRow, piece, found);
    return found.sort((one, other) => one.end - other.end);
  }
}

// Typed arrays, asked for what they have: octets are below 256, and rows and classes come out of the tables themselves.

function searchLoose(owned: OwnedAutomaton, from: number, piece: Uint8Array, found: FoundValue[]): number {
  const { next, finalRow } = owned.automaton;
  const { classes } = owned;
  let row = from;
  for (let at = 0; at < piece.length; at += 1) {
    const before = row;
    row = next[row + (classes[piece[at] as number] as number)] as number;
    // What is passed over leaves the state as it was: the form was told already.
    if (row >= finalRow && row !== before) found.push(foundIn(owned, row, at + 1, true));
  }
  return row;
}

function searchExact(owned: OwnedAutomaton, from: number, piece: Uint8Array, found: FoundValue[]): number {
  const { next, finalRow } = owned.automaton;
  const { classes } = owned;
  let row = from;
  for (let at = 0; at < piece.length; at += 1) {
    row = next[row + (classes[piece[at] as number] as number)] as number;
    if (row >= finalRow) found.push(foundIn(owned, row, at + 1, false));
  }
  return row;
}

function foundIn(
  { automaton, owners }: OwnedAutomaton,
  row: number,
  end: number,
  isLoose: boolean,
): FoundValue {
  const state = row / automaton.width;
  return {
    owners: owners[(automaton.forms[state] ?? 1) - 1] ?? [],
    end,
    length: automaton.lengths[state] ?? 0,
    isLoose,
  };
}
