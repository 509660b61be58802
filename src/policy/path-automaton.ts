// Matches path patterns byte by byte. A workload picks the path and its length, so each byte is one step to a remembered
// state, whatever came before: a set of states of the pattern stands for all ways in which the path so far may match.

import type { MatchingWork } from './matching-work.ts';
import type { PathPart } from './path-syntax.ts';

/** A place in a pattern. */
export interface PatternState {
  /** A character code, or one of the classes below. */
  readonly accepts: number;
  readonly next: readonly number[];
}
type State = PatternState;
const anyByte = -1;
const anyButSlash = -2;
const accepting = -3;
/** Stands for every character that the pattern does not name. */
const otherCharacter = -4;

/** Sets that are remembered for one pattern; a workload that finds more makes them be found again. */
const setsMax = 64;
const unknownSet = -1;

/** Steps are counted in portions: the loop over a path has nothing else to do. */
const stepsAtOnce = 1024;
/**
 * What finding a set costs for each state in it and before it, beside a step to a set that is known. Once for a set of a
 * pattern it is a part of reading the policy; only sets that were forgotten and are found again count whole.
 */
const stepsPerState = 8;
const stepsPerFirstState = 1;

const slash = 0x2f;

export class PathAutomaton {
  readonly #states: readonly State[];
  readonly #start: readonly number[];
  /** Characters that the pattern tells apart, by their place; 0 is any other. */
  readonly #characters: readonly number[];
  /** Of ASCII; what else a pattern cannot name. */
  readonly #places = new Uint8Array(128);
  readonly #numbers = new Map<string, number>();
  #hasForgotten = false;
  #sets: (readonly number[])[] = [];
  /** Which set follows, by set and place of the character. */
  #following: Int16Array[] = [];
  #outcomes: ('open' | 'dead' | 'match' | 'none')[] = [];

