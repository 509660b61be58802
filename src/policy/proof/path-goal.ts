// What is looked for among paths, and whether one path is it: by the very functions that decide about requests.

import { readingsFor, type PathReading, readPath } from '../../http/path-reading.ts';
import type { PathPattern } from '../path-pattern.ts';

/** The paths of one rule; undefined: every path. */
export type PathCondition = readonly PathPattern[] | undefined;

/** Rules that are for one destination and method. */
export interface PathRules {
  readonly allows: readonly PathCondition[];
  readonly denies: readonly PathCondition[];
  /** What no rule allows and none denies is let through. */
  readonly isOpen: boolean;
}

export interface PathGoal {
  /** The paths that are asked about, in whatever reading. */
  readonly question: PathCondition;
  /** Each lets it through. */
  readonly allowing: readonly PathRules[];
  /** It does not; undefined: nobody is asked. */
  readonly refusing?: PathRules | undefined;
}

/**
 * Every reading of every path is one of these. One that a path does not have gives the same text as one that it has. So all
 * of them can be asked about each path, but for patterns that `areReadTogether` excepts.
 */
export const allReadings: readonly PathReading[] = readingsFor(0xff);

/**
 * Whether a rule that allows by these patterns is asked alike in all readings and in those that a path has. Where one pattern
 * matches in one reading and another in the next, or a part may be absent, a pattern can have text for readings that the path
 * does not have: then fewer paths are found to be allowed than are.
 */
export function areReadTogether(patterns: PathCondition): boolean {
  const encoded = (patterns ?? []).filter(({ features }) => features !== 0);
  const areWhole = encoded.every(({ parts }) =>
    parts.every((part) => part.kind === 'literal' || part.modifier === ''),
  );
  return encoded.length === 0 || (patterns?.length === 1 && areWhole);
}

export function matchesIn(patterns: PathCondition, path: string, reading: PathReading): boolean {
  if (patterns === undefined) return true;
  const text = readPath(path, reading);
  return patterns.some((pattern) => pattern.readAs(reading).matches(text));
}

function matchesAny(patterns: PathCondition, path: string): boolean {
  return allReadings.some((reading) => matchesIn(patterns, path, reading));
}

/** Whether a rule that denies, or one that allows, decides so. */
export function allowsPath({ allows, denies, isOpen }: PathRules, path: string): boolean {
  if (denies.some((patterns) => matchesAny(patterns, path))) return false;
  if (isOpen) return true;
  return allows.some((patterns) => allReadings.every((reading) => matchesIn(patterns, path, reading)));
}

/** Readings in which rules that were thought to let the path through do not; empty if they do. */
export function readingsAgainst(rules: PathRules, path: string): readonly PathReading[] {
  if (allowsPath(rules, path)) return [];
  const against = rules.denies.flatMap((patterns) =>
    allReadings.filter((reading) => matchesIn(patterns, path, reading)).slice(0, 1),
  );
  if (against.length > 0) return against;
  return rules.allows.flatMap((patterns) =>
    allReadings.filter((reading) => !matchesIn(patterns, path, reading)).slice(0, 1),
  );
}

export function isGoal({ question, allowing, refusing }: PathGoal, path: string): boolean {
  if (!matchesAny(question, path)) return false;
  if (refusing !== undefined && allowsPath(refusing, path)) return false;
  return allowing.every((rules) => allowsPath(rules, path));
}
