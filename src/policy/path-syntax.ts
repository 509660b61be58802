// The syntax of path patterns: that of URLPattern pathnames, without regular expressions.
// https://urlpattern.spec.whatwg.org/#parse-pattern-strings

import { canonicalTarget } from '../http/request-target.ts';

/** `?` optional, `+` one or more, `*` any number of times. */
export type Modifier = '' | '?' | '+' | '*';

/**
 * `segment` is `:name` (one or more bytes, no slash), `any` is `*` (anything, slashes too), `group` is `{…}` around
 * plain text, which then stands in `prefix`. A modifier repeats the prefix and suffix as well.
 */
export type PathPart =
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'segment' | 'any' | 'group';
      readonly prefix: string;
      readonly suffix: string;
      readonly modifier: Modifier;
    };

/** Reads a pattern into parts; a string is the reason why it is none, and what to write. */
export function parsePathSyntax(source: string): readonly PathPart[] | string {
  if (!source.startsWith('/') && !source.startsWith('{/')) {
    const mistaken = regularExpression(source) ?? urlProblem(source);
    if (mistaken !== undefined) return `the path pattern ${quote(source)} ${mistaken}`;
    return `the path pattern ${quote(source)} must start with "/"; write ${quote(`/${source}`)}`;
  }
  const reader = new PatternReader(source);
  const parts = reader.read();
  if (typeof parts === 'string') return `the path pattern ${quote(source)} ${parts}`;
  const sample = parts
    .map((part) => (part.kind === 'literal' ? part.text : `${part.prefix}x${part.suffix}`))
    .join('');
  const problem = canonicalProblem(sample);
  if (problem !== undefined) return `the path pattern ${quote(source)} ${problem}`;
  return parts;
}

/** Who writes `^/v1` has other gateways in mind; what is meant can be said here in most cases. */
function regularExpression(source: string): string | undefined {
  if (!source.startsWith('^')) return undefined;
  const isWhole = source.endsWith('$');
  const meant = source
    .slice(1, isWhole ? -1 : undefined)
    .replaceAll(/\[\^\/\][+*]/g, ':name')
    .replaceAll('.*', '*')
    .replaceAll('\\/', '/');
  const told = 'is written as a regular expression, which has no meaning here; ';
  const isPlain = meant.startsWith('/') && /^[\w/:*~%@-]*$/.test(meant);
  if (!isPlain)
    return `${told}a pattern is the whole path, with :name for one segment and * for anything, as in "/v1/*"`;
  if (isWhole || meant.endsWith('*')) return `${told}write ${quote(meant)}`;
  return `${told}write ${quote(`${meant}*`)} for what begins so`;
}

function urlProblem(source: string): string | undefined {
  const scheme = /^[a-z][a-z0-9+.-]{0,20}:\/\//i.exec(source)?.[0];
  if (scheme === undefined) return undefined;
  const slash = source.indexOf('/', scheme.length);
  return `is a URL; write only its path: ${quote(slash < 0 ? '/' : source.slice(slash))}`;
}

/** Why no canonical path can look like this one. */
function canonicalProblem(sample: string): string | undefined {
  if (sample.split('/').some((segment) => segment === '.' || segment === '..')) {
    return 'has a "." or ".." segment, which canonical paths never have; leave it out';
  }
  let canonical: string;
  try {
    canonical = canonicalTarget(sample).path;
  } catch (error) {
    return `can never match, for such paths are refused: ${error instanceof Error ? error.message : String(error)}`;
  }
  return canonical === sample ? undefined : `can never match; canonical paths look like ${quote(canonical)}`;
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 80));

