// Machines over the pieces of paths, and the same by numbers, each step worked out once.

import type { PathToken } from './path-token.ts';

export interface Machine<State> {
  readonly start: State;
  /** Undefined: nothing that goes on so is of interest. */
  step(state: State, token: PathToken): State | undefined;
  /** Tells one state from another. */
  key(state: State): string;
}

/** No state. */
export const dead = -1;
const unknown = -2;

/** The states that were reached so far, numbered from 0, which is the first. */
export class NumberedMachine<State> {
  readonly #machine: Machine<State>;
  readonly #states: State[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #steps: Int32Array[] = [];

  readonly #tokens: readonly PathToken[];

  constructor(machine: Machine<State>, tokens: readonly PathToken[]) {
    this.#machine = machine;
    this.#tokens = tokens;
    this.#numberOf(machine.start);
  }

  /** @throws RangeError there is none with this number */
  state(number: number): State {
    const state = this.#states[number];
    if (state === undefined) throw new RangeError(`there is no state ${String(number)}`);
    return state;
  }

  /** `token`: its place among those that the machine was made for. */
  step(number: number, token: number): number {
    const row = this.#steps[number];
    const piece = this.#tokens[token];
    if (row === undefined || piece === undefined) return dead;
    const known = row[token] ?? unknown;
    if (known !== unknown) return known;
    const next = this.#machine.step(this.state(number), piece);
    return (row[token] = next === undefined ? dead : this.#numberOf(next));
  }

  #numberOf(state: State): number {
    const key = this.#machine.key(state);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#states.length;
    this.#numbers.set(key, number);
    this.#states.push(state);
    this.#steps.push(new Int32Array(this.#tokens.length).fill(unknown));
    return number;
  }
}
