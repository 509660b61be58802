// Patterns of one piece, in which `*` is any text: a segment of a name of git, an option of a push, a tool of MCP.

import type { MatchingWork } from './matching-work.ts';

/** A workload chooses the name, an operator the pattern; neither is longer in practice. */
export const patternLengthMax = 256;

/** Of a name that is taken apart, or tried behind a star. */
export const charactersPerStep = 4;

/** `*` is any text, also none. The last star takes the slack, so the work is the product of two short lengths at most. */
export function matchesSegment(pattern: string, text: string, work: MatchingWork): boolean {
  if (!pattern.includes('*')) return pattern === text;
  let [at, from, star, starText] = [0, 0, -1, 0];
  while (from < text.length) {
    if (!work.spend(1 / charactersPerStep)) return false;
    if (pattern[at] === '*') {
      star = at++;
      starText = from;
    } else if (at < pattern.length && pattern[at] === text[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      from = ++starText;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
