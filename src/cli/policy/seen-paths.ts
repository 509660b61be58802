// Paths that were requested at one destination, as templates with their counts; how much of them is kept does not grow with how often
// or how variously something was asked for.

import { admits, literalPattern, pathTemplate } from './path-template.ts';

/** More templates than this on one host are no list that anybody reads. */
const patternsMax = 200;
/** Templates of paths that were seen lately: most requests repeat. */
const rememberedMax = 10_000;

interface Seen {
  /** Paths for which nothing but the template can stand. */
  count: number;
  /** Others by the pattern that admits just them; undefined once they alone are more than a list. */
  literals: Map<string, number> | undefined;
  /** Of those that are in no list any more. */
  more: number;
}

/** A list of paths of one set of methods. */
export interface PathRule {
  readonly methods: readonly string[];
  /** Templates with what was seen of each; undefined: any path. */
  readonly paths: ReadonlyMap<string, number> | undefined;
  readonly count: number;
}

interface Template {
  readonly methods: Set<string>;
  count: number;
}

export class SeenPaths {
  /** By pattern, and by method; the pattern is undefined where none can be written. Undefined once there are too many. */
  #patterns: Map<string | undefined, Map<string, Seen>> | undefined = new Map();
  readonly #methods = new Set<string>();
  readonly #remembered = new Map<
    string,
    { readonly pattern: string | undefined; readonly literal: string | undefined }
  >();
  #count = 0;

  note(method: string, path: string, count = 1): void {
    this.#methods.add(method);
    this.#count += count;
    if (this.#patterns === undefined) return;
    const { pattern, literal } = this.#read(path);
    const byMethod = this.#patterns.get(pattern) ?? new Map<string, Seen>();
    this.#patterns.set(pattern, byMethod);
    if (this.#patterns.size > patternsMax) {
      this.#patterns = undefined;
      this.#remembered.clear();
      return;
    }
    const seen = byMethod.get(method) ?? { count: 0, literals: new Map<string, number>(), more: 0 };
    byMethod.set(method, seen);
    if (literal === undefined) seen.count += count;
    else noteLiteral(seen, literal, count);
  }

  #read(path: string): { readonly pattern: string | undefined; readonly literal: string | undefined } {
    const known = this.#remembered.get(path);
    if (known !== undefined) return known;
    const pattern = pathTemplate(path);
    const literal = literalPattern(path);
    const isOther = pattern !== undefined && pattern !== literal && admits(literal, path);
    const read = { pattern, literal: isOther ? literal : undefined };
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(path, read);
    return read;
  }

  /** Where a template would admit what was denied, its paths themselves stand for it. */
  rules(isContradicted: (method: string, pattern: string) => boolean): readonly PathRule[] {
    const templates = this.#templates(isContradicted);
    if (templates === undefined) {
      if (this.#count === 0) return [];
      return [{ methods: [...this.#methods].toSorted(), paths: undefined, count: this.#count }];
    }
    const rules = new Map<
      string,
      { methods: readonly string[]; paths: Map<string, number> | undefined; count: number }
    >();
    for (const [pattern, { methods, count }] of templates) {
      const sorted = [...methods].toSorted();
      const key = JSON.stringify([sorted, pattern === undefined]);
      const rule = rules.get(key) ?? {
        methods: sorted,
        paths: pattern === undefined ? undefined : new Map<string, number>(),
        count: 0,
      };
      rules.set(key, rule);
      rule.count += count;
      if (pattern !== undefined) rule.paths?.set(pattern, count);
    }
    return [...rules.values()];
  }

  /** Undefined where there are too many. */
  #templates(
    isContradicted: (method: string, pattern: string) => boolean,
  ): ReadonlyMap<string | undefined, Template> | undefined {
    if (this.#patterns === undefined) return undefined;
    const templates = new Map<string | undefined, Template>();
    const add = (pattern: string | undefined, method: string, count: number): void => {
      if (count === 0) return;
      const template = templates.get(pattern) ?? { methods: new Set<string>(), count: 0 };
      templates.set(pattern, template);
      template.methods.add(method);
      template.count += count;
    };
    for (const [pattern, byMethod] of this.#patterns) {
      for (const [method, { count, literals, more }] of byMethod) {
        const isLiteral = pattern !== undefined && isContradicted(method, pattern);
        if (isLiteral && literals === undefined) return undefined;
        const known = [...(literals ?? [])];
        add(pattern, method, count + (isLiteral ? 0 : known.reduce((sum, [, of]) => sum + of, more)));
        if (isLiteral) for (const [literal, of] of known) add(literal, method, of);
      }
    }
    return templates.size > patternsMax ? undefined : templates;
  }
}

function noteLiteral(seen: Seen, literal: string, count: number): void {
  const { literals } = seen;
  if (literals === undefined) {
    seen.more += count;
    return;
  }
  literals.set(literal, (literals.get(literal) ?? 0) + count);
  if (literals.size <= patternsMax) return;
  for (const of of literals.values()) seen.more += of;
  seen.literals = undefined;
}
