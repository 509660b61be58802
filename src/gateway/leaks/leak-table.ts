// What is searched for in what workloads send out: one table for the values of all credentials and all canaries, by whose they are.

import { Buffer } from 'node:buffer';
import { type Automaton, buildAutomaton, classesOf, sizeOf } from '../scrub/automaton.ts';
import { leakForms } from './leak-forms.ts';

/** Whose a value is. The name is the configuration's. */
export interface LeakOwner {
  readonly kind: 'credential' | 'canary';
  readonly name: string;
}

/** An automaton, with the owners of each form that ends in a state, the longest and those that it ends with. */
export interface OwnedAutomaton {
  readonly automaton: Automaton;
  /** By an octet. */
  readonly classes: Uint8Array;
  /** By the number of a form, less 1. */
  readonly owners: readonly (readonly LeakOwner[])[];
}

export interface LeakTable {
  /** Passes over everything but letters and digits, and takes both cases for one. */
  readonly loose: OwnedAutomaton;
  readonly exact: OwnedAutomaton;
  readonly bytes: number;
}

export interface OwnedValue {
  readonly owner: LeakOwner;
  readonly value: string;
}

/** Undefined if it would take more than `bytesMax`. */
export function buildLeakTable(values: readonly OwnedValue[], bytesMax: number): LeakTable | undefined {
  const loose = new Map<string, LeakOwner[]>();
  const exact = new Map<string, LeakOwner[]>();
  for (const { owner, value } of values) {
    const forms = leakForms(value);
    for (const form of forms.loose) add(loose, form, owner);
    for (const form of forms.exact) add(exact, form, owner);
  }
  const [looseForms, exactForms] = [octetsOf(loose), octetsOf(exact)];
  const [looseClasses, exactClasses] = [classesOf(looseForms), classesOf(exactForms)];
  const bytes = sizeOf(looseForms, looseClasses.count + 1) + sizeOf(exactForms, exactClasses.count);
  if (bytes > bytesMax) return undefined;
  const skipped = looseClasses.count;
  return {
    loose: {
      automaton: buildAutomaton(looseForms, looseClasses, skipped),
      classes: folded(looseClasses.classOf, skipped),
      owners: allOwners(loose),
    },
    exact: {
      automaton: buildAutomaton(exactForms, exactClasses),
      classes: exactClasses.classOf,
      owners: allOwners(exact),
    },
    bytes,
  };
}

function add(forms: Map<string, LeakOwner[]>, form: string, owner: LeakOwner): void {
  const owners = forms.get(form) ?? [];
  if (!owners.some(({ kind, name }) => kind === owner.kind && name === owner.name)) owners.push(owner);
  forms.set(form, owners);
}

function octetsOf(forms: ReadonlyMap<string, unknown>): readonly Buffer[] {
  return [...forms.keys()].map((form) => Buffer.from(form));
}

/** Of a state the automaton tells the longest form alone: its owners are those of all forms that it ends with, too. */
function allOwners(forms: ReadonlyMap<string, readonly LeakOwner[]>): readonly (readonly LeakOwner[])[] {
  const lengths = [...new Set([...forms.keys()].map(({ length }) => length))];
  return [...forms.keys()].map((form) => {
    const ends = lengths.filter((length) => length <= form.length);
    return Array.from(new Set(ends.flatMap((length) => forms.get(form.slice(form.length - length)) ?? [])));
  });
}

function folded(classOf: Uint8Array, skipped: number): Uint8Array {
  return classOf.map((_, octet) => {
    const isUpper = octet >= 0x41 && octet <= 0x5a;
    const lower = isUpper ? octet + 0x20 : octet;
    return isLetterOrDigit(lower) ? (classOf[lower] ?? 0) : skipped;
  });
}

/** In lower case. */
export function isLetterOrDigit(octet: number): boolean {
  return (octet >= 0x61 && octet <= 0x7a) || (octet >= 0x30 && octet <= 0x39);
}
