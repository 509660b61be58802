// Path patterns with the meaning of URLPattern pathnames, matched in time linear in the path: a workload picks the
// path, so a matcher that backtracks would let it burn the gateway's CPU.

import { asWritten, pathFeatures, type PathReading, readingsFor, readPath } from '../http/path-reading.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { PathAutomaton } from './path-automaton.ts';
import { type PathTail, tailOf } from './path-tails.ts';
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
  /** The pattern as an origin reads it that reads paths so; made when it is first asked for. */
  readonly #read = new Map<number, PathPattern>();
  /** What its texts have that origins read in more than one way; see `pathFeatures`. */
  readonly features: number;

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
    this.features = parts.reduce((features, part) => features | partFeatures(part), 0);
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

  /** The pattern for paths that are read so. What its author wrote encoded is then read as it is in a path. */
  readAs(reading: PathReading): PathPattern {
    if (this.features === 0 || reading.key === asWritten.key) return this;
    let known = this.#read.get(reading.key);
    if (known === undefined) {
      known = new PathPattern(this.source, readParts(this.#parts, reading));
      this.#read.set(reading.key, known);
    }
    return known;
  }

  /** What it is made of. */
  get parts(): readonly PathPart[] {
    return this.#parts;
  }

  /** What tells its paths from others that begin alike, behind the first segments. */
  tailBehind(segments: number): PathTail | undefined {
    return this.shape === 'general' ? tailOf(this.#parts, segments) : undefined;
  }

  /** Whether every path that `inner` matches is known to be matched by this pattern too. False when in doubt. */
  covers(inner: PathPattern): boolean {
    if (this.source === inner.source) return true;
    if (this.shape === 'general' && inner.shape !== 'exact') return false;
    // In every reading: a path that is read otherwise has to be matched by both in each.
    return readingsFor(this.features | inner.features).every((reading) => {
      const [own, other] = [this.readAs(reading), inner.readAs(reading)];
      if (own.shape === 'open') return other.literalPrefix.startsWith(own.literalPrefix);
      return other.shape === 'exact' && own.matches(other.literalPrefix);
    });
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

function partFeatures(part: PathPart): number {
  if (part.kind === 'literal') return pathFeatures(part.text);
  return pathFeatures(part.prefix) | pathFeatures(part.suffix);
}

/**
 * Read as one text, in which a character stands for each wildcard: what is cut off goes on behind a wildcard. A wildcard
 * that is cut off matches nothing any more, though `*` could have held a slash; fewer paths are admitted then.
 */
function readParts(parts: readonly PathPart[], reading: PathReading): readonly PathPart[] {
  const text = parts
    .map((part, i) => (part.kind === 'literal' ? part.text : String.fromCharCode(wildcardBase + i)))
    .join('');
  const read: PathPart[] = [];
  let literal = '';
  for (const char of readPath(text, reading)) {
    const part = parts[char.charCodeAt(0) - wildcardBase];
    if (part === undefined || part.kind === 'literal') {
      literal += char;
      continue;
    }
    if (literal !== '') read.push({ kind: 'literal', text: literal });
    literal = '';
    const { kind, prefix, suffix, modifier } = part;
    read.push({ kind, prefix: readPath(prefix, reading), suffix: readPath(suffix, reading), modifier });
  }
  if (literal !== '') read.push({ kind: 'literal', text: literal });
  return read;
}

/** Of the characters for private use, which stand in no path. */
const wildcardBase = 0xe000;
