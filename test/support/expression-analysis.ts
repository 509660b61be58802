// Whether a regular expression is proven to take time linear in its input, by an analysis that errs on the safe side.
//
// An expression is taken for an automaton of its characters (Glushkov). Where each next character leaves one way to go on
// from inside of a loop, nothing is tried twice. An expression that may begin anywhere must besides not fail behind a loop,
// or each beginning could look through the rest. https://doi.org/10.1145/3236024.3236027 has what goes wrong otherwise.

type Node =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'begin' | 'end' | 'edge' | 'unknown' };

/** Characters above 0xff are one. */
const codes = 257;

interface Facts {
  readonly nullable: boolean;
  readonly first: ReadonlySet<number>;
  readonly last: ReadonlySet<number>;
}

/** Undefined if it is linear; else why that is not proven. */
export function unprovenReason(source: string, flags: string): string | undefined {
  const parser = new ExpressionParser(source, flags);
  const tree = parser.parse();
  if (tree === undefined) return 'it has a part that the analysis does not know';
  const branches = tree.kind === 'choice' ? tree.parts : [tree];
  for (const branch of branches) {
    const reason = new Automaton(branch, flags.includes('y')).reason();
    if (reason !== undefined) return reason;
  }
  return undefined;
}

class Automaton {
  readonly #sets: Uint8Array[] = [];
  readonly #loops: boolean[] = [];
  readonly #follow: Set<number>[] = [];
  readonly #isAnchored: boolean;
  readonly #facts: Facts;
  #failsBehindLoop = false;

  constructor(tree: Node, isSticky: boolean) {
    this.#isAnchored = isSticky || startsAtBegin(tree);
    this.#facts = this.#build(tree, false);
  }

