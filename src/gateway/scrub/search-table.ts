// The table by which texts are searched for a credential's forms.

import { type Automaton, buildAutomaton, classesOf, sizeOf } from './automaton.ts';
import type { SecretForms } from './secret-forms.ts';

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
      (sum, { next, lengths, forms: ends }) => sum + next.byteLength + lengths.byteLength + ends.byteLength,
      0,
    ),
  };
}

function lowerCase(form: Uint8Array): Uint8Array {
  return form.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet));
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
