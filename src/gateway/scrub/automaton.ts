// The automaton of Aho and Corasick as a table: a row for each state and a column for each class of octets, so that every octet
// costs the same steps whatever it is and whatever came before.

export interface Automaton {
  /** Where the row of the next state begins, by the beginning of a row plus a class. Signed, which is twice as fast to add. */
  readonly next: Int32Array;
  /** Rows from here on are of states in which a form has just ended. */
  readonly finalRow: number;
  /** By the number of a state: the length of the longest form that ends there. */
  readonly lengths: Uint32Array;
  /** By the number of a state: which form that is, counted from 1 in the order given; 0 where none ends. */
  readonly forms: Uint32Array;
  /** Columns of a row. */
  readonly width: number;
}

export interface Classes {
  /** By octet; 0 is the class of all that stand in no form. */
  readonly classOf: Uint8Array;
  readonly count: number;
}

const octets = 256;

/** A form never has all 256 octets: values are text. */
export function classesOf(forms: readonly Uint8Array[]): Classes {
  const classOf = new Uint8Array(octets);
  let count = 1;
  for (const form of forms)
    for (const octet of form) {
      if (classOf[octet] !== 0) continue;
      classOf[octet] = count;
      count += 1;
    }
  return { classOf, count };
}

/** At most: forms share their beginnings. */
export function sizeOf(forms: readonly Uint8Array[], width: number): number {
  const states = 1 + forms.reduce((sum, { length }) => sum + length, 0);
  return states * (width + 2) * Uint32Array.BYTES_PER_ELEMENT;
}

interface Tree {
  readonly next: Uint32Array;
  readonly lengths: Uint32Array;
  readonly ends: Uint32Array;
  readonly states: number;
  readonly width: number;
}

/** A class `skipped` leaves the state as it is. */
export function buildAutomaton(forms: readonly Uint8Array[], classes: Classes, skipped?: number): Automaton {
  const tree = buildTree(forms, classes, skipped === undefined ? classes.count : classes.count + 1);
  complete(tree, classes.count);
  if (skipped !== undefined)
    for (let state = 0; state < tree.states; state += 1) tree.next[state * tree.width + skipped] = state;
  return finalsLast(tree);
}

function buildTree(forms: readonly Uint8Array[], { classOf }: Classes, width: number): Tree {
  const statesMax = 1 + forms.reduce((sum, { length }) => sum + length, 0);
  const next = new Uint32Array(statesMax * width);
  const lengths = new Uint32Array(statesMax);
  const ends = new Uint32Array(statesMax);
  let states = 1;
  for (const [index, form] of forms.entries()) {
    let state = 0;
    for (const octet of form) {
      const at = state * width + (classOf[octet] ?? 0);
      if (next[at] === 0) {
        next[at] = states;
        states += 1;
      }
      state = next[at] ?? 0;
    }
    lengths[state] = form.length;
    ends[state] = index + 1;
  }
  return { next, lengths, ends, states, width };
}

/** Where the tree goes no further, the table goes on with the longest end of what was read that begins a form, too. */
function complete({ next, lengths, ends, states, width }: Tree, classCount: number): void {
  const fallback = new Uint32Array(states);
  const queue = new Uint32Array(states);
  let end = 0;
  for (let column = 0; column < classCount; column += 1) {
    const child = next[column] ?? 0;
    if (child !== 0) queue[end++] = child;
  }
  for (let at = 0; at < end; at += 1) {
    const state = queue[at] ?? 0;
    const other = fallback[state] ?? 0;
    if (lengths[state] === 0) {
      lengths[state] = lengths[other] ?? 0;
      ends[state] = ends[other] ?? 0;
    }
    for (let column = 0; column < classCount; column += 1) {
      const child = next[state * width + column] ?? 0;
      const otherChild = next[other * width + column] ?? 0;
      if (child === 0) next[state * width + column] = otherChild;
      else {
        fallback[child] = otherChild;
        queue[end++] = child;
      }
    }
  }
}

/** The states in which a form ends come last, so that one comparison tells them; a state is told by where its row begins. */
function finalsLast({ next, lengths, ends, states, width }: Tree): Automaton {
  const numbers = new Uint32Array(states);
  let number = 0;
  const isFinal = (state: number): boolean => lengths[state] !== 0;
  for (let state = 0; state < states; state += 1) if (!isFinal(state)) numbers[state] = number++;
  const finalRow = number * width;
  for (let state = 0; state < states; state += 1) if (isFinal(state)) numbers[state] = number++;
  const rows = new Int32Array(states * width);
  const rowLengths = new Uint32Array(states);
  const rowForms = new Uint32Array(states);
  for (let state = 0; state < states; state += 1) {
    const to = numbers[state] ?? 0;
    rowLengths[to] = lengths[state] ?? 0;
    rowForms[to] = ends[state] ?? 0;
    for (let column = 0; column < width; column += 1)
      rows[to * width + column] = (numbers[next[state * width + column] ?? 0] ?? 0) * width;
  }
  return { next: rows, finalRow, lengths: rowLengths, forms: rowForms, width };
}
