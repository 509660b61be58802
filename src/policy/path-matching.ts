// Whether the paths of a rule match a request in all the ways in which origins may read it.

import { pathFeatures, type PathReading, readingsFor, readPath } from '../http/path-reading.ts';
import type { RequestAccess } from './decision.ts';
import type { MatchingWork } from './matching-work.ts';
import type { PathPattern } from './path-pattern.ts';

/** Characters of a path that are read for one step. */
const charactersPerStep = 2;

/** The readings of the path of one request, each made when it is first asked for. */
export class PathReadings {
  readonly path: string;
  readonly features: number;
  readonly #texts = new Map<number, string>();

  constructor(path: string) {
    this.path = path;
    this.features = pathFeatures(path);
  }

  /** Empty if the work is spent. */
  text(reading: PathReading, work: MatchingWork): string {
    if (this.features === 0) return this.path;
    let text = this.#texts.get(reading.key);
    if (text === undefined) {
      if (!work.spend(this.path.length / charactersPerStep)) return '';
      text = readPath(this.path, reading);
      this.#texts.set(reading.key, text);
    }
    return text;
  }

  /** The distinct ones, the path as it is written first. Ends early if the work is spent. */
  texts(work: MatchingWork): readonly string[] {
    return [...new Set(readingsFor(this.features).map((reading) => this.text(reading, work)))];
  }
}

/** Of requests that are decided; many rules ask for the same ones, and a path may be long. */
const known = new WeakMap<RequestAccess, PathReadings>();

export function readingsOf(access: RequestAccess): PathReadings {
  let readings = known.get(access);
  if (readings === undefined) {
    readings = new PathReadings(access.path);
    known.set(access, readings);
  }
  return readings;
}

/**
 * A rule that allows needs every reading of the path to match, one that denies needs any: what is judged must hold for
 * whatever the origin makes of it. In each reading the patterns are read as the path is, so that an octet which the
 * author of a pattern wrote encoded is admitted so.
 */
export function pathsMatch(
  effect: 'allow' | 'deny',
  patterns: readonly PathPattern[],
  readings: PathReadings,
  work: MatchingWork,
): boolean {
  return effect === 'allow' ? allMatch(patterns, readings, work) : anyMatches(patterns, readings, work);
}

function allMatch(patterns: readonly PathPattern[], readings: PathReadings, work: MatchingWork): boolean {
  return readingsFor(readings.features).every((reading) => {
    const text = readings.text(reading, work);
    return patterns.some((pattern) => pattern.readAs(reading).matches(text, work)) && !work.isSpent;
  });
}

function anyMatches(patterns: readonly PathPattern[], readings: PathReadings, work: MatchingWork): boolean {
  return patterns.some((pattern) =>
    // What only the pattern has in two forms may be in the path in the other one.
    readingsFor(readings.features | pattern.features).some(
      (reading) => !work.isSpent && pattern.readAs(reading).matches(readings.text(reading, work), work),
    ),
  );
}
