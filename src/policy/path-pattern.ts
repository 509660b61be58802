// Path patterns with the meaning of URLPattern pathnames, matched in time linear in the path: a workload picks the
// path, so a matcher that backtracks would let it burn the gateway's CPU.

import { liberalReading } from '../http/request-target.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { PathAutomaton } from './path-automaton.ts';
import { parsePathSyntax, type PathPart } from './path-syntax.ts';

/** Bounds the states of one pattern, and with them the work for each byte of a path. */
const patternLengthMax = 512;
/** Up to so many characters nothing is gained by looking for texts first. */
const shortPathMax = 64;
/** What the runtime looks through costs less than a step for each byte; a text more than a single slash. */
const bytesPerStepOfSlashes = 64;
const bytesPerStepOfTexts = 32;

/** A compiled path pattern. */
export class PathPattern {
  readonly source: string;
  /** The text that every matching path starts with. */
  readonly literalPrefix: string;
  /** `exact`: only the prefix itself; `open`: anything that starts with it; else the automaton decides. */
  readonly shape: 'exact' | 'open' | 'general';
  readonly #parts: readonly PathPart[];
  readonly #isBySegments: boolean;
  /** Built when it is first asked: most patterns of a large policy are told apart by their prefix alone. */
  #automaton: PathAutomaton | undefined;
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
    this.#isBySegments = parts.every(isBySegment);
  }

  /** Reads a pattern; a string is the reason why it is none, and what to write. */
  static parse(source: string): PathPattern | string {
    if (source.length > patternLengthMax)
      return `a path pattern is at most ${patternLengthMax} characters long`;
    const parts = parsePathSyntax(source);
    return typeof parts === 'string' ? parts : new PathPattern(source, parts);
  }

  /** Whether the whole canonical path matches; false too if the work is spent before it is known. */
  matches(path: string, work: MatchingWork = unmeasured): boolean {
    if (!path.startsWith(this.literalPrefix)) return false;
    if (this.shape === 'exact') return path.length === this.literalPrefix.length;
    if (this.shape === 'open') return true;
    if (work.isSpent) return false;
    if (this.#isBySegments) return this.#matchesBySegments(path, work);
    if (!this.#mayMatch(path, work)) return false;
    this.#automaton ??= new PathAutomaton(this.#parts);
    return this.#automaton.matches(path, work);
  }

  /** Whether the pattern, read as the most liberal origin reads paths, matches such a reading of a path. */
  matchesReading(reading: string, work: MatchingWork = unmeasured): boolean {
    this.#liberal ??= new PathPattern(this.source, liberalParts(this.#parts));
    return this.#liberal.matches(reading, work);
  }

  /** Whether every path that `inner` matches is known to be matched by this pattern too. False when in doubt. */
  covers(inner: PathPattern): boolean {
    if (this.source === inner.source) return true;
    if (this.shape === 'open') return inner.literalPrefix.startsWith(this.literalPrefix);
    return inner.shape === 'exact' && this.matches(inner.literalPrefix);
  }

  /** Where the next slash ends each `:name` there is one way to match, and the runtime finds slashes. */
  #matchesBySegments(path: string, work: MatchingWork): boolean {
    let at = 0;
    let isMatch = true;
    for (const part of this.#parts) {
      if (part.kind === 'literal') {
        isMatch = path.startsWith(part.text, at);
        at += part.text.length;
      } else if (part.kind === 'any') at = path.length;
      else {
        const slash = path.indexOf('/', at);
        const end = slash < 0 ? path.length : slash;
        isMatch = end > at;
        at = end;
      }
      if (!isMatch) break;
    }
    return work.spend(at / bytesPerStepOfSlashes) && isMatch && at === path.length;
  }

  /** Its texts stand in the path, one behind the other, and the last at the end: found out faster than by the byte. */
  #mayMatch(path: string, work: MatchingWork): boolean {
    if (path.length < shortPathMax) return true;
    if (!work.spend(path.length / bytesPerStepOfTexts)) return false;
    const texts = this.#parts.flatMap((part) => (part.kind === 'literal' ? [part.text] : []));
    const last = this.#parts.at(-1);
    if (last?.kind === 'literal' && !path.endsWith(last.text)) return false;
    let at = 0;
    for (const text of texts) {
      at = path.indexOf(text, at);
      if (at < 0) return false;
      at += text.length;
    }
    return true;
  }
}

/** A text, a `:name` that the next slash ends or nothing follows, or `*` behind all others. */
function isBySegment(part: PathPart, at: number, parts: readonly PathPart[]): boolean {
  if (part.kind === 'literal') return true;
  if (part.kind === 'group' || part.modifier !== '' || part.prefix !== '' || part.suffix !== '') return false;
  const next = parts[at + 1];
  if (part.kind === 'any') return next === undefined;
  return next === undefined || (next.kind === 'literal' && next.text.startsWith('/'));
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