  constructor(parts: readonly PathPart[]) {
    const { states, start } = patternStates(parts);
    this.#start = start;
    this.#states = states;
    const named = new Set([slash, ...this.#states.map((state) => state.accepts).filter((code) => code >= 0)]);
    this.#characters = [otherCharacter, ...named];
    for (const [place, code] of this.#characters.entries()) if (code >= 0) this.#places[code] = place;
  }

  /** False too if the work is spent before it is known. */
  matches(path: string, work: MatchingWork): boolean {
    let set = this.#numberOf(this.#start);
    let paid = 0;
    for (let i = 0; i < path.length; i++) {
      const outcome = this.#outcomes[set];
      if (outcome === 'open' || outcome === 'dead') {
        work.spend(i - paid);
        return outcome === 'open';
      }
      if (i - paid >= stepsAtOnce) {
        if (!work.spend(i - paid)) return false;
        paid = i;
      }
      const place = this.#places[path.charCodeAt(i)] ?? 0;
      const known = this.#following[set]?.[place] ?? unknownSet;
      if (known !== unknownSet) set = known;
      else {
        set = this.#follow(set, place, work);
        if (work.isSpent) return false;
      }
    }
    const outcome = this.#outcomes[set];
    return work.spend(path.length - paid) && (outcome === 'open' || outcome === 'match');
  }

  #follow(set: number, place: number, work: MatchingWork): number {
    const code = this.#characters[place] ?? otherCharacter;
    const active = this.#sets[set] ?? [];
    const following = new Set<number>();
    for (const index of active) {
      const state = this.#states[index];
      if (state === undefined || !accepts(state.accepts, code)) continue;
      for (const next of state.next) following.add(next);
    }
    work.spend(
      (this.#hasForgotten ? stepsPerState : stepsPerFirstState) * (1 + active.length + following.size),
    );
    const isFull = this.#sets.length >= setsMax;
    if (isFull) this.#forget();
    const number = this.#numberOf([...following].toSorted((a, b) => a - b));
    const row = isFull ? undefined : this.#following[set];
    if (row !== undefined) row[place] = number;
    return number;
  }

  #forget(): void {
    this.#hasForgotten = true;
    this.#numbers.clear();
    this.#sets = [];
    this.#following = [];
    this.#outcomes = [];
  }

  #numberOf(set: readonly number[]): number {
    const key = set.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#sets.length;
    this.#numbers.set(key, number);
    this.#sets.push(set);
    this.#following.push(new Int16Array(this.#characters.length).fill(unknownSet));
    this.#outcomes.push(this.#outcomeOf(set));
    return number;
  }

  #outcomeOf(set: readonly number[]): 'open' | 'dead' | 'match' | 'none' {
    if (set.length === 0) return 'dead';
    if (!set.some((index) => this.#states[index]?.accepts === accepting)) return 'none';
    return set.some((index) => isOpenState(this.#states, index)) ? 'open' : 'match';
  }
}

/** The places of a pattern, and those at which a path begins. */
export function patternStates(parts: readonly PathPart[]): {
  readonly states: readonly PatternState[];
  readonly start: readonly number[];
} {
  const builder = new AutomatonBuilder();
  const start = builder.sequence(parts, [builder.add({ accepts: accepting, next: [] })]);
  return { states: builder.states, start };
}

/** Whether a path that ends here matches. */
export function isAccepting(states: readonly PatternState[], index: number): boolean {
  return states[index]?.accepts === accepting;
}

/** A wildcard at the end: whatever follows matches. */
export function isOpenState(states: readonly PatternState[], index: number): boolean {
  const state = states[index];
  if (state?.accepts !== anyByte || !state.next.includes(index)) return false;
  return state.next.some((next) => isAccepting(states, next));
}

/** Whether a place with this `accepts` takes a character. */
export function accepts(wanted: number, code: number): boolean {
  return wanted === code || wanted === anyByte || (wanted === anyButSlash && code !== slash);
}

/**
 * Glushkov-like construction from the end: each part is built in front of the states that may follow it, so there are
 * no empty transitions to follow while matching.
 */
class AutomatonBuilder {
  readonly states: { accepts: number; next: number[] }[] = [];

  add(state: { accepts: number; next: readonly number[] }): number {
    this.states.push({ accepts: state.accepts, next: [...state.next] });
    return this.states.length - 1;
  }

  /** The states that may begin the parts, where `follow` may come behind them. */
  sequence(parts: readonly PathPart[], follow: readonly number[]): readonly number[] {
    let first = follow;
    for (const part of parts.toReversed()) first = this.#part(part, first);
    return first;
  }

  #part(part: PathPart, follow: readonly number[]): readonly number[] {
    if (part.kind === 'literal') return this.#literal(part.text, follow);
    switch (part.modifier) {
      case '':
        return this.#once(part, follow);
      case '?':
        return unique([...this.#once(part, follow), ...follow]);
      case '+':
        return this.#repeat(part, follow);
      case '*':
        return unique([...this.#repeat(part, follow), ...follow]);
    }
  }

  #literal(text: string, follow: readonly number[]): readonly number[] {
    let first = follow;
    for (let i = text.length - 1; i >= 0; i--)
      first = [this.add({ accepts: text.charCodeAt(i), next: first })];
    return first;
  }

  #once(part: Exclude<PathPart, { kind: 'literal' }>, follow: readonly number[]): readonly number[] {
    const behind = this.#literal(part.suffix, follow);
    if (part.kind === 'group') return this.#literal(part.prefix, behind);
    // One state that loops: `[^/]+` must take a byte, `.*` need not.
    const loop = this.add({ accepts: part.kind === 'any' ? anyByte : anyButSlash, next: behind });
    this.states[loop]?.next.unshift(loop);
    const first = part.kind === 'any' ? unique([loop, ...behind]) : [loop];
    return this.#literal(part.prefix, first);
  }

  /** One or more times: what may follow is also its own beginning, known only when it is built. */
  #repeat(part: Exclude<PathPart, { kind: 'literal' }>, follow: readonly number[]): readonly number[] {
    const marker = this.add({ accepts: accepting, next: [] });
    const first = this.#once(part, unique([...follow, marker]));
    const again = first.filter((index) => index !== marker);
    for (const state of this.states) {
      if (!state.next.includes(marker)) continue;
      state.next = [...unique([...state.next.filter((index) => index !== marker), ...again])];
    }
    // The marker is in no `next` any more, so it is never active.
    return again;
  }
}

function unique(indexes: readonly number[]): readonly number[] {
  return [...new Set(indexes)];
}
