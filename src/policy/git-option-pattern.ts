// Patterns for push options, such as `merge_request.*`: `*` is any text, also with slashes in it.

import { matchesSegment, patternLengthMax } from './star-pattern.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';

/** A compiled pattern for one option of a push. */
export class GitOptionPattern {
  readonly source: string;

  private constructor(source: string) {
    this.source = source;
  }

  /** A string is the reason why it is none, and what to write. */
  static parse(source: string): GitOptionPattern | string {
    if (source === '' || source.length > patternLengthMax)
      return `an option is 1 to ${patternLengthMax} characters long; write what follows git push -o, such as ci.skip or merge_request.*`;
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(source))
      return 'an option has no control characters; write what follows git push -o, such as ci.skip or merge_request.*';
    return new GitOptionPattern(source);
  }

  /** It is no bound. */
  get isAny(): boolean {
    return this.source === '*';
  }

  matches(option: string, work: MatchingWork = unmeasured): boolean {
    return work.spend(option.length) && matchesSegment(this.source, option, work);
  }

  /** As servers that ignore case would take it. */
  matchesAnyCase(option: string, work: MatchingWork = unmeasured): boolean {
    const inOneCase = (text: string): string => text.normalize('NFC').toLowerCase();
    return work.spend(option.length) && matchesSegment(inOneCase(this.source), inOneCase(option), work);
  }

  /** Whether every option that `inner` matches is known to be matched by this pattern too. False when in doubt. */
  covers(inner: GitOptionPattern): boolean {
    if (this.isAny || this.source === inner.source) return true;
    return !inner.source.includes('*') && this.matches(inner.source);
  }
}
