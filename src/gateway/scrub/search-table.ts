// The table by which texts are searched for a credential's forms: an automaton (Aho and Corasick) with a row for each state and a
// column for each class of octets, so that every octet costs the same steps whatever it is and whatever came before.

import type { SecretForms } from './secret-forms.ts';

export interface Automaton {
  /** Where the row of the next state begins, by the beginning of a row plus a class. Signed, which is twice as fast to add. */
  readonly next: Int32Array;
  /** Rows from here on are of states in which a form has just ended. */
  readonly finalRow: number;
  /** By the number of a state: the length of the longest form that ends there. */
  readonly lengths: Uint32Array;
  /** Columns of a row. */
  readonly width: number;
}

export interface SearchTable {
  /** By an octet, and 256 more behind a backslash: its class in `plain`, and 256 times its class in `base64`. */
  readonly classes: Uint16Array;
  readonly plain: Automaton;
  /** Passes over line ends and backslashes, as if they were not there. */
  readonly base64: Automaton;
  /** By an octet in any letters. */
  readonly nameClasses: Uint8Array;
  /** Forms in lower case, which names of fields come in. */
  readonly names: Automaton;
  /** The longest form, with the line ends that it may have inside; 0: there is nothing to search for. */
  readonly formBytesMax: number;
  /** What the table takes. */
  readonly bytes: number;
}

/** Writers of Base64 break it behind 60 characters or more, in JSON by `\r\n`. */
export const base64LineBytesMin = 60;
const lineEndBytesMax = 4;

const octets = 256;
const backslash = 0x5c;

/** Undefined if it would take more than `bytesMax`. */
export function buildSearchTable(forms: SecretForms, bytesMax: number): SearchTable | undefined {
  const names = [...forms.plain, ...forms.base64].map((form) => lowerCase(form));
  const plainClasses = classesOf(forms.plain);
  const base64Classes = classesOf(forms.base64);
  const nameClasses = classesOf(names);
  const sizes = [
    sizeOf(forms.plain, plainClasses.count),
    sizeOf(forms.base64, base64Classes.count + 1),
    sizeOf(names, nameClasses.count),
  ];
  if (sizes.reduce((sum, size) => sum + size, 0) > bytesMax) return undefined;
  const skipped = base64Classes.count;
  const plain = buildAutomaton(forms.plain, plainClasses);
  const base64 = buildAutomaton(forms.base64, base64Classes, skipped);
  const byName = buildAutomaton(names, nameClasses);
  for (let upper = 0x41; upper <= 0x5a; upper += 1)
    nameClasses.classOf[upper] = nameClasses.classOf[upper + 0x20] ?? 0;
  return {
    classes: joinClasses(plainClasses.classOf, base64Classes.classOf, skipped),
    plain,
    base64,
    nameClasses: nameClasses.classOf,
    names: byName,
    formBytesMax: Math.max(
      0,
      ...forms.plain.map(({ length }) => length),
      ...forms.base64.map(({ length }) => length + lineEndBytesMax * Math.ceil(length / base64LineBytesMin)),
    ),
    bytes: [plain, base64, byName].reduce(
      (sum, { next, lengths }) => sum + next.byteLength + lengths.byteLength,
      0,
    ),
  };
}

function lowerCase(form: Uint8Array): Uint8Array {
  return form.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet));
}

interface Classes {
  /** By octet; 0 is the class of all that stand in no form. */
  readonly classOf: Uint8Array;
  readonly count: number;
}

/** A form never has all 256 octets: values are text. */
function classesOf(forms: readonly Uint8Array[]): Classes {
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

function joinClasses(plain: Uint8Array, base64: Uint8Array, skipped: number): Uint16Array {
  const classes = new Uint16Array(2 * octets);
  for (let octet = 0; octet < octets; octet += 1) {
    const isLineEnd = octet === 0x0a || octet === 0x0d || octet === backslash;
    const isEscaped = isLineEnd || octet === 0x6e || octet === 0x72;
    const own = base64[octet] ?? 0;
    classes[octet] = (plain[octet] ?? 0) | ((isLineEnd ? skipped : own) << 8);
    classes[octets + octet] = (plain[octet] ?? 0) | ((isEscaped ? skipped : own) << 8);
  }
  return classes;
}

/** At most: forms share their beginnings. */
function sizeOf(forms: readonly Uint8Array[], width: number): number {
  const states = 1 + forms.reduce((sum, { length }) => sum + length, 0);
  return states * (width + 1) * Uint32Array.BYTES_PER_ELEMENT;
}

interface Tree {
  readonly next: Uint32Array;
  readonly lengths: Uint32Array;
  readonly states: number;
  readonly width: number;
}

/** A class `skipped` leaves the state as it is. */
function buildAutomaton(forms: readonly Uint8Array[], classes: Classes, skipped?: number): Automaton {
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
  let states = 1;
  for (const form of forms) {
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
  }
  return { next, lengths, states, width };
}

/** Where the tree goes no further, the table goes on with the longest end of what was read that begins a form, too. */
function complete({ next, lengths, states, width }: Tree, classCount: number): void {
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
    if (lengths[state] === 0) lengths[state] = lengths[other] ?? 0;
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
function finalsLast({ next, lengths, states, width }: Tree): Automaton {
  const numbers = new Uint32Array(states);
  let number = 0;
  const isFinal = (state: number): boolean => lengths[state] !== 0;
  for (let state = 0; state < states; state += 1) if (!isFinal(state)) numbers[state] = number++;
  const finalRow = number * width;
  for (let state = 0; state < states; state += 1) if (isFinal(state)) numbers[state] = number++;
  const rows = new Int32Array(states * width);
  const rowLengths = new Uint32Array(states);
  for (let state = 0; state < states; state += 1) {
    const to = numbers[state] ?? 0;
    rowLengths[to] = lengths[state] ?? 0;
    for (let column = 0; column < width; column += 1)
      rows[to * width + column] = (numbers[next[state * width + column] ?? 0] ?? 0) * width;
  }
  return { next: rows, finalRow, lengths: rowLengths, width };
}
