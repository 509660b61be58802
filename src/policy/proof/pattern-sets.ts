// Many patterns at one time, each as the readings of a path have it: sets of their places, numbered, each step worked out once.

import { type PathReading, readPath } from '../../http/path-reading.ts';
import { accepts, isAccepting, isOpenState, type PatternState, patternStates } from '../path-automaton.ts';
import type { PathPattern } from '../path-pattern.ts';
import { allReadings } from './path-goal.ts';

/** What the patterns of one owner say of the characters so far. */
export interface Standing {
  /** Owners whose patterns match what came. */
  readonly matched: ReadonlySet<number>;
  /** Owners whose patterns match, whatever follows. */
  readonly open: ReadonlySet<number>;
  /** Owners whose patterns can still match. */
  readonly alive: ReadonlySet<number>;
  /** Nothing that follows changes it. */
  readonly isFinal: boolean;
}

export class PatternSets {
  readonly #patterns: readonly { readonly pattern: PathPattern; readonly owner: number }[];
  /** All places of all patterns that were asked for, and whose each is. */
  readonly #places: PatternState[] = [];
  readonly #owners: number[] = [];
  readonly #starts = new Map<number, Map<PathPattern, readonly number[]>>();
  readonly #sets: (readonly number[])[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #steps: Map<number, number>[] = [];
  readonly #standings: Standing[] = [];

  /** `owner`: a number of the caller's for whoever the pattern is of. */
  constructor(patterns: readonly { readonly pattern: PathPattern; readonly owner: number }[]) {
    this.#patterns = patterns;
  }

  /** How many places there are. */
  get size(): number {
    return this.#places.length;
  }

  /** Every character that some pattern tells from others, in whatever reading. */
  get named(): string {
    const texts = this.#patterns.flatMap(({ pattern: { parts } }) =>
      parts.flatMap((part) => (part.kind === 'literal' ? [part.text] : [part.prefix, part.suffix])),
    );
    const decoded = texts.flatMap((text) => allReadings.map((reading) => readPath(text, reading)));
    return [...texts, ...decoded].join('');
  }

  /** The set in which a path begins that is read so. */
  start(reading: PathReading): number {
    return this.#numberOf(
      this.#patterns.flatMap(({ pattern, owner }) => this.#startOf(pattern.readAs(reading), owner)),
    );
  }

  step(set: number, char: string): number {
    const code = char.charCodeAt(0);
    const known = this.#steps[set]?.get(code);
    if (known !== undefined) return known;
    const following = new Set<number>();
    for (const index of this.#sets[set] ?? []) {
      const state = this.#places[index];
      if (state === undefined || !accepts(state.accepts, code)) continue;
      for (const next of state.next) following.add(next);
    }
    const number = this.#numberOf([...following]);
    this.#steps[set]?.set(code, number);
    return number;
  }

  standing(set: number): Standing {
    const known = this.#standings[set];
    if (known !== undefined) return known;
    const [matched, open, alive] = [new Set<number>(), new Set<number>(), new Set<number>()];
    for (const index of this.#sets[set] ?? []) {
      const owner = this.#owners[index] ?? 0;
      alive.add(owner);
      if (isAccepting(this.#places, index)) matched.add(owner);
      if (isOpenState(this.#places, index)) open.add(owner);
    }
    return (this.#standings[set] = { matched, open, alive, isFinal: open.size === alive.size });
  }

  #startOf(pattern: PathPattern, owner: number): readonly number[] {
    const ofOwner = this.#starts.get(owner) ?? new Map<PathPattern, readonly number[]>();
    this.#starts.set(owner, ofOwner);
    const known = ofOwner.get(pattern);
    if (known !== undefined) return known;
    const { states, start } = patternStates(pattern.parts);
    const first = this.#places.length;
    for (const { accepts: wanted, next } of states) {
      this.#places.push({ accepts: wanted, next: next.map((index) => index + first) });
      this.#owners.push(owner);
    }
    const own = start.map((index) => index + first);
    ofOwner.set(pattern, own);
    return own;
  }

  /** What an owner's other patterns do counts no more once one of them matches whatever follows. */
  #numberOf(places: readonly number[]): number {
    const openOf = new Map<number, number>();
    for (const index of places) {
      const owner = this.#owners[index] ?? 0;
      if (isOpenState(this.#places, index)) openOf.set(owner, Math.min(index, openOf.get(owner) ?? index));
    }
    const kept = places.flatMap((index) => {
      const open = openOf.get(this.#owners[index] ?? 0);
      if (open === undefined) return [index];
      return index === open ? [index, ...(this.#places[index]?.next ?? [])] : [];
    });
    const set = [...new Set(kept)].toSorted((a, b) => a - b);
    const key = set.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#sets.length;
    this.#numbers.set(key, number);
    this.#sets.push(set);
    this.#steps.push(new Map());
    return number;
  }
}
