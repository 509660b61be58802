// Patterns for names made of segments, as repositories and refs are: `*` is any text inside of a segment, `**` at the
// end one or more segments. Matched without backtracking over the whole: a workload chooses the names.

import { type MatchingWork, unmeasured } from './matching-work.ts';
import { charactersPerStep, matchesSegment, patternLengthMax } from './star-pattern.ts';

/** A compiled pattern for the path of a repository or the name of a ref. */
export class GitPattern {
  readonly source: string;
  readonly #segments: readonly string[];
  readonly #isOpen: boolean;
  /** The segments before the first wildcard. */
  readonly literalSegments: readonly string[];
  /** It has no wildcard. */
  readonly isLiteral: boolean;

  private constructor(source: string) {
    const segments = source.split('/');
    this.source = source;
    this.#isOpen = segments.at(-1) === '**';
    this.#segments = this.#isOpen ? segments.slice(0, -1) : segments;
    const wildcard = segments.findIndex((segment) => segment.includes('*'));
    this.isLiteral = wildcard < 0;
    this.literalSegments = this.isLiteral ? segments : segments.slice(0, wildcard);
  }

  /** `acme/app`, `acme/*`, `acme/**`; a string is the reason why it is none, and what to write. */
  static parseRepository(source: string): GitPattern | string {
    const shown = JSON.stringify(source.slice(0, 80));
    if (source.includes('://'))
      return `${shown} is a URL; write the path of the repository, such as acme/app`;
    if (/^\/|\/$/.test(source))
      return `${shown} begins or ends with a slash; write the path of the repository, such as acme/app`;
    if (source.endsWith('.git')) return `${shown} ends with .git, which stands for both forms; leave it out`;
    return commonProblem(source) ?? new GitPattern(source);
  }

  /** `refs/heads/main`, `refs/heads/agent/**`; a string is the reason why it is none, and what to write. */
  static parseRef(source: string): GitPattern | string {
    if (!source.startsWith('refs/')) {
      const shown = JSON.stringify(source.slice(0, 80));
      return `${shown} is not the whole name of a ref; write refs/heads/${source.replace(/^\/|\/$/g, '').slice(0, 80)} for a branch, or refs/tags/… for a tag`;
    }
    return commonProblem(source) ?? new GitPattern(source);
  }

  matches(name: string, work: MatchingWork = unmeasured): boolean {
    return work.spend(name.length / charactersPerStep) && this.matchesSegments(name.split('/'), work);
  }

  /** As servers whose names ignore case would take it. */
  matchesAnyCase(name: string, work: MatchingWork = unmeasured): boolean {
    return (
      work.spend(name.length / charactersPerStep) && this.matchesAnyCaseSegments(anyCaseSegments(name), work)
    );
  }

  matchesSegments(segments: readonly string[], work: MatchingWork = unmeasured): boolean {
    return this.#matches(segments, (segment) => segment, work);
  }

  /** The segments as `anyCaseSegments` gives them. */
  matchesAnyCaseSegments(segments: readonly string[], work: MatchingWork = unmeasured): boolean {
    return this.#matches(segments, (segment) => segment.toLowerCase(), work);
  }

  /** Whether every name that `inner` matches is known to be matched by this pattern too. False when in doubt. */
  covers(inner: GitPattern): boolean {
    if (this.isLiteral) return this.source === inner.source;
    const [own, others] = [this.#segments, inner.#segments];
    if (!this.#isOpen && (inner.#isOpen || own.length !== others.length)) return false;
    // `a/**` is no `a` itself, which has to have something behind.
    if (this.#isOpen && others.length + (inner.#isOpen ? 1 : 0) <= own.length) return false;
    return own.every((segment, i) => {
      const other = others[i];
      if (other === undefined) return false;
      return (
        segment === other ||
        segment === '*' ||
        (!other.includes('*') && matchesSegment(segment, other, unmeasured))
      );
    });
  }

  #matches(names: readonly string[], prepare: (segment: string) => string, work: MatchingWork): boolean {
    const own = this.#segments;
    if (this.#isOpen ? names.length <= own.length : names.length !== own.length) return false;
    return (
      own.every((segment, i) => matchesSegment(prepare(segment), names[i] ?? '', work)) && !names.includes('')
    );
  }
}

/** The segments of a name for servers whose names ignore case. */
export function anyCaseSegments(name: string): readonly string[] {
  return name.normalize('NFC').toLowerCase().split('/');
}

function commonProblem(source: string): string | undefined {
  const shown = JSON.stringify(source.slice(0, 80));
  if (source.length > patternLengthMax) return `a pattern is at most ${patternLengthMax} characters long`;
  if (source.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
    return `${shown} has an empty segment, or one of dots; leave it out`;
  if (!/^[\w.~!$&'()+,;=@%*/-]+$/.test(source))
    return `${shown} has a character that does not stand in such names; percent-encode it in a repository, leave it out of a ref`;
  const inner = source.endsWith('/**') ? source.slice(0, -3) : source === '**' ? '' : source;
  if (inner.includes('**')) return `${shown} has "**" before its end; write * for one segment`;
  return undefined;
}
