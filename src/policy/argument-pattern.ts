// What a text or an argument has to be, of a tool of MCP or a field of GraphQL: an operator's pattern beside what a workload wrote.

import {
  InexactNumber,
  isAlike,
  JsonObject,
  type JsonValue,
  memberOf,
  UnreadableBody,
} from '../understand/json-value.ts';
import type { ClaimPattern } from './claim-pattern.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { matchesSegment } from './star-pattern.ts';

/** A pattern and a text that a workload chose, with what it costs to compare them. */
export function matchesText(pattern: string, text: string, work: MatchingWork): boolean {
  return work.spend(1 + text.length / charactersPerStep) && matchesSegment(pattern, text, work);
}

/** As one that denies does: servers can be lax. */
export function matchesAnyCase(pattern: string, text: string, work: MatchingWork): boolean {
  return matchesText(inOneCase(pattern), inOneCase(text), work);
}

const inOneCase = (text: string): string => text.normalize('NFC').toLowerCase();
const charactersPerStep = 8;

/** Whether all patterns fit. A name that differs in letter case alone is another member to some servers, and the same one to others. */
export function fitsMembers(
  patterns: Readonly<Record<string, ClaimPattern>>,
  object: JsonObject,
  work: MatchingWork,
  anyCase: boolean,
): boolean {
  if (!work.spend(object.members.size)) return false;
  return Object.entries(patterns).every(([name, pattern]) => {
    if (anyCase)
      return [...object.members].some(
        ([other, value]) => isAlike(other, name) && fits(pattern, value, work, anyCase),
      );
    const value = memberOf(object, name);
    return !(value instanceof UnreadableBody) && fits(pattern, value, work, anyCase);
  });
}

/** As for claims: a list fits if one of its values does in a rule that denies, and if all of them do in one that allows. */
function fits(
  pattern: ClaimPattern,
  value: JsonValue | undefined,
  work: MatchingWork,
  anyCase: boolean,
): boolean {
  if (value === undefined || !work.spend(1)) return false;
  if (Array.isArray(value)) {
    // What Array.isArray leaves of a union with a readonly array; the runtime check is the proof.
    const items = value as readonly JsonValue[];
    const fitsItem = (item: JsonValue): boolean => fits(pattern, item, work, anyCase);
    return anyCase ? items.some(fitsItem) : items.length > 0 && items.every(fitsItem);
  }
  if (typeof pattern !== 'object') return fitsOne(pattern, value, work, anyCase);
  if (isList(pattern)) return pattern.some((one) => fits(one, value, work, anyCase));
  return value instanceof JsonObject && fitsMembers(pattern, value, work, anyCase);
}

/** In a rule that denies, values of other types count as servers take them that are lax: `"5"`, 5 and 5.0 are one. */
function fitsOne(
  pattern: string | number | boolean,
  value: JsonValue,
  work: MatchingWork,
  anyCase: boolean,
): boolean {
  if (anyCase) {
    if (typeof value === 'object' && !(value instanceof InexactNumber)) return false;
    const text = value instanceof InexactNumber ? value.text : String(value);
    return Number(text) === Number(pattern) || matchesAnyCase(String(pattern), text, work);
  }
  if (typeof pattern !== 'string' || typeof value !== 'string') return pattern === value;
  // What a star stands for leads nowhere else.
  return matchesText(pattern, value, work) && !(pattern.includes('*') && dotSegment.test(value));
}

const dotSegment = /(?:^|[\\/])\.{1,2}(?:[\\/]|$)/;

function isList(pattern: object): pattern is readonly (string | number | boolean)[] {
  return Array.isArray(pattern);
}

/** Whether everything that `inner` matches is known to be matched by `outer`. */
export function patternCovers(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true;
  return !inner.includes('*') && matchesSegment(outer, inner, unmeasured);
}
