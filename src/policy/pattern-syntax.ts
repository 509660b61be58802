// The syntax of regular expressions (ECMA-262 with the flag u), read into what they mean. What no pattern in linear time has is refused by name:
// references, looking around.

import { defaultLimits } from '../protocol/limits.ts';

/** Code points from and to, both in it. */
export type CodeRange = readonly [from: number, to: number];

export type PatternNode =
  | { readonly kind: 'set'; readonly ranges: readonly CodeRange[] }
  | { readonly kind: 'begin' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number };

/** What is wrong with a pattern, as the end of a sentence. */
export class PatternFault extends Error {}

/** @throws PatternFault */
export function readPattern(source: string): PatternNode {
  if (source.length > defaultLimits.schemaPatternCharactersMax)
    throw new PatternFault(
      `is longer than ${String(defaultLimits.schemaPatternCharactersMax)} characters (schemaPatternCharactersMax)`,
    );
  return new PatternReader(source).read();
}

const lastPoint = 0x10ffff;
const digits: readonly CodeRange[] = [[0x30, 0x39]];
const wordRanges: readonly CodeRange[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const blanks: readonly CodeRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: readonly CodeRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const classes: Readonly<Record<string, readonly CodeRange[]>> = {
  d: digits,
  D: others(digits),
  w: wordRanges,
  W: others(wordRanges),
  s: blanks,
  S: others(blanks),
};
const controls: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d };

function others(ranges: readonly CodeRange[]): readonly CodeRange[] {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  const found: CodeRange[] = [];
  let from = 0;
  for (const [first, last] of sorted) {
    if (first > from) found.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= lastPoint) found.push([from, lastPoint]);
  return found;
}

/** Code points of a pattern to what it means. */
class PatternReader {
  readonly #points: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#points = [...source];
  }

  read(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#points.length) throw new PatternFault('has a ")" too many');
    return node;
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()];
    while (this.#isNext('|')) parts.push(this.#sequence());
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'choice', parts };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (;;) {
      const next = this.#points[this.#at];
      if (next === undefined || next === '|' || next === ')') return { kind: 'sequence', parts };
      parts.push(this.#repeated(this.#atom()));
    }
  }

  #atom(): PatternNode {
    const point = this.#take();
    switch (point) {
      case '^':
        return { kind: 'begin' };
      case '$':
        return { kind: 'end' };
      case '.':
        return { kind: 'set', ranges: others(lineEnds) };
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', ranges: this.#class() };
      case '\\':
        return { kind: 'set', ranges: this.#escape() };
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']':
        throw new PatternFault(`has a "${point}" that stands for nothing there; write \\${point}`);
      default:
        return { kind: 'set', ranges: one(point) };
    }
  }

  #group(): PatternNode {
    if (this.#isNext('?') && !this.#isNext(':'))
      throw new PatternFault(
        'looks around, or names a group, which no pattern in linear time does; write (?: )',
      );
    this.#depth += 1;
    if (this.#depth > defaultLimits.jsonDepthMax)
      throw new PatternFault('has too many groups inside each other');
    const node = this.#choice();
    this.#depth -= 1;
    if (!this.#isNext(')')) throw new PatternFault('has a "(" that does not end');
    return node;
  }

  #repeated(part: PatternNode): PatternNode {
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    if (part.kind === 'begin' || part.kind === 'end') throw new PatternFault('repeats a "^" or a "$"');
    // Whether it is greedy changes nothing about whether it matches.
    this.#isNext('?');
    const [min, max] = bounds;
    if (this.#bounds() !== undefined) throw new PatternFault('repeats a repetition; put a group around it');
    return { kind: 'repeat', part, min, max };
  }

  #bounds(): readonly [number, number] | undefined {
    if (this.#isNext('*')) return [0, Infinity];
    if (this.#isNext('+')) return [1, Infinity];
    if (this.#isNext('?')) return [0, 1];
    if (!this.#isNext('{')) return undefined;
    const from = this.#at;
    while (this.#points[this.#at] !== undefined && this.#points[this.#at] !== '}') this.#at += 1;
    const [, least = '', comma, most = ''] =
      /^(\d{1,4})(?:(,)(\d{0,4}))?$/.exec(this.#points.slice(from, this.#at).join('')) ?? [];
    if (least === '' || !this.#isNext('}'))
      throw new PatternFault('has a "{" that is no repetition; write {2}, {2,} or {2,5}');
    const min = Number(least);
    const max = comma === undefined ? min : most === '' ? Infinity : Number(most);
    if (max < min) throw new PatternFault('has a repetition whose numbers are in the wrong order');
    return [min, max];
  }

  #class(): readonly CodeRange[] {
    const isNegated = this.#isNext('^');
    const ranges: CodeRange[] = [];
    while (!this.#isNext(']')) {
      const first = this.#member();
      if (this.#points[this.#at] !== '-' || this.#points[this.#at + 1] === ']') {
        ranges.push(...first);
        continue;
      }
      this.#at += 1;
      ranges.push(between(first, this.#member()));
    }
    return isNegated ? others(ranges) : ranges;
  }

  #member(): readonly CodeRange[] {
    const point = this.#take();
    return point === '\\' ? this.#escape(true) : one(point);
  }

  #escape(isInClass = false): readonly CodeRange[] {
    const point = this.#take();
    const known = classes[point];
    if (known !== undefined) return known;
    const control = controls[point];
    if (control !== undefined) return [[control, control]];
    if (point === 'x') return this.#hex(2);
    if (point === 'u') return this.#isNext('{') ? this.#hexInBraces() : this.#hex(4);
    if (/^[\^$\\.*+?()[\]{}|/]$/.test(point) || (isInClass && point === '-')) return one(point);
    throw new PatternFault(`has \\${point}, which is not known here`);
  }

  #hex(length: number): readonly CodeRange[] {
    const text = this.#points.slice(this.#at, this.#at + length).join('');
    if (!/^[0-9a-f]+$/i.test(text) || text.length !== length) throw new PatternFault('has a broken escape');
    this.#at += length;
    const code = Number.parseInt(text, 16);
    if (code >= 0xd800 && code <= 0xdfff)
      throw new PatternFault('has half of a surrogate pair; write \\u{…}');
    return [[code, code]];
  }

  #hexInBraces(): readonly CodeRange[] {
    let text = '';
    while (!this.#isNext('}')) text += this.#take();
    const code = /^[0-9a-f]{1,6}$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
    if (!(code <= lastPoint)) throw new PatternFault('has a broken escape');
    return [[code, code]];
  }

  #take(): string {
    const point = this.#points[this.#at];
    if (point === undefined) throw new PatternFault('ends too early');
    this.#at += 1;
    return point;
  }

  #isNext(point: string): boolean {
    if (this.#points[this.#at] !== point) return false;
    this.#at += 1;
    return true;
  }
}

function one(point: string): readonly CodeRange[] {
  const code = point.codePointAt(0) ?? 0;
  return [[code, code]];
}

function between(first: readonly CodeRange[], last: readonly CodeRange[]): CodeRange {
  const [[from, fromEnd] = [0, -1]] = first;
  const [[toBegin, to] = [0, -1]] = last;
  if (first.length !== 1 || last.length !== 1 || from !== fromEnd || toBegin !== to)
    throw new PatternFault('has a class of characters at an end of a range');
  if (to < from) throw new PatternFault('has a range in the wrong order');
  return [from, to];
}