class PatternReader {
  readonly #source: string;
  #at = 0;
  #literal = '';
  readonly #parts: PathPart[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  read(): readonly PathPart[] | string {
    while (this.#at < this.#source.length) {
      const problem = this.#step();
      if (problem !== undefined) return problem;
    }
    this.#flush();
    return this.#parts;
  }

  #step(): string | undefined {
    const char = this.#source[this.#at] ?? '';
    if (char === '{') return this.#group();
    if (char === '}') return 'has a "}" without "{"; write \\} for a brace';
    if (char === '*' || char === ':') {
      const before = this.#literal.at(-1) ?? (this.#parts.length > 0 ? '}' : '');
      const problem = this.#wildcardProblem(before);
      if (problem !== undefined) return problem;
      const kind = this.#wildcard();
      const modifier = this.#modifier();
      // A slash right before belongs to what the modifier repeats (URLPattern's prefix code point).
      const takesSlash = modifier !== '' && this.#literal.endsWith('/');
      if (takesSlash) this.#literal = this.#literal.slice(0, -1);
      this.#flush();
      this.#parts.push({ kind, prefix: takesSlash ? '/' : '', suffix: '', modifier });
      return undefined;
    }
    const text = this.#text();
    if (text.problem !== undefined) return text.problem;
    this.#literal += text.text;
    return undefined;
  }

  #flush(): void {
    if (this.#literal !== '') this.#parts.push({ kind: 'literal', text: this.#literal });
    this.#literal = '';
  }

  #wildcardProblem(before: string): string | undefined {
    if (this.#source[this.#at] !== ':') return undefined;
    const name = /^:[A-Za-z_$][\w$]*/.exec(this.#source.slice(this.#at))?.[0];
    if (name === undefined)
      return 'has a ":" without a name; write \\: for a colon, or :name for one segment';
    const isAfterEncoded = /%[0-9a-f]{2}$/i.test(this.#source.slice(0, this.#at));
    if (/[\w-]/.test(before) && !isAfterEncoded) {
      return `has ${name} inside a segment, which matches any text there; write \\${name} if the colon is meant literally`;
    }
    return undefined;
  }

  #wildcard(): 'any' | 'segment' {
    if (this.#source[this.#at] === '*') {
      this.#at += 1;
      return 'any';
    }
    this.#at += /^:[\w$]+/.exec(this.#source.slice(this.#at))?.[0].length ?? 1;
    return 'segment';
  }

  #modifier(): Modifier {
    const char = this.#source[this.#at];
    if (char !== '?' && char !== '+' && char !== '*') return '';
    this.#at += 1;
    return char;
  }

  #group(): string | undefined {
    this.#flush();
    this.#at += 1;
    let prefix = '';
    let suffix = '';
    let kind: 'group' | 'any' | 'segment' = 'group';
    while (this.#source[this.#at] !== '}') {
      const char = this.#source[this.#at];
      if (char === undefined) return 'has a "{" without "}"; close the group';
      if (char === '{') return 'has a group inside a group; write it as two patterns';
      if (char === '*' || char === ':') {
        if (kind !== 'group') return 'has two wildcards in one group; write it as two groups';
        const problem = this.#wildcardProblem(prefix.at(-1) ?? '');
        if (problem !== undefined) return problem;
        kind = this.#wildcard();
        continue;
      }
      const text = this.#text();
      if (text.problem !== undefined) return text.problem;
      if (kind === 'group') prefix += text.text;
      else suffix += text.text;
    }
    this.#at += 1;
    const modifier = this.#modifier();
    if (kind === 'group' && modifier === '') this.#parts.push({ kind: 'literal', text: prefix });
    else this.#parts.push({ kind, prefix, suffix, modifier });
    return undefined;
  }

  /** The whole character there, which may be two code units; empty at the end. */
  #character(at: number): string {
    const code = this.#source.codePointAt(at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  /** One literal character in canonical form: upper-case hex, unreserved characters not encoded. */
  #text(): { readonly text: string; readonly problem?: undefined } | { readonly problem: string } {
    const char = this.#character(this.#at);
    if (char === '\\') {
      const escaped = this.#character(this.#at + 1);
      if (escaped === '') return { problem: 'ends with a "\\"; write the character that it escapes' };
      this.#at += 1 + escaped.length;
      return literalCharacter(escaped);
    }
    if (char === '(' || char === ')') {
      return {
        problem: `has a "${char}"; regular expressions are not supported, so use :name, * and {…}? (\\${char} for the character)`,
      };
    }
    if (char === '?') return { problem: 'has a "?"; patterns see the path only, so leave the query out' };
    if (char === '+') {
      this.#at += 1;
      return { text: '+' };
    }
    if (char !== '%') {
      this.#at += char.length;
      return literalCharacter(char);
    }
    const hex = this.#source.slice(this.#at + 1, this.#at + 3);
    if (!/^[0-9a-f]{2}$/i.test(hex))
      return { problem: 'has a "%" without two hex digits; write %25 for a percent sign' };
    this.#at += 3;
    const decoded = String.fromCharCode(Number.parseInt(hex, 16));
    return { text: /[\w.~-]/.test(decoded) ? decoded : `%${hex.toUpperCase()}` };
  }
}

/** A character as canonical paths carry it: plain where it may stand plain, else percent-encoded UTF-8. */
function literalCharacter(
  char: string,
): { readonly text: string; readonly problem?: undefined } | { readonly problem: string } {
  if (char === '#') return { problem: 'has a "#"; fragments are never sent, so leave it out' };
  if (/^[\w.~!$&'()*+,;=:@/-]$/.test(char)) return { text: char };
  const code = char.charCodeAt(0);
  const isHalf = char.length === 1 && code >= 0xd800 && code <= 0xdfff;
  if (code < 0x20 || code === 0x7f || char === '\\' || isHalf) {
    return { problem: `has the character ${JSON.stringify(char)}, which is refused in paths; leave it out` };
  }
  return { text: encodeURIComponent(char) };
}
