// Path patterns with the meaning of URLPattern pathnames, matched in time linear in the path: a workload picks the
// path, so a matcher that backtracks would let it burn the gateway's CPU.

import { liberalReading } from '../http/request-target.ts';
import { parsePathSyntax, type PathPart } from './path-syntax.ts';

/** Bounds the states of one pattern, and with them the work for each byte of a path. */
const patternLengthMax = 512;

interface State {
  /** A character code, or one of the classes below. */
  readonly accepts: number;
  readonly next: readonly number[];
}
interface Automaton {
  readonly states: readonly State[];
  readonly start: readonly number[];
}
const anyByte = -1;
const anyButSlash = -2;
const accepting = -3;

/** A compiled path pattern. */
export class PathPattern {
  readonly source: string;
  /** The text that every matching path starts with. */
  readonly literalPrefix: string;
  /** `exact`: only the prefix itself; `open`: anything that starts with it; else the automaton decides. */
  readonly shape: 'exact' | 'open' | 'general';
  readonly #parts: readonly PathPart[];
  /** Built when it is first asked: most patterns of a large policy are told apart by their prefix alone. */
  #automaton: Automaton | undefined;
  #liberal: PathPattern | undefined;

  private constructor(source: string, parts: readonly PathPart[]) {
    this.source = source;
    this.#parts = parts;
    let literalPrefix = '';
    let used = 0;
    for (const part of parts) {
      if (part.kind !== 'literal') break;
      literalPrefix += part.text;
      used += 1;
    }
    const [tail, ...more] = parts.slice(used);
    this.literalPrefix = literalPrefix;
    const isOpen = tail?.kind === 'any' && tail.modifier === '' && more.length === 0;
    this.shape = tail === undefined ? 'exact' : isOpen ? 'open' : 'general';
  }

  /** Reads a pattern; a string is the reason why it is none, and what to write. */
  static parse(source: string): PathPattern | string {
    if (source.length > patternLengthMax)
      return `a path pattern is at most ${patternLengthMax} characters long`;
    const parts = parsePathSyntax(source);
    return typeof parts === 'string' ? parts : new PathPattern(source, parts);
  }

  /** Whether the whole canonical path matches. */
  matches(path: string): boolean {
    if (!path.startsWith(this.literalPrefix)) return false;
    if (this.shape === 'exact') return path.length === this.literalPrefix.length;
    if (this.shape === 'open') return true;
    return this.#run(path);
  }

  /** Whether the pattern, read as the most liberal origin reads paths, matches such a reading of a path. */
  matchesReading(reading: string): boolean {
    this.#liberal ??= new PathPattern(this.source, liberalParts(this.#parts));
    return this.#liberal.matches(reading);
  }

  /** Whether every path that `inner` matches is known to be matched by this pattern too. False when in doubt. */
  covers(inner: PathPattern): boolean {
    if (this.source === inner.source) return true;
    if (this.shape === 'open') return inner.literalPrefix.startsWith(this.literalPrefix);
    return inner.shape === 'exact' && this.matches(inner.literalPrefix);
  }

  #run(path: string): boolean {
    const { start, states } = (this.#automaton ??= automatonOf(this.#parts));
    let active = start;
    // The step at which a state was last added: each state is active at most once a step.
    const seenAt = new Int32Array(states.length).fill(-1);
    for (let i = 0; i < path.length; i++) {
      const code = path.charCodeAt(i);
      const following: number[] = [];
      for (const index of active) {
        const state = states[index];
        if (state === undefined || !accepts(state.accepts, code)) continue;
        for (const next of state.next) {
          if (seenAt[next] === i) continue;
          seenAt[next] = i;
          following.push(next);
        }
      }
      if (following.length === 0) return false;
      active = following;
    }
    return active.some((index) => states[index]?.accepts === accepting);
  }
}

function automatonOf(parts: readonly PathPart[]): Automaton {
  const builder = new AutomatonBuilder();
  const start = builder.sequence(parts, [builder.add({ accepts: accepting, next: [] })]);
  return { states: builder.states, start };
}

function liberalParts(parts: readonly PathPart[]): readonly PathPart[] {
  return parts.map((part) =>
    part.kind === 'literal'
      ? { kind: part.kind, text: liberalReading(part.text) }
      : {
          kind: part.kind,
          prefix: liberalReading(part.prefix),
          suffix: liberalReading(part.suffix),
          modifier: part.modifier,
        },
  );
}

const slash = 0x2f;

function accepts(wanted: number, code: number): boolean {
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