  reason(): string | undefined {
    const ambiguous = [this.#facts.first, ...this.#follow].some((next) => this.#isAmbiguous(next));
    if (ambiguous) return 'a character inside of a loop can be taken in two ways';
    if (!this.#isAnchored && (this.#failsBehindLoop || this.#goesOnBehindLoop()))
      return 'it may begin anywhere, and fail behind a loop';
    return undefined;
  }

  #isAmbiguous(next: ReadonlySet<number>): boolean {
    const all = [...next];
    return all.some((one, i) =>
      all
        .slice(i + 1)
        .some(
          (other) => (this.#loops[one] === true || this.#loops[other] === true) && this.#overlap(one, other),
        ),
    );
  }

  #overlap(one: number, other: number): boolean {
    const [a, b] = [this.#sets[one], this.#sets[other]];
    return a?.some((has, code) => has === 1 && b?.[code] === 1) === true;
  }

  /** What follows a loop must be there, and may be missing after all of the loop was read. */
  #goesOnBehindLoop(): boolean {
    const { last } = this.#facts;
    return this.#follow.some((next, from) => this.#loops[from] === true && !last.has(from) && next.size > 0);
  }

  #build(node: Node, isInLoop: boolean): Facts {
    switch (node.kind) {
      case 'set':
        this.#sets.push(node.set);
        this.#loops.push(isInLoop);
        this.#follow.push(new Set());
        return {
          nullable: false,
          first: new Set([this.#sets.length - 1]),
          last: new Set([this.#sets.length - 1]),
        };
      case 'sequence':
        return this.#sequence(node.parts, isInLoop);
      case 'choice': {
        const all = node.parts.map((part) => this.#build(part, isInLoop));
        return {
          nullable: all.some(({ nullable }) => nullable),
          first: new Set(all.flatMap(({ first }) => Array.from(first))),
          last: new Set(all.flatMap(({ last }) => Array.from(last))),
        };
      }
      case 'repeat': {
        const facts = this.#build(node.part, isInLoop || node.max === Infinity);
        if (node.max > 1)
          for (const from of facts.last) for (const to of facts.first) this.#follow[from]?.add(to);
        return { ...facts, nullable: facts.nullable || node.min === 0 };
      }
      default:
        return { nullable: true, first: new Set(), last: new Set() };
    }
  }

  #sequence(parts: readonly Node[], isInLoop: boolean): Facts {
    let sum: Facts = { nullable: true, first: new Set(), last: new Set() };
    for (const part of parts) {
      if ((part.kind === 'end' || part.kind === 'edge') && this.#mayFail(sum.last))
        this.#failsBehindLoop = true;
      const next = this.#build(part, isInLoop);
      for (const from of sum.last) for (const to of next.first) this.#follow[from]?.add(to);
      sum = {
        nullable: sum.nullable && next.nullable,
        first: sum.nullable ? sum.first.union(next.first) : sum.first,
        last: next.nullable ? sum.last.union(next.last) : next.last,
      };
    }
    return sum;
  }

  /** An end behind a loop of every character is always there. */
  #mayFail(last: ReadonlySet<number>): boolean {
    return [...last].some(
      (one) => this.#loops[one] === true && this.#sets[one]?.every((has) => has === 1) !== true,
    );
  }
}

function startsAtBegin(node: Node): boolean {
  if (node.kind === 'begin') return true;
  if (node.kind === 'sequence') return node.parts[0] !== undefined && startsAtBegin(node.parts[0]);
  return node.kind === 'choice' && node.parts.every(startsAtBegin);
}

/** Classes, groups, quantifiers, anchors, and looks ahead or behind at single characters, which cost one step. */
class ExpressionParser {
  readonly #source: string;
  readonly #flags: string;
  #at = 0;
  #isKnown = true;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  parse(): Node | undefined {
    const node = this.#choice();
    return this.#isKnown && this.#at === this.#source.length ? node : undefined;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#takes('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] ?? { kind: 'unknown' }) : { kind: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at] ?? ''))
      parts.push(this.#repeat());
    return { kind: 'sequence', parts };
  }

  #repeat(): Node {
    const part = this.#atom();
    const found = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(this.#source.slice(this.#at));
    if (found === null) return part;
    const [text, least, comma, most] = found;
    this.#at += text.length;
    if (text.startsWith('*')) return { kind: 'repeat', part, min: 0, max: Infinity };
    if (text.startsWith('+')) return { kind: 'repeat', part, min: 1, max: Infinity };
    if (text.startsWith('?')) return { kind: 'repeat', part, min: 0, max: 1 };
    const max = comma === undefined ? Number(least) : most === '' ? Infinity : Number(most);
    return { kind: 'repeat', part, min: Number(least), max };
  }

  #atom(): Node {
    if (this.#takes('(')) return this.#group();
    if (this.#takes('^')) return { kind: this.#flags.includes('m') ? 'edge' : 'begin' };
    if (this.#takes('$')) return { kind: 'end' };
    if (this.#takes('[')) return { kind: 'set', set: this.#class() };
    if (this.#takes('.'))
      return { kind: 'set', set: this.#flags.includes('s') ? every() : inverted(setOf('\n\r')) };
    if (/^\\[bB]/.test(this.#source.slice(this.#at))) {
      this.#at += 2;
      return { kind: 'edge' };
    }
    return { kind: 'set', set: this.#character() };
  }

  #group(): Node {
    const kind = /^\?(?::|<?[=!]|<[A-Za-z]\w*>)/.exec(this.#source.slice(this.#at))?.[0] ?? '';
    this.#at += kind.length;
    const node = this.#choice();
    if (!this.#takes(')')) this.#isKnown = false;
    if (kind === '' || kind === '?:' || kind.endsWith('>')) return node;
    if (isBounded(node)) return { kind: 'edge' };
    this.#isKnown = false;
    return { kind: 'unknown' };
  }

  #class(): Uint8Array {
    const isInverted = this.#takes('^');
    const set = new Uint8Array(codes);
    while (this.#at < this.#source.length && !this.#takes(']')) {
      const from = this.#character();
      const isRange =
        this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']' && only(from) !== undefined;
      if (!isRange) {
        add(set, from);
        continue;
      }
      this.#at += 1;
      const to = this.#character();
      for (let code = only(from) ?? 0; code <= (only(to) ?? 0); code++) set[code] = 1;
    }
    return this.#withCases(isInverted ? inverted(set) : set);
  }

  #character(): Uint8Array {
    const char = this.#source[this.#at++] ?? '';
    if (char !== '\\') return this.#withCases(setOf(char));
    const escaped = this.#source[this.#at++] ?? '';
    const hex = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(this.#source.slice(this.#at - 1));
    if (hex !== null) {
      this.#at += hex[0].length - 1;
      const set = new Uint8Array(codes);
      set[Math.min(Number.parseInt(hex[1] ?? hex[2] ?? '', 16), codes - 1)] = 1;
      return set;
    }
    if (escaped === 'p' || escaped === 'P') {
      this.#at = this.#source.indexOf('}', this.#at) + 1;
      return every();
    }
    const digits = '0123456789';
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    const words = `${digits}${letters}${letters.toUpperCase()}_`;
    const known: Readonly<Record<string, Uint8Array>> = {
      d: setOf(digits),
      D: inverted(setOf(digits)),
      w: setOf(words),
      W: inverted(setOf(words)),
      s: setOf(' \t\n\r\v\f\u00a0\u2000'),
      S: inverted(setOf(' \t\n\r\v\f\u00a0')),
      n: setOf('\n'),
      r: setOf('\r'),
      t: setOf('\t'),
      0: setOf('\0'),
    };
    if (known[escaped] === undefined && /[1-9k]/.test(escaped)) this.#isKnown = false;
    return known[escaped] ?? setOf(escaped);
  }

  #withCases(set: Uint8Array): Uint8Array {
    if (!this.#flags.includes('i')) return set;
    const both = set.slice();
    for (let code = 0x41; code <= 0x5a; code++) {
      if (set[code] === 1 || set[code + 0x20] === 1) both[code] = both[code + 0x20] = 1;
    }
    return both;
  }

  #takes(char: string): boolean {
    if (this.#source[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }
}

function isBounded(node: Node): boolean {
  if (node.kind === 'repeat') return node.max <= 64 && isBounded(node.part);
  return node.kind === 'sequence' || node.kind === 'choice' ? node.parts.every(isBounded) : true;
}

function setOf(chars: string): Uint8Array {
  const set = new Uint8Array(codes);
  for (const char of chars) set[Math.min(char.charCodeAt(0), codes - 1)] = 1;
  return set;
}

const every = (): Uint8Array => new Uint8Array(codes).fill(1);
const inverted = (set: Uint8Array): Uint8Array => set.map((has) => 1 - has);

function add(to: Uint8Array, set: Uint8Array): void {
  for (const [code, has] of set.entries()) if (has === 1) to[code] = 1;
}

/** The one character of a set. */
function only(set: Uint8Array): number | undefined {
  const at = set.indexOf(1);
  return at >= 0 && set.indexOf(1, at + 1) < 0 ? at : undefined;
}
