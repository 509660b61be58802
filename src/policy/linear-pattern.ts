// Regular expressions of an operator on texts of a workload, in time linear in the text: all states at once (Thompson), no
// backtracking. The syntax is that of ECMA-262 with the flag u, without what no such automaton has: references and looking around.

import { defaultLimits } from '../protocol/limits.ts';
import type { MatchingWork } from './matching-work.ts';
import { type CodeRange, PatternFault, type PatternNode, readPattern } from './pattern-syntax.ts';

type Step =
  | { readonly kind: 'set'; readonly ranges: readonly CodeRange[] }
  | { readonly kind: 'split'; readonly first: number; readonly second: number }
  | { readonly kind: 'jump'; readonly to: number }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  | { readonly kind: 'match' };

export class LinearPattern {
  /** Whether every text that matches does so from its beginning to its end. */
  readonly isAnchored: boolean;
  readonly #steps: readonly Step[];

  private constructor(isAnchored: boolean, steps: readonly Step[]) {
    this.isAnchored = isAnchored;
    this.#steps = steps;
  }

  /** The pattern, or what is wrong with it, as the end of a sentence. */
  static parse(source: string): LinearPattern | string {
    try {
      const node = readPattern(source);
      const writer = new StepWriter();
      writer.write(node);
      return new LinearPattern(isWhole(node), [...writer.steps, { kind: 'match' }]);
    } catch (fault) {
      if (fault instanceof PatternFault) return fault.message;
      throw fault;
    }
  }

  /** Whether it is found somewhere in the text. What it gives counts only while the work is not spent. */
  isIn(text: string, work: MatchingWork): boolean {
    const run = new Run(this.#steps, work);
    let at = 0;
    for (;;) {
      const code = text.codePointAt(at);
      run.begin(at === 0, code === undefined);
      if (run.isMatched) return true;
      if (code === undefined || work.isSpent) return false;
      const next = at + (code > 0xffff ? 2 : 1);
      run.take(code, next === text.length);
      if (run.isMatched) return true;
      at = next;
    }
  }
}

function isWhole(node: PatternNode): boolean {
  if (node.kind === 'choice') return node.parts.every(isWhole);
  if (node.kind !== 'sequence') return false;
  const [first] = node.parts;
  if (first !== undefined && node.parts.length === 1) return isWhole(first);
  return first?.kind === 'begin' && node.parts.at(-1)?.kind === 'end';
}

/** The states of one text. */
class Run {
  readonly #steps: readonly Step[];
  readonly #work: MatchingWork;
  #now: number[] = [];
  /** In which round a state was entered last. */
  readonly #entered: Int32Array;
  #round = 0;
  isMatched = false;

  constructor(steps: readonly Step[], work: MatchingWork) {
    this.#steps = steps;
    this.#work = work;
    this.#entered = new Int32Array(steps.length).fill(-1);
  }

  /** It may begin at this place too. */
  begin(isFirst: boolean, isLast: boolean): void {
    this.#enter(0, this.#now, isFirst, isLast);
  }

  take(code: number, isLast: boolean): void {
    const next: number[] = [];
    this.#round += 1;
    this.#work.spend(1 + this.#now.length / 4);
    for (const at of this.#now) {
      const step = this.#steps[at];
      if (step?.kind !== 'set') continue;
      this.#work.spend(step.ranges.length / rangesPerStep);
      if (isInRanges(step.ranges, code)) this.#enter(at + 1, next, false, isLast);
    }
    this.#now = next;
  }

  /** All states that are reached without a character. */
  #enter(from: number, states: number[], isFirst: boolean, isLast: boolean): void {
    const waiting = [from];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (this.#entered[at] === this.#round) continue;
      this.#entered[at] = this.#round;
      this.#work.spend(1 / 4);
      const step = this.#steps[at];
      if (step === undefined) continue;
      switch (step.kind) {
        case 'set':
          states.push(at);
          break;
        case 'split':
          waiting.push(step.first, step.second);
          break;
        case 'jump':
          waiting.push(step.to);
          break;
        case 'begin':
          if (isFirst) waiting.push(at + 1);
          break;
        case 'end':
          if (isLast) waiting.push(at + 1);
          break;
        case 'match':
          this.isMatched = true;
      }
    }
  }
}

const rangesPerStep = 32;

function isInRanges(ranges: readonly CodeRange[], code: number): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to);
}

class StepWriter {
  readonly steps: Step[] = [];
  /** Parts of nothing, repeated, are work without a state. */
  #written = 0;

  write(node: PatternNode): void {
    this.#written += 1;
    if (this.#written > 2 * defaultLimits.schemaPatternStatesMax) throw tooLarge();
    switch (node.kind) {
      case 'set':
      case 'begin':
      case 'end':
        this.#push(node);
        break;
      case 'sequence':
        for (const part of node.parts) this.write(part);
        break;
      case 'choice':
        this.#choice(node.parts);
        break;
      case 'repeat':
        this.#repeat(node);
    }
  }

  #choice(parts: readonly PatternNode[]): void {
    const ends: number[] = [];
    for (const [i, part] of parts.entries()) {
      if (i === parts.length - 1) {
        this.write(part);
        break;
      }
      const split = this.#push({ kind: 'jump', to: 0 });
      this.write(part);
      ends.push(this.#push({ kind: 'jump', to: 0 }));
      this.steps[split] = { kind: 'split', first: split + 1, second: this.steps.length };
    }
    for (const end of ends) this.steps[end] = { kind: 'jump', to: this.steps.length };
  }

  #repeat({ part, min, max }: PatternNode & { readonly kind: 'repeat' }): void {
    for (let i = 0; i < min; i += 1) this.write(part);
    if (max === Infinity) {
      const split = this.#push({ kind: 'jump', to: 0 });
      this.write(part);
      this.#push({ kind: 'jump', to: split });
      this.steps[split] = { kind: 'split', first: split + 1, second: this.steps.length };
      return;
    }
    const splits: number[] = [];
    for (let i = min; i < max; i += 1) {
      splits.push(this.#push({ kind: 'jump', to: 0 }));
      this.write(part);
    }
    for (const split of splits)
      this.steps[split] = { kind: 'split', first: split + 1, second: this.steps.length };
  }

  #push(step: Step): number {
    if (this.steps.length >= defaultLimits.schemaPatternStatesMax) throw tooLarge();
    this.steps.push(step);
    return this.steps.length - 1;
  }
}

function tooLarge(): PatternFault {
  return new PatternFault(
    `has more than ${String(defaultLimits.schemaPatternStatesMax)} states (schemaPatternStatesMax)`,
  );
}
