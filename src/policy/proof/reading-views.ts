// What readings of a path have seen of it, and where many patterns stand in each: one reading by itself, and several together.

import type { PathReading } from '../../http/path-reading.ts';
import type { PathToken } from './path-token.ts';
import type { PatternSets, Standing } from './pattern-sets.ts';
import { readingEnd, readingStart, type ReadingState, readingStep } from './reading-step.ts';

const unknown = -1;

/** One reading: its states are numbered from 0, which is in front of the first piece. */
export class ReadingView {
  readonly #sets: PatternSets;
  readonly #reading: PathReading;
  readonly #tokens: readonly PathToken[];
  readonly #seen: ReadingState[] = [];
  readonly #places: number[] = [];
  readonly #steps: Int32Array[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(sets: PatternSets, reading: PathReading, tokens: readonly PathToken[]) {
    this.#sets = sets;
    this.#reading = reading;
    this.#tokens = tokens;
    this.#numberOf(readingStart, sets.start(reading));
  }

  step(number: number, token: number): number {
    const row = this.#steps[number];
    const [seen, piece] = [this.#seen[number], this.#tokens[token]];
    if (row === undefined || seen === undefined || piece === undefined) return number;
    const known = row[token] ?? unknown;
    if (known !== unknown) return known;
    const { state, out } = readingStep(seen, piece, this.#reading);
    return (row[token] = this.#numberOf(state, this.#after(number, out)));
  }

  /** Where the patterns stand so far. */
  standing(number: number): Standing {
    return this.#sets.standing(this.#places[number] ?? 0);
  }

  /** The same if the path ends here. */
  ending(number: number): Standing {
    const rest = readingEnd(this.#seen[number] ?? readingStart, this.#reading);
    return this.#sets.standing(this.#after(number, rest));
  }

  #after(number: number, text: string): number {
    let at = this.#places[number] ?? 0;
    for (const char of text) at = this.#sets.step(at, char);
    return at;
  }

  #numberOf(seen: ReadingState, place: number): number {
    // Where nothing that follows changes what is known, what was seen does not matter.
    const state = this.#sets.standing(place).isFinal ? readingStart : seen;
    const { pending, isCutBefore, isEnded, isCutAfter, isBehindSlash } = state;
    const flags = (isCutBefore ? 1 : 0) + (isCutAfter ? 2 : 0) + (isBehindSlash ? 4 : 0) + place * 8;
    const key = isEnded ? `ended ${String(place)}` : `${pending} ${String(flags)}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#seen.length;
    this.#numbers.set(key, number);
    this.#seen.push(state);
    this.#places.push(place);
    this.#steps.push(new Int32Array(this.#tokens.length).fill(unknown));
    return number;
  }
}

/** Several readings at one time, numbered once more. */
export class ReadingViews {
  readonly #views: readonly ReadingView[];
  readonly #tokens: number;
  readonly #all: Int32Array[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #steps: Int32Array[] = [];
  readonly #standings: (readonly Standing[] | undefined)[] = [];
  readonly #endings: (readonly Standing[] | undefined)[] = [];

  /** `tokens`: how many there are. */
  constructor(views: readonly ReadingView[], tokens: number) {
    this.#views = views;
    this.#tokens = tokens;
    this.#numberOf(new Int32Array(views.length));
  }

  step(number: number, token: number): number {
    const row = this.#steps[number];
    const from = this.#all[number];
    if (row === undefined || from === undefined) return number;
    const known = row[token] ?? unknown;
    if (known !== unknown) return known;
    return (row[token] = this.#numberOf(from.map((view, i) => this.#views[i]?.step(view, token) ?? view)));
  }

  /** By reading: where the patterns stand so far. */
  standings(number: number): readonly Standing[] {
    return (this.#standings[number] ??= this.#views.map((view, i) =>
      view.standing(this.#all[number]?.[i] ?? 0),
    ));
  }

  /** The same if the path ends here. */
  endings(number: number): readonly Standing[] {
    return (this.#endings[number] ??= this.#views.map((view, i) => view.ending(this.#all[number]?.[i] ?? 0)));
  }

  #numberOf(views: Int32Array): number {
    const key = views.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#all.length;
    this.#numbers.set(key, number);
    this.#all.push(views);
    this.#steps.push(new Int32Array(this.#tokens).fill(unknown));
    return number;
  }
}
